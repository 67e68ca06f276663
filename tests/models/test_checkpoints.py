"""Stock BERT checkpoints come in, stock BERT checkpoints go out, and what does not fit is an error that names it."""

import json
import logging
from pathlib import Path

import pytest
import torch
import transformers
from oracles import (
    BERT_HEADS,
    FLOAT32,
    REORDERED,
    fresh_process,
    same_tensors,
    same_to_rounding,
    same_weights,
    tensors,
    tiny_stock,
    twin,
)
from safetensors.torch import save_file

import hf_xfmr
from hf_xfmr.models.stock import CheckpointError

STOCK_LOADER = "transformers.modeling_utils"


def make_batch(suffix: str) -> dict[str, torch.Tensor]:
    ids = torch.randint(1, 99, (2, 2, 7) if suffix == "ForMultipleChoice" else (4, 7), generator=torch.manual_seed(0))
    return {"input_ids": ids}


def outputs(model) -> tuple[torch.Tensor, ...]:
    with torch.no_grad():
        return model.eval()(**make_batch(type(model).__name__.split("Bert")[1]), return_dict=False)


def stock_folder(folder: Path, suffix: str, **config) -> Path:
    tiny_stock(BERT_HEADS[suffix][0], **config).save_pretrained(folder)
    return folder


def rewrite(folder: Path, change) -> Path:
    """Replaces the tensors of a saved model by `change` of them."""
    save_file(change(tensors(folder)), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def load(folder: Path, suffix: str, **kwargs):
    return BERT_HEADS[suffix][1].from_pretrained(folder, **kwargs)


# Stock in, stock out


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("suffix", BERT_HEADS)
def test_saved_again_a_stock_checkpoint_has_the_same_bits(suffix, dtype, tied, tmp_path):
    stock_class, our_class = BERT_HEADS[suffix]
    stock = tiny_stock(stock_class, tie_word_embeddings=tied).to(dtype)
    stock.save_pretrained(tmp_path / "stock")
    ours, info = our_class.from_pretrained(tmp_path / "stock", output_loading_info=True)
    assert not any(info.values())
    assert ours.dtype == dtype
    ours.save_pretrained(tmp_path / "ours")
    same_tensors(tmp_path / "stock", tmp_path / "ours")
    again = stock_class.from_pretrained(tmp_path / "ours")
    same_weights(again, stock)
    same_to_rounding(outputs(again), outputs(stock))


@pytest.mark.parametrize("suffix", BERT_HEADS)
def test_a_model_from_scratch_is_saved_as_stock_would_save_it(suffix, tmp_path):
    stock_class, our_class = BERT_HEADS[suffix]
    stock = tiny_stock(stock_class)
    stock.save_pretrained(tmp_path / "stock")
    ours = our_class(our_class.config_class.from_dict(stock.config.to_dict())).eval()
    ours.save_pretrained(tmp_path / "ours")
    shapes = [{name: t.shape for name, t in tensors(tmp_path / side).items()} for side in ("stock", "ours")]
    assert shapes[0] == shapes[1]
    again = stock_class.from_pretrained(tmp_path / "ours")
    same_to_rounding(outputs(again), outputs(ours))


@pytest.mark.parametrize("suffix", BERT_HEADS)
def test_a_state_dict_loads_without_a_folder(suffix):
    """`twin` loads so: from_pretrained(None, config=, state_dict=)."""
    stock_class, our_class = BERT_HEADS[suffix]
    stock = tiny_stock(stock_class)
    same_to_rounding(outputs(twin(our_class, stock)), outputs(stock))


def test_a_stock_config_object_is_taken_too(tmp_path):
    stock_folder(tmp_path, "ForMaskedLM")
    config = transformers.AutoConfig.from_pretrained(tmp_path, attn_implementation="eager")
    ours = load(tmp_path, "ForMaskedLM", config=config)
    assert isinstance(ours.config, hf_xfmr.XfmrBertConfig)
    assert ours.config._attn_implementation == "eager"
    with pytest.raises(CheckpointError, match="'gpt2'"):
        load(tmp_path, "ForMaskedLM", config=transformers.GPT2Config())


def test_shards(tmp_path):
    stock = tiny_stock(transformers.BertForPreTraining)
    stock.save_pretrained(tmp_path / "stock", max_shard_size="20KB")
    assert len(list((tmp_path / "stock").glob("*.safetensors"))) > 2
    ours = load(tmp_path / "stock", "ForPreTraining")
    ours.save_pretrained(tmp_path / "ours", max_shard_size="20KB")
    assert len(list((tmp_path / "ours").glob("*.safetensors"))) > 2
    same_tensors(tmp_path / "stock", tmp_path / "ours")


@pytest.mark.parametrize("suffix", ["Model", "ForPreTraining", "ForMaskedLM", "ForSequenceClassification"])
def test_a_file_of_google_s_days(suffix, tmp_path, caplog):
    """A .bin with gamma and beta, a table of positions and copies of tied weights; saved, it has today's names."""
    stock = tiny_stock(transformers.BertForPreTraining)
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t.clone()
        for name, t in stock.state_dict().items()
    }
    assert {"cls.predictions.decoder.weight", "cls.predictions.transform.LayerNorm.gamma"} <= old.keys()
    old["bert.embeddings.position_ids"] = torch.arange(40).unsqueeze(0)
    stock.config.save_pretrained(tmp_path)
    torch.save(old, tmp_path / "pytorch_model.bin")
    with caplog.at_level(logging.WARNING):
        ours = load(tmp_path, suffix)
    assert [record.getMessage().split()[0] for record in caplog.records] == [type(ours).__name__]
    assert "bert.embeddings.position_ids" in caplog.text
    ours.save_pretrained(tmp_path / "ours")
    stock.save_pretrained(tmp_path / "stock")
    kept, all_tensors = tensors(tmp_path / "ours"), tensors(tmp_path / "stock")
    if suffix == "ForPreTraining":
        same_tensors(tmp_path / "ours", tmp_path / "stock")
    for name, tensor in kept.items():
        name = f"bert.{name}" if suffix == "Model" else name
        assert name.startswith("classifier") or torch.equal(tensor, all_tensors[name])


