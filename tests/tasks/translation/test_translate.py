"""The translation recipe as a user runs it, from pairs of sentences to a folder that translates."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sacrebleu
import sentencepiece
import torch
import translate as translate_recipe
import yaml
from oracles import same_to_rounding
from places import ROOT
from safetensors.torch import load_file
from transformers import MarianConfig, MarianMTModel, MarianTokenizer, pipeline

import hf_xfmr
from hf_xfmr.engines.pytorch import Writer
from hf_xfmr.run import program
from hf_xfmr.tasks.translation.averaging import checkpoints
from hf_xfmr.tasks.translation.data import TranslationSettings, translation
from hf_xfmr.tasks.translation.metrics import bleu_tokeniser, translation_metrics
from hf_xfmr.tasks.translation.token_batches import TokenBatches, TranslationCollator
from hf_xfmr.tasks.translation.tokenizer_pair import TokenizerPair, ends_texts
from hf_xfmr.tasks.translation.translator import Translator, load_translator
from hf_xfmr.tokenizer import train

CONFIGS = ROOT / "recipes" / "configs" / "translate"

TINY = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 48,
    "init_std": 0.1,
}
FAST = {
    "dataset": "task:copy",
    "task_rows": 300,
    "task_length": 5,
    "model_config": TINY,
    "tokenizer_kind": "bpe",
    "vocab_size": 290,
    "max_length": 32,
    "tokens_per_batch": 256,
    "num_train_epochs": 2,
    "learning_rate": 3e-3,
    "warmup_steps": 2,
    "logging_steps": 1,
    "bf16": False,
}


def arguments(folder: Path, config: Path | None = None, **settings) -> list[str]:
    """The command line of a run: `settings` as flags after a config, or over FAST in a config of their own."""
    if config is None:
        values = {key: value for key, value in {**FAST, **settings}.items() if value is not None}
        config = folder.parent / f"{folder.name}.yaml"
        config.write_text(yaml.safe_dump({key: str(v) if isinstance(v, Path) else v for key, v in values.items()}))
        settings = {}
    flags = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
    return [str(config), "--output_dir", str(folder), *flags]


def run(folder: Path, config: Path | None = None, **settings) -> dict:
    return translate_recipe.main(arguments(folder, config, **settings))


def record(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    run(folder, save_strategy="steps", save_steps=3, eval_strategy="steps", eval_steps=3, average_checkpoints=3)
    return folder


def test_a_run_ends_with_scores_translations_a_report_and_a_picture(trained):
    found = record(trained)
    metrics = found["metrics"]["test"]
    assert set(metrics) == {"bleu", "chrf", "exact_match", "loss"}
    assert any(line.startswith("BLEU nrefs:1|case:mixed|eff:no|tok:13a|") for line in found["data"])
    with (trained / "translations-test.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) > 10
    assert all(row["source"] == row["reference"] for row in rows)
    assert metrics["exact_match"] == sum(row["reference"] == row["translation"] for row in rows) / len(rows)
    examples = found["translations"]
    assert 10 <= len(examples) <= 20
    assert {tuple(one.values()) for one in examples} <= {(r["source"], r["reference"], r["translation"]) for r in rows}
    assert examples[0]["source"] in (trained / "report.html").read_text(encoding="utf-8")
    assert {"eval_loss", "eval_bleu", "eval_chrf"} <= {key for entry in found["log_history"] for key in entry}


def test_the_mean_of_the_last_checkpoints_is_saved(trained):
    folders = checkpoints(trained)[-3:]
    assert len(folders) == 3
    parts = [load_file(folder / "model.safetensors") for folder in folders]
    saved = load_file(trained / "model.safetensors")
    assert saved.keys() == parts[0].keys()
    for name, tensor in saved.items():
        mean = torch.stack([part[name].double() for part in parts]).mean(0)
        same_to_rounding(tensor, mean, 1, what=name)
    name = "model.shared.weight"
    assert not torch.equal(saved[name], parts[-1][name])


def test_the_learning_rate_is_the_papers():
    """lrate = d_model^-0.5 min(step^-0.5, step warmup^-1.5), section 5.3."""
    from transformers import get_inverse_sqrt_schedule

    width, warmup = 512, 40
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=(width * warmup) ** -0.5)
    schedule = get_inverse_sqrt_schedule(optimizer, warmup)
    for step in range(1, 200):
        optimizer.step()
        schedule.step()
        paper = width**-0.5 * min(step**-0.5, step * warmup**-1.5)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(paper, rel=1e-9)


def test_from_scratch_the_rate_betas_and_smoothing_are_the_papers(tmp_path, capsys):
    run(tmp_path, learning_rate=None, warmup_steps=50, max_steps=2)
    assert "learning rate: up to 0.025 at step 50, as in the paper" in capsys.readouterr().out
    found = record(tmp_path)["arguments"]
    assert (found["adam_beta1"], found["adam_beta2"], found["adam_epsilon"]) == (0.9, 0.98, 1e-9)
    assert found["lr_scheduler_type"] == "inverse_sqrt"
    assert hf_xfmr.XfmrConfig.from_pretrained(tmp_path).label_smoothing == 0.1


def test_a_resumed_run_ends_with_the_same_weights(tmp_path, capsys):
    steps = {"save_strategy": "steps", "save_steps": 4, "eval_strategy": "no", "save_total_limit": 9}
    run(tmp_path / "whole", **steps)
    last = checkpoints(tmp_path / "whole")[-1]
    for folder in checkpoints(tmp_path / "whole"):
        if folder != checkpoints(tmp_path / "whole")[0]:
            for file in sorted(folder.rglob("*"), reverse=True):
                file.unlink()
            folder.rmdir()
    whole = load_file(tmp_path / "whole" / "model.safetensors")
    run(tmp_path / "whole", **steps)
    assert "resumed from" in capsys.readouterr().out
    assert last.exists()
    resumed = load_file(tmp_path / "whole" / "model.safetensors")
    # bits, as promised on one processor with as many threads
    assert all(torch.equal(whole[name], tensor) for name, tensor in resumed.items())


def test_early_stopping_on_bleu(tmp_path):
    run(
        tmp_path / "run",
        metric_for_best_model="bleu",
        early_stopping_patience=2,
        num_train_epochs=30,
        learning_rate=1e-12,
    )
    evaluations = [entry for entry in record(tmp_path / "run")["log_history"] if "eval_bleu" in entry]
    assert len(evaluations) == 3  # the first, and two that are no better


@pytest.fixture(scope="module")
def corpus():
    def make(sources, targets):
        shared = ends_texts(train([*sources, *targets], "bpe", vocab_size=290, model_max_length=48))
        return TokenizerPair(shared, shared)

    return translation("task:copy", make, TranslationSettings(dataset="task:copy", task_rows=200, task_length=9))


def tiny_model(corpus):
    torch.manual_seed(0)
    pad, eos = corpus.tokenizers.target.pad_token_id, corpus.tokenizers.target.eos_token_id
    config = hf_xfmr.XfmrConfig(
        **TINY,
        vocab_size=len(corpus.tokenizers.target),
        pad_token_id=pad,
        eos_token_id=eos,
        decoder_start_token_id=pad,
        dropout=0.0,
        label_smoothing=0.1,
    )
    return hf_xfmr.XfmrForConditionalGeneration(config).train()


def gradient(model, batches) -> torch.Tensor:
    """Of one optimizer step over these batches, as Trainer sums it."""
    model.zero_grad()
    count = sum((batch["labels"] != -100).sum() for batch in batches)
    for batch in batches:
        model(**batch, num_items_in_batch=count).loss.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def test_accumulation_padding_and_bucketing_change_no_gradient(corpus):
    """40 pairs in one batch, one by one, shuffled in unlike lengths, bucketed, and padded far beyond need."""
    model, collate = tiny_model(corpus), TranslationCollator(corpus.tokenizers)
    rows = [corpus.splits["train"][row] for row in range(40)]
    whole = gradient(model, [collate(rows)])
    assert whole.norm() > 0.1
    cut = {
        "one by one": [collate([row]) for row in rows],
        "in fours": [collate(rows[start : start + 4]) for start in range(0, 40, 4)],
        "bucketed": [
            collate([rows[row] for row in batch]) for batch in TokenBatches([row["length"] for row in rows], 30)
        ],
    }
    padded = collate(rows)
    for name, value in (("input_ids", model.config.pad_token_id), ("attention_mask", 0), ("labels", -100)):
        padded[name] = torch.nn.functional.pad(padded[name], (0, 20), value=value)
    cut["padded"] = [padded]
    for name, batches in cut.items():
        same_to_rounding(gradient(model, batches), whole, what=name)


def test_bleu_and_chrf_are_sacrebleus_own():
    references = ["the cat sat on the mat .", "it was a good day to learn , he said ."]
    translations = ["the cat sat on a mat .", "it was the day to learn , he said ."]
    figures, signatures = translation_metrics(translations, references, language="en")
    assert figures["bleu"] == sacrebleu.corpus_bleu(translations, [references]).score
    assert figures["chrf"] == sacrebleu.corpus_chrf(translations, [references]).score
    assert signatures[0].endswith(f"|version:{sacrebleu.__version__}")
    assert "tok:13a" in signatures[0]


def test_chinese_is_scored_by_chinese_words():
    references, translations = ["今天天气很好。我们去公园吧。"], ["今天天气很好。我们去学校吧。"]
    for language in ("zh", "zh_CN", "zh-Hans", ">>cmn_Hans<<", "zho_Hant"):
        figures, signatures = translation_metrics(translations, references, language=language)
        assert figures["bleu"] == sacrebleu.corpus_bleu(translations, [references], tokenize="zh").score > 30
        assert "tok:zh" in signatures[0]
    assert (bleu_tokeniser("fr"), bleu_tokeniser("ja")) == ("13a", "char")


def test_separate_vocabularies_travel_with_the_model(tmp_path):
    lines = ["en\tzh", *(f"number {n}\t数字 {n} 号" for n in range(300))]
    data = tmp_path / "pairs.tsv"
    data.write_text("\n".join(lines), encoding="utf-8")
    run(
        tmp_path / "run",
        dataset=data,
        shared_vocabulary=False,
        tokenizer_kind="unigram",
        vocab_size=400,
        num_train_epochs=1,
    )
    translator = load_translator(str(tmp_path / "run"))
    source, target = translator.tokenizers.source, translator.tokenizers.target
    assert "数" not in source.get_vocab()
    assert "数" in "".join(target.get_vocab())
    assert (translator.engine.model.config.vocab_size, translator.engine.model.config.decoder_vocab_size) == (
        len(source),
        len(target),
    )
    saved = (tmp_path / "run" / "translations-test.tsv").read_text(encoding="utf-8").splitlines()[1:]
    sources, translations = zip(*((line.split("\t")[1], line.split("\t")[3]) for line in saved), strict=True)
    assert translator(list(sources)) == list(translations)
    assert "tok:zh" in "".join(record(tmp_path / "run")["data"])


@pytest.fixture(scope="module")
def marian(tmp_path_factory) -> Path:
    """A tiny stock Marian with its own tokenizer: two sentence-piece models, one vocabulary."""
    folder = tmp_path_factory.mktemp("marian")
    sides = {"source": [f"the number {n}" for n in range(99)], "target": [f"le nombre {n}" for n in range(99)]}
    vocabulary = {"</s>": 0, "<unk>": 1}
    for side, texts in sides.items():
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=model, vocab_size=40, hard_vocab_limit=False, minloglevel=2
        )
        (folder / f"{side}.spm").write_bytes(model.getvalue())
        pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        for place in range(len(pieces)):
            vocabulary.setdefault(pieces.id_to_piece(place), len(vocabulary))
    vocabulary["<pad>"] = len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    names = {
        "vocab": str(folder / "vocab.json"),
        "source_spm": str(folder / "source.spm"),
        "target_spm": str(folder / "target.spm"),
    }
    MarianTokenizer(**names, source_lang="en", target_lang="fr").save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {key: value for key, value in TINY.items() if key != "init_std"}
    pad = vocabulary["<pad>"]
    config = MarianConfig(
        **sizes,
        init_std=0.1,
        vocab_size=len(vocabulary),
        pad_token_id=pad,
        decoder_start_token_id=pad,
        eos_token_id=0,
        forced_eos_token_id=0,
    )
    MarianMTModel(config).save_pretrained(folder)
    return folder


def test_a_marian_checkpoint_is_fine_tuned_and_saved_as_one(tmp_path, marian):
    data = tmp_path / "pairs.tsv"
    data.write_text("\n".join(["en\tfr", *(f"the number {n}\tle nombre {n}" for n in range(300))]))
    flags = {"model": marian, "dataset": data, "num_train_epochs": 8, "num_beams": 2}
    metrics = run(tmp_path / "run", **flags, model_config=None)
    assert metrics["test"]["chrf"] > 40  # random: about 5
    assert load_file(tmp_path / "run" / "model.safetensors").keys() == load_file(marian / "model.safetensors").keys()
    stock_tokenizer = MarianTokenizer.from_pretrained(tmp_path / "run")
    assert (
        stock_tokenizer("the number 7")["input_ids"]
        == MarianTokenizer.from_pretrained(marian)("the number 7")["input_ids"]
    )
    stock = MarianMTModel.from_pretrained(tmp_path / "run").eval()
    texts = ["the number 12", "the number 3"]
    expected = Translator(Writer(stock), TokenizerPair(stock_tokenizer, stock_tokenizer))(texts)
    assert load_translator(str(tmp_path / "run"))(texts) == expected


def test_the_command_translates_lines_in_their_order(trained, capsys, monkeypatch):
    texts = ["a b c", "", "q", "x y z w v", "b a"]
    expected = load_translator(str(trained))(texts)
    assert expected[1] == ""
    assert expected == [load_translator(str(trained))([text])[0] for text in texts]  # whatever the batch
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{text}\n" for text in texts)))
    monkeypatch.setattr("sys.argv", ["hf_xfmr", "translate", str(trained), "--batch_size", "2"])
    from hf_xfmr.__main__ import run as command

    command()
    assert capsys.readouterr().out.split("\n") == [*expected, ""]


@pytest.mark.slow
def test_the_pipeline_works_in_a_fresh_process(trained):
    code = (
        "import sys, hf_xfmr; from transformers import pipeline\n"
        "translate = pipeline('xfmr-translation', sys.argv[1])\n"
        "print([translate('a b c'), translate(['a b c', 'q'], batch_size=2), translate('a b c', num_beams=1)])"
    )
    done = subprocess.run([sys.executable, "-c", code, trained], capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    one, two, greedy = eval(done.stdout)
    first, second = load_translator(str(trained))(["a b c", "q"])
    assert one == [{"translation_text": first}]
    assert two == [{"translation_text": first}, {"translation_text": second}]
    assert greedy == [{"translation_text": load_translator(str(trained))(["a b c"], num_beams=1)[0]}]


def test_a_text_longer_than_the_model_reads_is_an_error(trained):
    with pytest.raises(hf_xfmr.errors.UserError, match="tokens, more than the 48 that the model can read"):
        load_translator(str(trained))(["a " * 60])
    with pytest.raises(hf_xfmr.errors.UserError, match="tokens, more than the 48 that the model can read"):
        pipeline("xfmr-translation", str(trained))("a " * 60)


def stopped(capsys, flags: list[str]) -> str:
    with pytest.raises(SystemExit) as end:
        program.run(lambda: translate_recipe.main(flags))
    assert end.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    return error


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_config": {"d_modell": 8}}, "unknown field 'd_modell'; did you mean 'd_model'"),
        ({"model_config": {"d_model": 30}}, "d_model 30 must be a multiple of encoder_attention_heads 8"),
        ({"tokens_per_batch": 4}, "tokens_per_batch 4 has no room"),
        ({"max_length": 100}, "max_length 100 is more than the model's 48 positions"),
        ({"over_long": "head"}, 'over_long is "head"; it can be drop, cut, error'),
        ({"tokenizer_kind": "wordpiece"}, "tokenizer_kind"),
        ({"vocab_size": 20}, "vocab_size 20 is too small"),
        ({"label_smoothing": 1.5}, "label_smoothing is 1.5"),
        ({"label_smoothing_factor": 0.1}, "use label_smoothing"),
        ({"metric_for_best_model": "bleu", "eval_sentences": 0}, "set eval_sentences"),
        ({"average_checkpoints": 2, "save_strategy": "no"}, "average_checkpoints needs checkpoints"),
        ({"lr_scheduler_type": "linear", "learning_rate": None}, "learning_rate is not given"),
        ({"dataset": "nowhere.tsv"}, "no such file"),
        ({"model": "some/where", "model_config": {}}, "can't be had from the Hub"),
        ({"model": "some/where"}, "model and model_config are both given"),
        ({"source_lang": "en", "dataset": "sample:tatoeba-en-zh"}, "sample"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(tmp_path, capsys, settings, message):
    error = stopped(capsys, arguments(tmp_path / "run", **settings))
    assert re.search(message, error), error
    assert len(error) < 400


@pytest.mark.parametrize("config", ["copy", pytest.param("tatoeba-en-fr", marks=pytest.mark.slow)])
def test_every_config_that_needs_no_hub_runs(tmp_path, config):
    rows = {"max_train_rows": 300, "max_validation_rows": 12, "max_test_rows": 12}
    metrics = run(
        tmp_path, CONFIGS / f"{config}.yaml", **rows, num_train_epochs=1, bf16=False, vocab_size=450, num_beams=1
    )
    assert set(metrics) == {"validation", "test"}
    assert record(tmp_path)["translations"]


@pytest.mark.parametrize("config", ["opus-mt-en-zh", "wmt14-en-de-base"])
def test_a_config_of_the_hub_says_that_it_cannot_be_reached(tmp_path, capsys, config, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    error = stopped(capsys, arguments(tmp_path / "run", CONFIGS / f"{config}.yaml"))
    assert re.search("can't be had from the Hub|the Hub cannot be reached", error), error


@pytest.mark.slow
def test_the_copy_task_is_learned(tmp_path):
    assert run(tmp_path, CONFIGS / "copy.yaml")["test"]["exact_match"] >= 0.99
