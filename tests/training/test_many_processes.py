"""Several processes over gloo do what one does; a killed one is started again; shards become stock files."""

import json
import socket
from pathlib import Path

import process_runs
import pytest
import torch
import transformers
import yaml
from oracles import same_tensors, same_to_rounding, tensors, tiny_stock, twin
from places import ROOT
from process_runs import finished, launch, torchrun

import hf_xfmr
from hf_xfmr.errors import UserError
from hf_xfmr.export.consolidate import consolidate
from hf_xfmr.run import recipes
from hf_xfmr.training.streams import ShareOfStream

TOLERANCE = 1e-5  # relative, of every loss and gradient norm: sums of the same numbers in another order


def curves(folder: Path) -> dict[str, list[float]]:
    file = folder / "log.json"
    log = (
        json.loads(file.read_text()) if file.exists() else json.loads((folder / "run.json").read_text())["log_history"]
    )
    return {name: [one[name] for one in log if name in one] for name in ("loss", "grad_norm", "eval_loss")}


def same_curves(one: Path, other: Path) -> None:
    a, b = curves(one), curves(other)
    assert len(a["loss"]) > 5
    for name in a:
        assert b[name] == pytest.approx(a[name], rel=TOLERANCE), name


def test_two_processes_train_as_one_does(tmp_path, monkeypatch):
    """The short last batch of an epoch, and evaluations whose rows do not come out even, too."""
    monkeypatch.setenv("WORLD_SIZE", "1")
    (tmp_path / "1").mkdir()
    process_runs.main("plain", str(tmp_path / "1"))
    done = launch("plain", tmp_path / "2", 2)
    assert done.returncode == 0, done.stderr[-3000:]
    same_curves(tmp_path / "1", tmp_path / "2")
    assert done.stdout.count("training in float32") == 1
    assert "processes: 2 (DDP, cpu, gloo)" in done.stdout
    assert "looks for unused parameters: False" in done.stdout


@pytest.mark.distributed
def test_unused_parameters_are_looked_for_where_there_are_some(tmp_path):
    """Were they not, the second step would be an error."""
    done = launch("unused", tmp_path, 2)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "looks for unused parameters: True" in done.stdout


COMMON = [
    "--bf16",
    "false",
    "--report_to",
    "none",
    "--disable_tqdm",
    "true",
    "--logging_steps",
    "1",
    "--num_train_epochs",
    "2",
]
SMALL_BERT = "{hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 48, vocab_size: 300, "
SMALL_BERT += "max_position_embeddings: 40, hidden_dropout_prob: 0.0, attention_probs_dropout_prob: 0.0}"
SMALL_GPT2 = "{n_embd: 32, n_layer: 2, n_head: 4, n_positions: 32, resid_pdrop: 0.0, embd_pdrop: 0.0, attn_pdrop: 0.0}"
SMALL_XFMR = (
    "{d_model: 32, encoder_layers: 1, decoder_layers: 1, encoder_attention_heads: 4, decoder_attention_heads: 4, "
)
SMALL_XFMR += "encoder_ffn_dim: 48, decoder_ffn_dim: 48, max_position_embeddings: 128, dropout: 0.0}"
WORDS = ["the", "film", "was", "a", "story", "of", "people", "and", "time", "in", "town", "with", "music"]