HEADS_OF = {
    "Model": ["pooler"],
    "ForPreTraining": ["pooler", "mlm_head", "nsp_head"],
    "ForMaskedLM": ["mlm_head"],
    "ForNextSentencePrediction": ["pooler", "nsp_head"],
    "ForSequenceClassification": ["pooler", "classifier"],
    "ForTokenClassification": ["classifier"],
    "ForQuestionAnswering": ["qa_outputs"],
}


@pytest.mark.parametrize("source", HEADS_OF)
def test_any_head_takes_any_checkpoint(source, tmp_path, caplog):
    """Base into head, head into base, head into head: the encoder is that of the checkpoint, new and unused heads are
    one line, nothing else is said; saved, the names are stock's again."""
    stock_folder(tmp_path / "from", source)
    there = tensors(tmp_path / "from")
    encoder = {name.removeprefix("bert."): t for name, t in there.items() if "embeddings" in name or "layer" in name}
    assert len(encoder) == 37
    for target in HEADS_OF:
        caplog.clear()
        ours = load(tmp_path / "from", target)
        new = [head for head in HEADS_OF[target] if head not in HEADS_OF[source]]
        unused = [head for head in HEADS_OF[source] if head not in HEADS_OF[target]]
        assert len(caplog.records) == bool(new or unused)
        if new:
            assert f"new, not in the checkpoint: {', '.join(new)}" in caplog.text
        assert ("not used from it" in caplog.text) == bool(unused)
        ours.save_pretrained(tmp_path / target)
        here = {name.removeprefix("bert."): t for name, t in tensors(tmp_path / target).items()}
        assert all(torch.equal(here[name], t) for name, t in encoder.items())
        BERT_HEADS[target][0].from_pretrained(tmp_path / target)  # stock's names: it finds all
        reference = tiny_stock(BERT_HEADS[target][0])
        reference.save_pretrained(tmp_path / "reference")
        assert tensors(tmp_path / "reference").keys() == tensors(tmp_path / target).keys()


def test_new_weights_are_drawn_as_the_config_says(tmp_path):
    stock_folder(tmp_path, "Model", initializer_range=0.5)
    first, second = (load(tmp_path, "ForMaskedLM").mlm_head for _ in range(2))
    assert 0.4 < first.dense.weight.std() < 0.6
    assert not torch.equal(first.dense.weight, second.dense.weight)
    assert not first.bias.any()
    assert torch.equal(first.norm.weight, torch.ones(32))


# What does not fit


