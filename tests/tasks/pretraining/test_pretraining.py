"""Pre-training: losses and gradients against stock BertForPreTraining, and the recipe run as a user runs it."""

import argparse
import json
from pathlib import Path

import classify_bert
import numpy as np
import pretrain_bert
import pytest
import torch
import transformers
from oracles import fresh_process, same_as_stock, same_gradients, tensors, tiny_stock
from transformers import BertTokenizer, pipeline

import hf_xfmr
from hf_xfmr.commands import fill
from hf_xfmr.errors import UserError
from hf_xfmr.tasks.compare import compare
from hf_xfmr.tasks.pretraining import data
from hf_xfmr.tasks.pretraining.filler import Filler
from hf_xfmr.tasks.pretraining.masking import IGNORE
from hf_xfmr.tasks.pretraining.metrics import evaluate

SMALL = {
    "vocab_size": 300,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}
FAST = ["--bf16", "false", "--disable_tqdm", "true", "--per_device_train_batch_size", "16", "--learning_rate", "1e-2"]


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> Path:
    """Documents in which every word is followed by its like, so that a masked word can be told."""
    draw = np.random.default_rng(0)
    subjects = ["房间很大", "服务很好", "书不好看", "电池太小", "位置方便"]
    lines = []
    for number in range(300):
        one = str(draw.choice(subjects))
        lines.append("。".join([one] * int(draw.integers(2, 5))) + f"。{number}。")
    file = tmp_path_factory.mktemp("texts") / "corpus.txt"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def trained(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("pretrained") / "run"
    return folder, run(texts, folder, "--num_train_epochs", "15", "--model_config", json.dumps(SMALL))


def run(texts, folder, *flags) -> dict:
    return pretrain_bert.main(["--dataset", str(texts), "--lines", "true", "--output_dir", str(folder), *FAST, *flags])


def rows_of(texts, nsp: bool, packing: bool = False):
    letters = sorted({character for character in texts.read_text(encoding="utf-8") if character.strip()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(vocabulary)}, model_max_length=32)
    settings = data.PretrainingSettings(lines=True, nsp=nsp, packing=packing)
    made = data.pretraining(str(texts), tokenizer, settings, max_positions=32, seed=0)
    return made.splits["train"], data.PretrainingCollator(tokenizer)


@pytest.mark.parametrize("pack", [True, False], ids=["unpadded", "padded"])
@pytest.mark.parametrize("training", [True, False])
def test_losses_and_gradients_of_both_tasks_are_those_of_stock(tmp_path, texts, pack, training):
    """On the rows and masks that the recipe draws."""
    stock = tiny_stock(transformers.BertForPreTraining, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    stock.save_pretrained(tmp_path)
    ours = hf_xfmr.XfmrBertForPreTraining.from_pretrained(tmp_path)
    rows, collate = rows_of(texts, nsp=True)
    batch = collate([rows[i] for i in range(12)])
    assert not batch["attention_mask"].all()
    assert set(batch["next_sentence_label"].tolist()) >= {0, 1}
    results = []
    for model, kwargs in ((ours, {"pack": pack}), (stock, {})):
        out = model.train(training)(**batch, **kwargs)
        out.loss.backward()
        results.append(out)
    same_as_stock(results[0].loss, results[1].loss)
    same_gradients(ours, stock)


def test_packed_texts_have_the_losses_and_gradients_of_stock_on_each_text_alone(tmp_path, texts):
    stock = tiny_stock(transformers.BertForMaskedLM, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    stock.save_pretrained(tmp_path)
    ours = hf_xfmr.XfmrBertForMaskedLM.from_pretrained(tmp_path)
    rows, collate = rows_of(texts, nsp=False, packing=True)
    batch = collate([one for one in rows if (one["position_ids"] == 0).sum() > 1][:4])
    loss = ours.train()(**batch).loss
    loss.backward()

    asked = int((batch["labels"] != IGNORE).sum())
    total = torch.zeros(())
    for row in range(4):
        real = batch["attention_mask"][row] == 1
        starts = (batch["position_ids"][row][real] == 0).nonzero().flatten().tolist()
        assert len(starts) > 1
        for start, stop in zip(starts, [*starts[1:], int(real.sum())], strict=True):
            labels = batch["labels"][row, start:stop]
            if (labels != IGNORE).any():
                ids = batch["input_ids"][row, start:stop]
                total = total + stock.train()(ids[None], labels=labels[None]).loss * (labels != IGNORE).sum()
    (total / asked).backward()
    same_as_stock(loss, total / asked)
    same_gradients(ours, stock)


def test_figures_do_not_depend_on_the_batch_size_and_are_the_models_loss(texts):
    torch.manual_seed(0)
    model = hf_xfmr.XfmrBertForPreTraining(hf_xfmr.XfmrBertConfig(**SMALL)).eval()
    rows, collate = rows_of(texts, nsp=True)
    small, large = (evaluate(model, rows, collate, batch_size=size) for size in (3, 500))
    assert small == pytest.approx(large, rel=1e-5)
    with torch.no_grad():
        assert large["loss"] == pytest.approx(float(model(**collate(list(rows))).loss), rel=1e-5)
    assert large["perplexity"] == pytest.approx(np.exp(large["mlm_loss"]))


def test_a_run_from_scratch_learns_both_tasks_and_reports_them(trained):
    folder, metrics = trained
    figures = metrics["validation"]
    assert figures["mlm_accuracy"] > 0.4
    assert figures["pairs"] > 20
    assert 0 < figures["nsp_accuracy"] < 1
    assert figures["loss"] == pytest.approx(figures["mlm_loss"] + figures["nsp_loss"])
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["metrics"]["validation"] == figures
    assert "perplexity" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_run_that_is_stopped_and_resumed_ends_with_the_same_bits(tmp_path, texts):
    """In the middle of an epoch, too: a row's masks depend on seed, epoch and row, not on what was drawn before."""
    flags = ["--model_config", json.dumps(SMALL), "--num_train_epochs", "2", "--eval_strategy", "no"]
    flags += ["--save_strategy", "steps", "--save_steps", "25", "--save_total_limit", "5"]
    run(texts, tmp_path / "whole", *flags)
    checkpoint = tmp_path / "whole" / "checkpoint-25"
    run(texts, tmp_path / "again", *flags, "--resume_from_checkpoint", str(checkpoint))
    whole, again = tensors(tmp_path / "whole"), tensors(tmp_path / "again")
    assert all(torch.equal(whole[name], again[name]) for name in whole)  # on one processor, with as many threads


def test_going_on_streamed_packed_and_without_next_sentences(tmp_path, texts, trained):
    flags = ["--model", str(trained[0]), "--nsp", "false", "--packing", "true", "--streaming", "true"]
    metrics = run(texts, tmp_path / "on", *flags, "--max_steps", "5", "--eval_strategy", "no")
    assert "nsp_accuracy" not in metrics["validation"]
    assert metrics["validation"]["mlm_accuracy"] > 0.25
    assert (tmp_path / "on" / "model.safetensors").exists()


def test_what_was_pretrained_is_what_classification_starts_from(tmp_path, trained):
    rows = [f"{text},{label}" for text, label in [("房间很大。", "a"), ("书不好看。", "b")] * 60]
    extra = [f"{text}第{i}次,{label}" for i in range(60) for text, label in [("房间很大", "a"), ("书不好看", "b")]]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows, *extra]), encoding="utf-8")
    flags = ["--dataset", str(tmp_path / "rows.csv"), "--model", str(trained[0]), "--output_dir", str(tmp_path / "c")]
    metrics = classify_bert.main([*flags, *FAST, "--num_train_epochs", "2", "--baseline", "false"])
    assert metrics["test"]["accuracy"] > 0.9
    settings = json.loads((tmp_path / "c" / "config.json").read_text(encoding="utf-8"))
    assert settings["hidden_size"] == 32