def command(kind: str, data: Path, processes: int) -> list[str]:
    """A recipe's command with the same global batch on any number of processes: 4 rows, or 4 times 240 tokens."""
    text = [" ".join(WORDS[(i * k) % 13] for k in range(1, 2 + i % 11)) + f" {i}" for i in range(110)]
    sizes = [f"--per_device_{what}_batch_size={4 // processes}" for what in ("train", "eval")]
    if kind == "classify_bert":
        lines = [f'"{one}",{["bad", "good"][i % 2]}' for i, one in enumerate(text)]
        (data / "data.csv").write_text("\n".join(["text,label", *lines]))
        own = [str(data / "data.csv"), "--model_config", SMALL_BERT, "--learning_rate", "1e-3", *sizes]
    elif kind == "finetune_gpt2":
        (data / "data.txt").write_text("\n".join(text[:40]))
        own = [str(data / "data.txt"), "--lines", "true", "--tokenizer", "char", "--model_config", SMALL_GPT2]
        own += ["--learning_rate", "1e-3", "--sample_every", "0", *sizes]
    elif kind == "pretrain_bert":
        (data / "data.txt").write_text("\n".join(text))
        own = [
            str(data / "data.txt"),
            "--lines",
            "true",
            "--model_config",
            SMALL_BERT,
            "--learning_rate",
            "1e-3",
            *sizes,
        ]
    elif kind == "tag_bert":
        blocks = ["\n".join(f"{word} {'B-X' if word in WORDS[:3] else 'O'}" for word in one.split()) for one in text]
        (data / "data.conll").write_text("\n\n".join(blocks))
        own = [str(data / "data.conll"), "--model_config", SMALL_BERT, "--learning_rate", "1e-3", *sizes]
    else:
        lines = [f"{one}\t{' '.join(reversed(one.split()))}" for one in text]
        (data / "data.tsv").write_text("\n".join(["en\tfr", *lines]))
        own = [str(data / "data.tsv"), "--tokenizer_kind", "char", "--vocab_size", "400", "--model_config", SMALL_XFMR]
        own += [
            "--learning_rate",
            "1e-3",
            "--lr_scheduler_type",
            "linear",
            "--warmup_steps",
            "0",
            "--num_beams",
            "1",
            "--max_length",
            "100",
        ]
        own += ["--source_lang", "en", "--target_lang", "fr", "--eval_sentences", "0", "--tokens_per_batch", "240"]
        own += [f"--gradient_accumulation_steps={4 // processes}"]
    return [str(ROOT / f"recipes/{kind}.py"), "--dataset", *own, *COMMON]