def error_of(folder: Path, suffix: str, **kwargs) -> str:
    with pytest.raises(CheckpointError) as raised:
        load(folder, suffix, **kwargs)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("suffix", "lost"),
    [
        ("ForSequenceClassification", "bert.encoder.layer.1.output.dense.weight"),
        ("ForSequenceClassification", "bert.embeddings.LayerNorm.bias"),
        ("ForSequenceClassification", "classifier.bias"),  # half a head is no new head
        ("ForSequenceClassification", "bert.pooler.dense.weight"),
        ("ForMaskedLM", "cls.predictions.bias"),
        ("ForMaskedLM", "cls.predictions.transform.LayerNorm.weight"),
        ("Model", "encoder.layer.0.attention.self.key.weight"),
    ],
)
def test_a_missing_tensor_is_named(suffix, lost, tmp_path):
    folder = stock_folder(tmp_path, suffix)
    rewrite(folder, lambda found: {name: t for name, t in found.items() if name != lost})
    message = error_of(folder, suffix)
    assert lost in message
    assert str(folder) in message


@pytest.mark.parametrize(
    "strange",
    ["bert.encoder.layer.2.output.dense.weight", "classifier.scale", "crf.transitions", "cls.predictions.strange"],
)
def test_a_tensor_that_nothing_takes_is_named(strange, tmp_path):
    folder = stock_folder(tmp_path, "ForSequenceClassification")
    rewrite(folder, lambda found: {**found, strange: torch.ones(3)})
    assert strange in error_of(folder, "ForSequenceClassification")


def test_a_tensor_of_another_size_is_named_or_replaced(tmp_path, caplog):
    folder = stock_folder(tmp_path, "ForSequenceClassification")
    message = error_of(folder, "ForSequenceClassification", num_labels=5)
    assert "classifier.bias is [2] in the checkpoint and [5]" in message
    assert "ignore_mismatched_sizes=True" in message
    ours = load(folder, "ForSequenceClassification", num_labels=5, ignore_mismatched_sizes=True)
    assert ours.classifier.weight.shape == (5, 32)
    assert ours.classifier.weight.std() < 0.1  # drawn anew
    assert "Reinit due to size mismatch: classifier.bias, classifier.weight" in caplog.text
    assert "word" in error_of(folder, "ForSequenceClassification", vocab_size=77)


def test_another_architecture_is_refused(tmp_path):
    tiny_stock(transformers.GPT2LMHeadModel).save_pretrained(tmp_path)
    assert "of kind 'gpt2'" in error_of(tmp_path, "ForMaskedLM")
    tiny_stock(transformers.BertModel).config.save_pretrained(tmp_path)  # now only the tensors are GPT-2's
    assert "lacks bert.blocks" in error_of(tmp_path, "ForMaskedLM")


def test_a_decoder_is_refused(tmp_path):
    tiny_stock(transformers.BertLMHeadModel, is_decoder=True).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="BertLMHeadModel"):
        load(tmp_path, "ForMaskedLM")