@pytest.mark.slow
def test_several_seeds_and_that_two_have_no_rows_in_common(tmp_path, texts, capsys):
    flags = ["--model_config", json.dumps(SMALL), "--max_steps", "4", "--seeds", "1", "2"]
    metrics = run(texts, tmp_path / "out", *flags)
    assert "mlm_loss" in metrics["validation"]
    assert "mean ± standard deviation over 2 seeds" in capsys.readouterr().out
    with pytest.raises(UserError, match="fine-tune from both of them"):
        compare(tmp_path / "out" / "seed-1", tmp_path / "out" / "seed-2")


def test_settings_that_contradict_are_refused(tmp_path, texts):
    with pytest.raises(UserError, match="model and tokenizer are both given"):
        run(texts, tmp_path / "a", "--model", "x", "--tokenizer", "wordpiece")
    with pytest.raises(UserError, match="streaming needs max_steps"):
        run(texts, tmp_path / "a", "--streaming", "true")


TEXT = "房间很[MASK]。[MASK]间很大。"


def test_fill_gives_probabilities_of_each_mask_as_the_stock_pipeline_does(trained, capsys):
    fill.run(argparse.Namespace(model=str(trained[0]), texts=[TEXT], top_k=3, engine=None))
    answer = json.loads(capsys.readouterr().out)
    best = [one[0]["token"] for one in answer["masks"]]
    assert answer["filled"] == TEXT.replace("[MASK]", best[0], 1).replace("[MASK]", best[1], 1)
    stock = pipeline("fill-mask", str(trained[0]), top_k=3)(TEXT)
    for ours, theirs in zip(answer["masks"], stock, strict=True):
        assert [one["token"] for one in ours] == [one["token_str"] for one in theirs]
        assert [one["probability"] for one in ours] == pytest.approx([one["score"] for one in theirs], abs=1e-5)


@pytest.mark.parametrize(
    ("text", "top_k", "message"),
    [("很好", 5, "has no .MASK. to fill in"), ("[MASK]" * 40, 5, "is 42 tokens"), ("[MASK]", 0, "top_k is 0")],
)
def test_fill_refuses_what_it_cannot_do(trained, text, top_k, message):
    with pytest.raises(UserError, match=message):
        Filler(str(trained[0]))(text, top_k=top_k)


@pytest.mark.slow
def test_stock_reads_the_folder_in_a_new_process(trained):
    code = f"""
from transformers import BertForPreTraining, PreTrainedTokenizerFast
model = BertForPreTraining.from_pretrained({str(trained[0])!r})
tokenizer = PreTrainedTokenizerFast.from_pretrained({str(trained[0])!r})
out = model(**tokenizer("房间很[MASK]。", return_tensors="pt"))
print(tokenizer.convert_ids_to_tokens(int(out.prediction_logits[0, 4].argmax())))
"""
    ((best,),) = Filler(str(trained[0]))("房间很[MASK]。", top_k=1)["masks"]
    assert fresh_process(code, without_package=True).strip() == best["token"]
