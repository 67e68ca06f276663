"""Documents packed into blocks, and what a model makes of them: nothing lost, nothing seen that should not be."""

import json
import math
import re
from copy import deepcopy
from itertools import chain, pairwise

import numpy as np
import pytest
import torch
from oracles import same_to_rounding, tiny_stock, twin
from transformers import (
    DataCollatorForLanguageModeling,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from hf_xfmr import XfmrGPT2ForCausalLM, tokenizer
from hf_xfmr.errors import UserError
from hf_xfmr.splits import split_of
from hf_xfmr.tasks.language_modeling.data import LanguageModelingSettings, language_modeling
from hf_xfmr.tasks.language_modeling.metrics import evaluate
from hf_xfmr.tasks.language_modeling.pack import LanguageModelingCollator
from hf_xfmr.training import XfmrTrainer, XfmrTrainingArguments

LETTERS = "abcdefgh 春眠不觉晓"
BLOCK = 16


def texts(n: int = 60, longest: int = 50, seed: int = 0) -> list[str]:
    draw = np.random.default_rng(seed)
    return ["x" + "".join(draw.choice(list(LETTERS), draw.integers(0, longest))) + "x" for _ in range(n)]


@pytest.fixture(scope="module")
def letters() -> PreTrainedTokenizerFast:
    """A token for each character."""
    return tokenizer.train(["x" + LETTERS], "char", model_max_length=40)


@pytest.fixture(scope="module")
def stock(letters) -> GPT2LMHeadModel:
    return tiny_stock(GPT2LMHeadModel, vocab_size=len(letters), bos_token_id=0, eos_token_id=0)


@pytest.fixture(scope="module")
def model(stock) -> XfmrGPT2ForCausalLM:
    return twin(XfmrGPT2ForCausalLM, stock)


def write(path, lines):
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def corpus(tmp_path, letters, documents=None, **settings):
    name = write(tmp_path / "corpus.txt", texts() if documents is None else documents)
    settings = {"lines": True, "block_size": BLOCK, **settings}
    return language_modeling(name, letters, LanguageModelingSettings(**settings), max_positions=40)


def log_likelihoods(model, ids) -> torch.Tensor:
    """Of each token but the first, from those before it alone: float64, no batch, no packing, no Trainer."""
    logits = model(torch.as_tensor([ids], dtype=torch.int64), use_cache=False).logits[0]
    return torch.log_softmax(logits.double(), -1)[range(len(ids) - 1), [*ids[1:]]]


def pieces_of(documents: list[list[int]], block: int) -> list[list[list[int]]]:
    """Blocks of pieces, filled token by token."""
    blocks: list[list[list[int]]] = [[]]
    for ids in documents:
        for place, token in enumerate(ids):
            if sum(map(len, blocks[-1])) == block:
                blocks.append([])
            if place == 0 or not blocks[-1]:
                blocks[-1].append([])
            blocks[-1][-1].append(token)
    return blocks


def split_up(row: dict) -> list[list[int]]:
    """The sequences of a block."""
    return [piece.tolist() for piece in np.split(row["input_ids"], np.cumsum(row["lengths"])[:-1])]


@pytest.mark.parametrize("packing", ["documents", "concatenate"])
def test_no_token_is_lost_moved_or_predicted_twice(tmp_path, letters, packing):
    data = corpus(tmp_path, letters, packing=packing)
    end = letters.eos_token_id
    for split, blocks in data.splits.items():
        held = [text for text in texts() if split_of(text, 0.1, 0) == split]
        assert list(data.documents[split]) == held
        whole = [[*letters(text).input_ids, end] for text in held]
        stream = [*chain(*whole)]
        if packing == "concatenate":
            stream = stream[:-1]  # between documents only
        assert [*chain(*blocks["input_ids"])] == stream
        assert {len(ids) for ids in blocks["input_ids"][:-1]} <= {BLOCK}
        expected = pieces_of(whole if packing == "documents" else [stream], BLOCK)
        assert blocks["lengths"][:] == [[len(piece) for piece in block] for block in expected]

        batch = LanguageModelingCollator(letters)([*blocks])
        predicted = sum(len(piece) - 1 for block in expected for piece in block)
        assert int((batch["labels"] != -100).sum()) == int((batch["labels"][:, 1:] != -100).sum()) == predicted
        line = f"{len(stream):,} tokens ({predicted:,} of them predicted) in {len(blocks):,} blocks"
        assert line in "".join(data.report)
        if packing == "documents":
            # Where documents begin is known from the text alone: a document is cut if a block ends inside it.
            starts = np.cumsum([0, *map(len, whole)])
            spans = [(b - 1) // BLOCK - a // BLOCK for a, b in pairwise(starts)]
            cut = [span for span in spans if span]
            line = f"{split}: {len(cut)} documents are cut by the ends of blocks, into {sum(cut) + len(cut)} pieces"
            assert line in data.report


def test_a_packed_block_gives_what_its_documents_give_alone(tmp_path, letters, model):
    blocks = corpus(tmp_path, letters, block_size=40).splits["train"]
    rows = [*blocks][-5:]
    assert len({len(row["input_ids"]) for row in rows}) == 2  # the last one is short: padding
    assert max(len(row["lengths"]) for row in rows) > 2
    batch = LanguageModelingCollator(letters)(rows)
    out = model(**batch)
    total, count = 0.0, 0
    for row, logits in zip(rows, out.logits, strict=True):
        real = logits[: len(row["input_ids"])].split(row["lengths"])
        for piece, packed in zip(split_up(row), real, strict=True):
            alone = model(torch.tensor([piece])).logits[0]
            same_to_rounding(packed, alone)
            total -= float(log_likelihoods(model, piece).sum())
            count += len(piece) - 1
    same_to_rounding(out.loss, total / count)
    one_text = LanguageModelingCollator(letters)([{**row, "lengths": [len(row["input_ids"])]} for row in rows])
    assert (model(**one_text).logits - out.logits).abs().max() > 0.1  # concatenated, documents do see one another


def test_the_end_of_a_text_is_learned_even_where_it_pads(tmp_path, letters, model):
    padded_by_end = tokenizer.train(["x" + LETTERS], "char", model_max_length=40)
    padded_by_end.pad_token = padded_by_end.eos_token
    documents = ["ab", "cdefab", "ab" * 20, "ab", "abab"]
    data = corpus(tmp_path, padded_by_end, documents, validation_fraction=0.0, block_size=30)
    batch = LanguageModelingCollator(padded_by_end)([*data.splits["train"]])
    end = padded_by_end.eos_token_id
    real = batch["attention_mask"] == 1
    assert not real.all()
    assert (batch["input_ids"][~real] == end).all()
    assert (batch["labels"][~real] == -100).all()
    assert int((batch["labels"] == end).sum()) == len(documents)

    torch.manual_seed(0)
    learner = XfmrGPT2ForCausalLM(model.config).train()
    optimizer = torch.optim.AdamW(learner.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        learner(**batch).loss.backward()
        optimizer.step()
    learner.eval()
    prompt = torch.tensor([padded_by_end("cdefa").input_ids])
    out = learner.generate(prompt, max_new_tokens=10, do_sample=False, eos_token_id=end, pad_token_id=end)
    assert padded_by_end.decode(out[0]) == "cdefab" + padded_by_end.eos_token


def evaluation_loss(trainer_class, arguments_class, model, rows, collate, batch_size, tmp_path) -> float:
    args = arguments_class(
        output_dir=str(tmp_path),
        per_device_eval_batch_size=batch_size,
        prediction_loss_only=True,
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        bf16=False,
        label_names=["labels"],
    )
    trainer = trainer_class(model, args, eval_dataset=rows, data_collator=collate)
    return trainer.evaluate()["eval_loss"]


def test_evaluation_loss_is_the_negative_log_likelihood_whatever_the_batch_size(tmp_path, letters, model, stock):
    data = corpus(tmp_path, letters, texts(20), validation_fraction=0.0)
    rows = data.splits["train"]
    pieces = [piece for row in rows for piece in split_up(row)]
    scores = torch.cat([log_likelihoods(model, piece) for piece in pieces])
    truth = -float(scores.mean())
    for batch_size in (1, 3, 8):
        loss = evaluation_loss(
            XfmrTrainer, XfmrTrainingArguments, model, rows, LanguageModelingCollator(letters), batch_size, tmp_path
        )
        same_to_rounding(loss, truth)

    # Stock, on the same sequences in rows of their own: a mean of batch means, of which each is over the wrong count.
    alone = [{"input_ids": piece, "attention_mask": [1] * len(piece)} for piece in pieces if len(piece) > 1]
    collate = DataCollatorForLanguageModeling(letters, mlm=False)
    theirs = [evaluation_loss(Trainer, TrainingArguments, stock, alone, collate, n, tmp_path) for n in (1, 3, 8)]
    print(f"\nnegative log-likelihood {truth:.4f}; stock Trainer at batch sizes 1, 3, 8: {theirs}")
    assert min(abs(loss - truth) for loss in theirs) > 0.01
    assert max(theirs) - min(theirs) > 0.01


class Gradients(TrainerCallback):
    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        self.found = {name: p.grad.clone() for name, p in model.named_parameters()}


def test_one_batch_of_8_and_8_of_1_give_the_same_gradients(tmp_path, letters, model):
    rows = [{"input_ids": letters(text).input_ids[:40]} for text in texts(8, seed=3)]
    rows = [{**row, "lengths": [len(row["input_ids"])]} for row in rows]
    assert len({row["lengths"][0] for row in rows}) > 4
    found = []
    for batch_size, steps in ((8, 1), (1, 8)):
        args = XfmrTrainingArguments(
            output_dir=str(tmp_path),
            per_device_train_batch_size=batch_size,
            gradient_accumulation_steps=steps,
            max_steps=1,
            max_grad_norm=0.0,
            eval_strategy="no",
            save_strategy="no",
            load_best_model_at_end=False,
            remove_unused_columns=False,
            bf16=False,
            use_cpu=True,
            report_to=[],
            disable_tqdm=True,
        )
        gradients = Gradients()
        collate = LanguageModelingCollator(letters)
        learner = deepcopy(model)
        XfmrTrainer(learner, args, train_dataset=rows, data_collator=collate, callbacks=[gradients]).train()
        found.append(gradients.found)
    same_to_rounding(found[0], found[1])


def strided_by_hand(model, ids: list[int], window: int, stride: int) -> list[float]:
    """Each token but the first, from the first of the windows (beginning at 0, stride, …) that predicts it."""
    scores = []
    for place in range(1, len(ids)):
        start = next(start for start in range(0, len(ids), stride) if place < start + window)
        scores.append(float(log_likelihoods(model, ids[start : place + 1])[-1]))
    return scores


@pytest.mark.parametrize("stride", [1, 4, 9])
def test_perplexity_is_the_brute_force_one_at_any_batch_size(letters, model, stock, stride):
    documents = ["", *texts(12)]
    ids = [[*letters(text).input_ids, letters.eos_token_id] for text in documents]
    figures = [
        evaluate(model, letters, documents, window=10, stride=stride, batch_size=batch_size) for batch_size in (1, 3, 8)
    ]
    for name in figures[0]:
        same_to_rounding(figures[0][name], figures[1][name], what=name)
        same_to_rounding(figures[0][name], figures[2][name], what=name)
    for prefix, step in (("", 9), ("strided_", stride)):
        scores = [score for document in ids for score in strided_by_hand(model, document, 10, step)]
        total = -math.fsum(scores)
        assert figures[0]["tokens"] == len(scores) == sum(len(document) - 1 for document in ids)
        same_to_rounding(figures[0][f"{prefix}loss"], total / len(scores))
        assert figures[0][f"{prefix}perplexity"] == pytest.approx(math.exp(total / len(scores)), rel=1e-5)
        rest = "".join(text[1:] for text in documents)
        same_to_rounding(figures[0][f"{prefix}bits_per_character"], total / math.log(2) / len(rest))
        same_to_rounding(figures[0][f"{prefix}bits_per_byte"], total / math.log(2) / len(rest.encode()))
    assert evaluate(stock, letters, documents, window=10, stride=stride) == pytest.approx(figures[0], rel=1e-5)


@pytest.mark.parametrize("packing", ["documents", "concatenate"])
@pytest.mark.parametrize("kind", ["txt", "jsonl", "csv"])
def test_streaming_gives_the_same_blocks_each_time(tmp_path, letters, packing, kind):
    name = str(tmp_path / f"corpus.{kind}")
    if kind == "txt":
        write(tmp_path / "corpus.txt", texts())
    elif kind == "jsonl":
        write(tmp_path / "corpus.jsonl", [json.dumps({"text": text, "n": i}) for i, text in enumerate(texts())])
    else:
        write(tmp_path / "corpus.csv", ["text", *(f'"{text}"' for text in texts())])
    common = {"lines": kind == "txt", "block_size": BLOCK, "packing": packing}
    held, streamed = (
        language_modeling(name, letters, LanguageModelingSettings(streaming=streaming, **common), max_positions=40)
        for streaming in (False, True)
    )
    for split in ("train", "validation"):
        blocks = [{"input_ids": row["input_ids"], "lengths": row["lengths"]} for row in held.splits[split]]
        assert [*streamed.splits[split]] == blocks
        assert [*streamed.splits[split]] == blocks  # and again
        assert list(streamed.documents[split]) == list(held.documents[split])


def test_one_long_text_holds_out_its_end_and_joined_documents_are_one(tmp_path, letters):
    text = "".join(texts(40))
    (tmp_path / "one.txt").write_text(text)
    data = language_modeling(str(tmp_path / "one.txt"), letters, LanguageModelingSettings(), max_positions=BLOCK)
    cut = int(len(text) * 0.9)
    assert [list(data.documents[split]) for split in ("train", "validation")] == [[text[:cut]], [text[cut:]]]
    assert f"validation: the last 10% of the text, {len(text) - cut} characters" in data.report

    joined = corpus(tmp_path, letters, ["ab", "cd", "ef", "gh"], join="\n\n", validation_fraction=0.25)
    assert [list(texts) for texts in joined.documents.values()] == [
        ["ab\n\ncd\n\nef"],
        ["\n\ngh"],
    ]


def test_where_documents_come_from(tmp_path, letters):
    settings = {"validation_fraction": 0.0}

    def documents(name, **more):
        data = language_modeling(str(name), letters, LanguageModelingSettings(**settings, **more), max_positions=BLOCK)
        return {split: list(found) for split, found in data.documents.items()}, data.report

    poems = tmp_path / "poems.txt"
    poems.write_text(
        "春眠不觉晓，\r\n处处闻啼鸟。\r\n --- \r\n夜来风雨声，\r\n花落知多少。\r\n---\r\n", encoding="utf-8"
    )
    found, report = documents(poems, separator="---")
    assert found == {"train": ["春眠不觉晓，\n处处闻啼鸟。", "夜来风雨声，\n花落知多少。"]}
    assert "left out of train: 1 text without a character" in report
    assert documents(poems, lines=True)[0]["train"][1] == "处处闻啼鸟。"
    assert documents(poems)[0]["train"] == [poems.read_bytes().decode()]

    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    for place, text in (("b.txt", "second\nline"), ("a.txt", "first"), ("inner/c.txt", "third")):
        (folder / place).write_text(text)
    assert documents(folder)[0] == {"train": ["first", "second\nline", "third"]}

    splits = tmp_path / "splits"
    splits.mkdir()
    for split in ("train", "valid", "test"):
        write(splits / f"{split}.txt", [f"{split} one", "", f"{split} two"])
    assert documents(splits, separator="")[0] == {
        split: [f"{stem} one", f"{stem} two"]
        for split, stem in (("train", "train"), ("validation", "valid"), ("test", "test"))
    }

    table = tmp_path / "table.jsonl"
    write(table, [json.dumps({"title": "t", "body": text}) for text in ("one", "two", "three")])
    assert documents(table, text_column="body", max_train_documents=2)[0] == {"train": ["one", "two"]}


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ({"name": "nowhere.txt"}, r"nowhere\.txt: there is no such text file"),
        ({"lines": False, "separator": "***"}, r'corpus\.txt: no line is "\*\*\*"'),
        ({"separator": "***"}, "lines and separator exclude one another"),
        ({"name": "table.csv"}, r"lines and separator are for \.txt files"),
        ({"name": "table.csv", "lines": False, "text_column": "body"}, 'text_column is "body".*it has "a", "b"'),
        ({"name": "table.csv", "lines": False}, "the text column could be"),
        ({"name": "bytes.txt"}, r"byte 128 \(line 2\) is not UTF-8, and no other encoding"),
        ({"name": "bytes.txt", "streaming": True}, r"byte 128 \(line 2\) is not UTF-8, and no other encoding"),
        ({"name": "empty.txt"}, "the file is empty"),
        ({"name": "folder", "lines": False}, "the folder has no train file"),
        ({"block_size": 41}, "block_size is 41; it is at least 2 and at most the model's 40 positions"),
        ({"packing": "chop"}, "packing is 'chop'; it can be documents or concatenate"),
        ({"validation_fraction": 1.0}, r"validation_fraction is 1\.0"),
        ({"max_train_documents": 0}, "at least 1"),
        ({"lines": False, "streaming": True}, "say what separates documents"),
        ({"streaming": True, "join": ""}, "leave one of them out"),
        ({"max_train_documents": 2}, "too few to carve"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, letters, case, message):
    write(tmp_path / "corpus.txt", texts())
    write(tmp_path / "table.csv", ["a,b", "a text of its own,and one more beside it"])
    (tmp_path / "bytes.txt").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "folder").mkdir()
    case = {"lines": True, **case}
    name = tmp_path / case.pop("name", "corpus.txt")

    def read():
        data = language_modeling(str(name), letters, LanguageModelingSettings(**case), max_positions=40)
        list(data.splits["train"])

    with pytest.raises(UserError) as caught:
        read()
    assert re.search(message, str(caught.value)), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"window": 41}, "window is 41"), ({"stride": 0}, "stride is 0"), ({"window": 8, "stride": 8}, "stride is 8")],
)
def test_windows_and_strides_that_cannot_be_are_refused(letters, model, options, message):
    with pytest.raises(UserError, match=message):
        evaluate(model, letters, texts(2), **options)
    with pytest.raises(UserError, match="no token to predict"):
        evaluate(model, letters, [""])