@pytest.mark.parametrize("content", ["half", "nothing", "a git-lfs pointer"])
@pytest.mark.parametrize("kind", ["model.safetensors", "pytorch_model.bin", "shards"])
def test_a_damaged_file_is_named(kind, content, tmp_path):
    stock = tiny_stock(transformers.BertModel)
    stock.save_pretrained(tmp_path, max_shard_size="20KB" if kind == "shards" else "1GB")
    file = tmp_path / "model.safetensors"
    if kind == "pytorch_model.bin":
        file.unlink()
        file = tmp_path / kind
        torch.save(stock.state_dict(), file)
    elif kind == "shards":
        file = sorted(tmp_path.glob("*.safetensors"))[1]
    whole = file.read_bytes()
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 133466304\n"
    file.write_bytes({"half": whole[: len(whole) // 2], "nothing": b"", "a git-lfs pointer": pointer}[content])
    assert f"{file} is cut off or damaged" in error_of(tmp_path, "Model")


def test_errors_that_transformers_states_well_are_left_alone(tmp_path):
    stock_folder(tmp_path, "Model")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"no file named model\.safetensors"):
        load(tmp_path, "Model")
    with pytest.raises(OSError, match="nowhere"):
        load(tmp_path / "nowhere", "Model")


def test_loading_leaves_transformers_logging_as_it_was(tmp_path, caplog):
    stock_folder(tmp_path, "Model")
    before = list(logging.getLogger(STOCK_LOADER).filters)
    load(tmp_path, "ForMaskedLM")
    with pytest.raises(CheckpointError):
        load(tmp_path, "Model", vocab_size=77)
    assert logging.getLogger(STOCK_LOADER).filters == before
    caplog.clear()
    transformers.BertForMaskedLM.from_pretrained(tmp_path)
    assert "LOAD REPORT" in caplog.text


# Trainer


def make_rows(count: int) -> list[dict]:
    generator = torch.Generator().manual_seed(0)
    draw = [torch.randint(5, 99, (6,), generator=generator) for _ in range(count)]
    return [{"input_ids": ids, "attention_mask": torch.ones(6).long(), "labels": ids % 2} for ids in draw]


def make_trainer(folder: Path, model, **arguments) -> transformers.Trainer:
    settings = {
        "per_device_train_batch_size": 4,
        "max_steps": 6,
        "save_steps": 2,
        "learning_rate": 1e-2,
        "seed": 3,
        "use_cpu": True,
        "disable_tqdm": True,
        "report_to": "none",
        **arguments,
    }
    args = transformers.TrainingArguments(str(folder), **settings)
    return transformers.Trainer(model, args, train_dataset=make_rows(20), eval_dataset=make_rows(8))


def token_classifier(seed: int):
    dropout = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    stock_class, our_class = BERT_HEADS["ForTokenClassification"]
    return twin(our_class, tiny_stock(stock_class, seed=seed, **dropout))


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path, caplog):
    """As promised: on one processor, with as many threads, the same kernels compute the same numbers."""
    whole = make_trainer(tmp_path / "whole", token_classifier(0))
    whole.train()
    resumed = make_trainer(tmp_path / "resumed", token_classifier(1))
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-4"))
    assert "missing keys" not in caplog.text
    expected = whole.model.state_dict()
    assert all(torch.equal(t, expected[name]) for name, t in resumed.model.state_dict().items())
    same_tensors(tmp_path / "whole" / "checkpoint-6", tmp_path / "resumed" / "checkpoint-6")


def test_the_best_checkpoint_is_loaded_at_the_end(tmp_path):
    trainer = make_trainer(
        tmp_path,
        token_classifier(0),
        eval_strategy="steps",
        eval_steps=2,
        metric_for_best_model="eval_loss",
        load_best_model_at_end=True,
    )
    trainer.train()
    best = Path(trainer.state.best_model_checkpoint)
    assert best.name != "checkpoint-6"  # or nothing would need to be loaded
    trainer.model.save_pretrained(tmp_path / "loaded")
    same_tensors(best, tmp_path / "loaded")


@pytest.mark.parametrize("suffix", BERT_HEADS)
def test_a_state_dict_loads_under_either_name(suffix):
    stock_class, our_class = BERT_HEADS[suffix]
    stock = tiny_stock(stock_class)
    expected = outputs(stock)
    ours = twin(our_class, tiny_stock(stock_class, seed=1))
    assert not torch.equal(outputs(ours)[0], expected[0])
    result = ours.load_state_dict(stock.state_dict())
    assert result.missing_keys == result.unexpected_keys == []
    own = {name: t.clone() for name, t in ours.state_dict().items()}
    same_to_rounding(outputs(ours), expected)
    again = twin(our_class, tiny_stock(stock_class, seed=1))
    again.load_state_dict(own)
    same_weights(again, ours)
    same_to_rounding(outputs(again)[0], outputs(ours)[0])
    with pytest.raises(RuntimeError, match=r"no\.such\.tensor"):
        ours.load_state_dict({**stock.state_dict(), "no.such.tensor": torch.ones(1)})


# Auto classes, pipelines and remote code, in fresh processes

AUTO = {
    "Model": "AutoModel",
    **{suffix: f"AutoModel{suffix}" for suffix in BERT_HEADS if suffix != "Model"},
}
TASKS = {
    "text-classification": "ForSequenceClassification",
    "token-classification": "ForTokenClassification",
    "fill-mask": "ForMaskedLM",
    "feature-extraction": "Model",
}
TEXT = "w3 w5 [MASK] w7"


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """Folders that we saved, one for each head, with a tokenizer; and in expected.pt what they compute."""
    root = tmp_path_factory.mktemp("saved")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(94))]
    tokenizer = transformers.BertTokenizer(vocab={word: i for i, word in enumerate(words)})
    expected = {}
    for suffix, (stock_class, our_class) in BERT_HEADS.items():
        labels = {"id2label": {0: "bad", 1: "good"}, "label2id": {"bad": 0, "good": 1}}
        ours = twin(our_class, tiny_stock(stock_class, **labels))
        ours.save_pretrained(root / suffix)
        tokenizer.save_pretrained(root / suffix)
        expected[suffix] = (make_batch(suffix), outputs(ours))
    torch.save(expected, root / "expected.pt")
    return root