@pytest.mark.distributed
@pytest.mark.parametrize("kind", ["classify_bert", "finetune_gpt2", "translate"])
def test_each_recipe_gives_the_same_loss_curve_on_1_2_and_4_processes(kind, tmp_path):
    for processes in (1, 2, 4):
        flags = ["--output_dir", str(tmp_path / str(processes))]
        words = [f"--nproc_per_node={processes}", *command(kind, tmp_path, processes), *flags]
        done = torchrun(words, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.count("model:  ") == 1
    for processes in (2, 4):
        same_curves(tmp_path / "1", tmp_path / str(processes))
        one, other = (json.loads((tmp_path / str(n) / "run.json").read_text()) for n in (1, processes))
        assert other["environment"]["processes"] == str(processes)
        for split, figures in one["metrics"].items():
            written = kind == "translate"  # by a model that has learned nothing: two letters may be as likely
            for name, figure in figures.items():
                tolerance = {"abs": 1.0} if written and name != "loss" else {"rel": 1e-4}
                assert other["metrics"][split][name] == pytest.approx(figure, **tolerance), (split, name)


@pytest.mark.distributed
@pytest.mark.parametrize(("kind", "config"), [("tag_bert", "ddp"), ("pretrain_bert", "fsdp2")])
def test_the_other_recipes_do_too_under_accelerate_launch(kind, config, tmp_path):
    """By the configurations for GPUs: on a CPU they train there, without sharding, which is said."""
    for processes in (1, 2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        words = ["--config_file", str(ROOT / f"recipes/configs/accelerate/{config}.yaml"), "--main_process_port", port]
        words += ["--main_process_ip", "127.0.0.1", "--num_processes", str(processes)]
        words += [*command(kind, tmp_path, processes), "--output_dir", str(tmp_path / str(processes))]
        done = finished(["accelerate.commands.launch", *words], timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
    assert "processes: 2 (DDP, cpu, gloo)" in done.stdout
    assert ("nothing is sharded" in done.stdout) == (config == "fsdp2")
    same_curves(tmp_path / "1", tmp_path / "2")


def whole_and_cut(kind: str, folder: Path) -> list[Path]:
    """The folders of a run on two processes, and of one whose second process was killed and started again."""
    (folder / "whole").mkdir()
    (folder / "whole" / "killed").touch()
    for name in ("whole", "cut"):
        done = launch(kind, folder / name, 2, restarts=1)
        assert done.returncode == 0, done.stderr[-3000:]
    assert "resumed from" in done.stdout
    assert (folder / "cut" / "killed").exists()
    same_tensors(folder / "whole", folder / "cut")
    return [folder / "whole", folder / "cut"]


@pytest.mark.distributed
def test_a_killed_process_is_started_again_and_the_run_ends_with_the_same_bits(tmp_path):
    whole_and_cut("killed", tmp_path)


@pytest.mark.distributed
def test_a_stream_is_dealt_out_without_overlap_over_its_end_and_goes_on_where_it_was(tmp_path):
    """23 rows in batches of 4, which one process after the other takes; killed at step 15, resumed from 12."""
    rows = [5 + place % 23 for place in range(80)]
    for folder in whole_and_cut("stream", tmp_path):
        for rank in (0, 1):
            lines = [json.loads(line) for line in (folder / f"seen-{rank}.jsonl").read_text().splitlines()]
            seen = {step: own for step, *own in lines}
            assert list(seen.values()) == [rows[at : at + 2] for at in range(2 * rank, 80, 4)]
            for step, *own in lines:
                assert own == seen[step]  # those read twice were the same
            if folder.name == "cut":
                assert [step for step, *_ in lines][-8:] == [*range(12, 20)]


@pytest.mark.slow
def test_a_stream_resumes_where_it_was_in_its_second_pass_too(tmp_path):
    """23 rows in batches of 4: step 12 is in the third pass."""
    from process_runs import Lines
    from training_runs import make_trainer

    ends = []
    for stops in ((20,), (12, 20)):
        folder = tmp_path / str(len(stops))
        for stop in stops:
            trainer = make_trainer(
                folder, max_steps=20, train_rows=Lines(), save_steps=2, eval_steps=2, lr_scheduler_type="constant"
            )
            trainer.add_callback(StopAt(stop))
            trainer.train(resume_from_checkpoint=True)
        assert trainer.state.global_step == 20
        ends.append({name: tensor.clone() for name, tensor in trainer.model.state_dict().items()})
    # bits, as promised on one processor with as many threads
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


class StopAt(transformers.TrainerCallback):
    def __init__(self, step: int):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = control.should_training_stop or state.global_step >= self.step


@pytest.mark.parametrize("rows", [1, 5, 8, 9, 12])
def test_the_shares_of_a_finite_stream_are_its_rows(rows):
    shares = [
        ShareOfStream(range(rows), batch_size=2, processes=2, process=process, endless=False) for process in (0, 1)
    ]
    found = [[*share] for share in shares]
    real = [own[:-1] if share.repeats else own for own, share in zip(found, shares, strict=True)]
    assert sorted(real[0] + real[1]) == list(range(rows))
    assert len({-(-len(own) // 2) for own in found}) == 1  # as many batches


def test_a_stream_without_rows_is_an_error_and_not_a_hang():
    with pytest.raises(UserError, match="no row"):
        list(ShareOfStream([], batch_size=2, processes=1, process=0, endless=True))


@pytest.mark.distributed
def test_shards_are_saved_and_become_one_folder_that_stock_loads(tmp_path):
    """`fully_shard` on two processes trains as one does; its sharded checkpoint and its gathered weights are equal."""
    stock = tiny_stock(transformers.GPT2LMHeadModel)
    model = twin(hf_xfmr.XfmrGPT2ForCausalLM, stock)
    model.save_pretrained(tmp_path / "begin")
    done = launch("sharded", tmp_path, 2)
    assert done.returncode == 0, done.stderr[-3000:]
    consolidate(tmp_path / "shards", str(tmp_path / "begin"), tmp_path / "whole")
    same_tensors(tmp_path / "whole", tmp_path / "gathered")

    batch = torch.arange(4 * 12).view(4, 12) % 90
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=1e-3)
    model(batch, labels=batch).loss.backward()
    optimizer.step()
    loaded = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "whole").eval()
    with torch.no_grad():
        same_to_rounding(loaded(batch).logits, model.eval()(batch).logits)
    assert sorted(tensors(tmp_path / "whole")) == sorted(tensors(tmp_path / "begin"))
    with pytest.raises(UserError, match=r"no \.metadata"):
        consolidate(tmp_path / "begin", str(tmp_path / "begin"), tmp_path / "other")


def test_sharding_asked_for_on_a_cpu_is_said_not_to_happen(tmp_path, monkeypatch):
    from training_runs import make_trainer

    from hf_xfmr.training.many_processes import describe

    trainer = make_trainer(tmp_path)
    assert describe(trainer) == []
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    (said,) = describe(trainer)
    assert "nothing is sharded" in said


@pytest.mark.parametrize(
    "path", sorted((ROOT / "recipes/configs/accelerate").glob("*.yaml")), ids=lambda path: path.stem
)
def test_the_configurations_are_those_that_accelerate_reads(path):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))
    assert config.num_processes > 1
    first = path.read_text().splitlines()[0]
    assert first.startswith(f"# accelerate launch --config_file {path.name} ")
    recipe, _, ready = first.partition(" -m hf_xfmr train ")[2].split()
    assert recipes.find(ready, recipe) is not None
    assert yaml.safe_load(path.read_text())["distributed_type"] == str(config.distributed_type).rpartition(".")[2]