CHECK = """
import json, torch, transformers
root, auto, tasks, text, kwargs = {root!r}, {auto!r}, {tasks!r}, {text!r}, {kwargs!r}
expected = torch.load(root + "/expected.pt")

def check(suffix, folder):
    model = getattr(transformers, auto[suffix]).from_pretrained(folder, **kwargs)
    assert type(model).__name__ == "XfmrBert" + suffix, type(model)
    assert type(model).__module__.split(".")[0] == {package!r}, type(model)
    batch, outputs = expected[suffix]
    with torch.no_grad():
        for a, b in zip(model(**batch, return_dict=False), outputs, strict=True):
            assert (a - b).abs().max() <= {tolerance} * b.abs().max(), suffix
    return model

for suffix in auto:
    model = check(suffix, root + "/" + suffix)
    again = root + "/again-{package}-" + suffix
    model.save_pretrained(again)
    check(suffix, again)
for suffix in auto:  # every head from one folder
    model = getattr(transformers, auto[suffix]).from_pretrained(root + "/ForMaskedLM", num_labels=2, **kwargs)
    assert type(model).__name__ == "XfmrBert" + suffix, type(model)
answers = {{
    task: transformers.pipeline(task, root + "/" + suffix, **kwargs)(text) for task, suffix in tasks.items()
}}
print()  # ends the line of a prompt
print(json.dumps(answers, default=float))
"""

UNTRUSTED = """
import transformers
try:
    import hf_xfmr
    raise SystemExit("hf_xfmr is installed after all")
except ImportError:
    pass
try:
    transformers.AutoModel.from_pretrained({folder!r})
    raise SystemExit("code was run without leave")
except ValueError as error:
    assert "trust_remote_code=True" in str(error), error
"""


def check_in_fresh_process(saved: Path, package: str, before: str = "", **kwargs) -> dict:
    code = CHECK.format(
        root=str(saved),
        auto=AUTO,
        tasks=TASKS,
        text=TEXT,
        kwargs=kwargs,
        package=package,
        tolerance=REORDERED * FLOAT32,
    )
    printed = fresh_process(before + code, without_package=package != "hf_xfmr")
    return json.loads(printed.splitlines()[-1])


def same_answers(one, other) -> None:
    """Of two processes: words are the same, numbers to rounding."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        same_answers([*one.items()], [*other.items()])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            same_answers(mine, theirs)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=REORDERED * FLOAT32, abs=REORDERED * FLOAT32)
    else:
        assert one == other


@pytest.fixture(scope="module")
def answers(saved) -> dict:
    """Of the four pipelines, where hf_xfmr is imported."""
    return check_in_fresh_process(saved, "hf_xfmr", before="import hf_xfmr\n")


def test_auto_classes_and_pipelines_after_import(answers):
    assert answers["text-classification"][0]["label"] in ("bad", "good")
    assert {row["entity"] for row in answers["token-classification"]} <= {"bad", "good"}
    assert answers["fill-mask"][0]["token_str"].startswith("w")
    assert len(answers["feature-extraction"][0][0]) == 32


def test_remote_code_where_the_package_is_not_installed(saved, answers):
    """The files in the folder are enough: every head from its folder and from any other, saved and loaded again, with
    the same numbers as with the package."""
    without_trust = UNTRUSTED.format(folder=str(saved / "Model"))
    remote = check_in_fresh_process(saved, "transformers_modules", before=without_trust, trust_remote_code=True)
    same_answers(remote, answers)


def test_a_folder_carries_only_what_it_needs(saved):
    files = {file.name for file in (saved / "ForMaskedLM").iterdir()}
    shared = "blocks decoding dropout finished kernel_checks kernels linear losses packing recording sizes steps stock"
    code = {f"{name}.py" for name in ("bert", *shared.split(), "tied", "versions", "vocabulary")}
    assert files == code | {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    config = json.loads((saved / "ForMaskedLM" / "config.json").read_text())
    assert set(config["auto_map"]) == {"AutoConfig", *AUTO.values()}
