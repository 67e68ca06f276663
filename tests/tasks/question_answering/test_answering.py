"""The recipe that answers questions, run as a user runs it on small files."""

import argparse
import json
import random
import shutil
from pathlib import Path

import answer_bert
import numpy as np
import pandas as pd
import pytest
from oracles import fresh_process
from small_checkpoints import said
from transformers import AutoTokenizer

from hf_xfmr.api.runs import load as load_run
from hf_xfmr.check.file import check_file
from hf_xfmr.commands import predict
from hf_xfmr.errors import UserError
from hf_xfmr.export import export
from hf_xfmr.tasks.compare import compare
from hf_xfmr.tasks.question_answering import data, metrics, spans
from hf_xfmr.tasks.question_answering.answerer import Answerer
from hf_xfmr.tasks.question_answering.settings import AnsweringSettings
from hf_xfmr.tasks.question_answering.windows import Windows, ends_of

SMALL = {
    "vocab_size": 90,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "hidden_dropout_prob": 0.0,
}
FILLER = ["and", "or", "but", "so", "yet", "nor", "then", "now"]
THINGS = ["Apple", "Pear", "Plum", "Fig", "Lime", "Kiwi"]


def asked(number: int, *, words: int = 14, draw: random.Random) -> dict:
    """What follows "buy" is the answer; a third of the contexts has none."""
    context = draw.choices(FILLER, k=words)
    answer = None
    if number % 3:
        place = draw.randrange(words - 2)
        answer = draw.choice(THINGS)
        context[place : place + 2] = ["buy", answer]
    text = " ".join(context)
    answers = [] if answer is None else [{"text": answer, "answer_start": text.index(answer)}]
    return {"context": text, "qas": [{"id": f"q{number}", "question": "what to buy?", "answers": answers}]}


@pytest.fixture(scope="module")
def squad(tmp_path_factory) -> Path:
    folder, draw = tmp_path_factory.mktemp("squad"), random.Random(0)
    for name, start, count in (("train", 0, 300), ("dev", 1000, 60), ("test", 2000, 60)):
        paragraphs = [asked(start + number, draw=draw) for number in range(count)]
        whole = {"version": "v2.0", "data": [{"title": "fruit", "paragraphs": paragraphs}]}
        (folder / f"{name}.json").write_text(json.dumps(whole))
    return folder


def flags(squad, folder, *more) -> list[str]:
    given = ["--dataset", squad, "--model_config", json.dumps(SMALL), "--output_dir", folder]
    given += ["--per_device_train_batch_size", 16, "--learning_rate", "1e-2", "--report_to", "none"]
    return [*map(str, [*given, "--bf16", "false", "--disable_tqdm", "true", *more])]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, squad):
    folder = tmp_path_factory.mktemp("answers") / "run"
    return folder, answer_bert.main(flags(squad, folder, "--num_train_epochs", 6))


CONTEXT = "and so buy Fig now then"


def test_a_run_ends_with_figures_predictions_and_a_report(trained):
    folder, figures = trained
    assert figures["test"]["f1"] > 0.95
    assert figures["test"]["no_answer_right"] > 0.9
    assert figures["baseline"]["exact_match"] == 0
    lines = [json.loads(line) for line in (folder / "answers-test.jsonl").open(encoding="utf-8")]
    each = metrics.scores("squad", [one["gold"] for one in lines], [one["answer"] for one in lines])
    assert each.mean(0) == pytest.approx([figures["test"]["exact_match"], figures["test"]["f1"]])
    assert all(one["answer"] is None or one["context"][one["start"] : one["end"]] == one["answer"] for one in lines)
    run = json.loads((folder / "run.json").read_text())
    assert run["verdict"]["sentence"].startswith("Better than the sentence with most words of the question")
    assert "Answering questions" in (folder / "report.html").read_text(encoding="utf-8")
    assert "pipeline_tag: question-answering" in (folder / "README.md").read_text(encoding="utf-8")


def test_predict_answers_a_question_and_a_file_of_them(trained, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    predict.add_arguments(parser)

    def asked(*words: object) -> list[dict]:
        predict.run(parser.parse_args([str(trained[0]), *map(str, words)]))
        return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]

    (one,) = asked("--question", "what to buy?", "--context", CONTEXT)
    assert (one["answer"], one["start"], one["end"]) == ("Fig", 11, 14)
    assert one["probability"] > 0.5 > one["no_answer_probability"]
    (none,) = asked("--question", "what to buy?", "--context", "and so now then")
    assert (none["answer"], none["start"]) == (None, None)
    assert none["others"][0]["answer"] in "and so now then"
    rows = pd.DataFrame({"question": "what to buy?", "context": [CONTEXT, "and so", ""]})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(UserError, match=r"1 row has an `error` and no answer: row 2 \(no text\)"):
        asked("--file", tmp_path / "rows.csv", "--out", tmp_path / "out.csv")
    written = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    assert written["answer"].to_list() == ["Fig", "", ""]
    with pytest.raises(UserError, match="1 row has an `error`"):
        asked("--file", tmp_path / "rows.csv", "--out", tmp_path / "out.parquet")
    assert pd.read_parquet(tmp_path / "out.parquet")["start"][0] == 11
    whole = {"context": CONTEXT, "qas": [{"id": "one", "question": "what to buy?"}]}
    (tmp_path / "asked.json").write_text(json.dumps({"version": "v2.0", "data": [{"paragraphs": [whole]}]}))
    (one,) = asked("--file", tmp_path / "asked.json")
    assert (one["id"], one["answer"]) == ("one", "Fig")
    run = load_run(trained[0])
    frame = run.predict(rows[:2])
    assert frame["answer"].fillna("").to_list() == ["Fig", ""]
    with pytest.raises(UserError, match=r"was given texts alone: give --question and --context, or a --file with"):
        asked("what to buy?")
    with pytest.raises(UserError, match="--question and --context go together"):
        asked("--question", "what?")


def test_a_context_of_many_rows_is_read_whole(trained):
    """Its answer stands behind what a row has room for, and again at its very end."""
    answerer = Answerer(str(trained[0]))
    assert answerer.text_window["max_length"] == 40
    for before, after in ((200, 50), (333, 0)):
        context = " ".join([*(FILLER * 60)[:before], "buy", "Kiwi", *(FILLER * 60)[:after]])
        (answer,) = answerer(["what to buy?"], [context])
        assert (answer["answer"], answer["start"]) == ("Kiwi", context.index("Kiwi"))
    (long,) = answerer(["what to buy now? " * 30], [" ".join(FILLER * 20)])
    assert long["error"].startswith("the question has 150 tokens, more than half of a row of 40: shorten it")


def alike(folders: list) -> None:
    """Each of the folders answers as the first."""
    contexts = [CONTEXT, " ".join([*FILLER * 30, "buy", "Lime"])]
    found = [list(Answerer(str(one))(["what to buy?"] * 2, contexts)) for one in folders]
    for other in found[1:]:
        assert [one["answer"] for one in other] == ["Fig", "Lime"]
        for mine, theirs in zip(found[0], other, strict=True):
            assert theirs["probability"] == pytest.approx(mine["probability"], abs=1e-4)


def test_stock_classes_answer_alike(trained, tmp_path):
    stock, _ = export(trained[0], out=tmp_path / "stock")
    code = f"""
from transformers import AutoModelForQuestionAnswering, AutoTokenizer
model, tokenizer = (c.from_pretrained({str(stock)!r}) for c in (AutoModelForQuestionAnswering, AutoTokenizer))
given = tokenizer("what to buy?", {CONTEXT!r}, return_tensors="pt")
out = model(**given)
ids = given.input_ids[0, out.start_logits.argmax() : out.end_logits.argmax() + 1]
print(type(model).__name__, tokenizer.decode(ids))
"""
    assert fresh_process(code, without_package=True).split() == ["BertForQuestionAnswering", "Fig"]
    alike([trained[0], stock])


@pytest.mark.slow
def test_an_onnx_graph_answers_alike(trained, tmp_path):
    onnx, notes = export(trained[0], to="onnx", out=tmp_path / "onnx")
    assert any("outputs start_logits, end_logits" in one for one in notes)
    alike([trained[0], onnx])


@pytest.mark.slow
def test_two_runs_are_told_apart_and_a_stopped_one_goes_on(trained, squad, tmp_path, capsys):
    folder, few = tmp_path / "short", ["--max_steps", 8, "--save_steps", 4, "--save_strategy", "steps"]
    few += ["--eval_strategy", "no"]
    whole = answer_bert.main(flags(squad, tmp_path / "whole", *few))
    shutil.copytree(tmp_path / "whole", folder)
    shutil.rmtree(folder / "checkpoint-8")
    for path in [*folder.glob("*.safetensors"), folder / "run.json"]:
        path.unlink()
    again = answer_bert.main(flags(squad, folder, *few))
    assert again == whole
    assert (folder / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()
    found = compare(folder, trained[0])
    assert found["kind"] == "question_answering"
    assert [one["name"] for one in found["figures"]] == ["answer_f1", "exact_match"]
    assert found["figures"][0]["b"] == pytest.approx(trained[1]["test"]["f1"])


def test_a_bare_file_is_known_as_questions(squad, capsys):
    check_file(str(squad))
    said = capsys.readouterr().out
    assert "problem: answering questions by a part of their context" in said
    assert "train answer --dataset" in said


def test_settings_that_can_not_be(squad, tmp_path, capsys):
    for more, message in (
        (["--faulty_answers", "guess"], 'faulty_answers is "guess"; it can be error, mend, leave_out'),
        (["--answer_metric", "bleu"], 'answer_metric is "bleu"; it can be auto, squad, cmrc'),
        (["--max_length", "41"], "max_length is 41, more than the model's 40 positions: lower it"),
        (["--max_length", "12", "--window_stride", "30"], "window_stride 30 is no less than the 5 tokens that a row"),
        (
            ["--max_length", "8"],
            'train row 0 (counted from 0), "what to buy?": the question has 4 tokens, more than half',
        ),
    ):
        error = said(capsys, lambda more=more: answer_bert.main(flags(squad, tmp_path / "no", *more)))
        assert message in error


def corpus_of(tokenizer, squad, **more):
    settings = AnsweringSettings(**more)
    return data.answering(str(squad), tokenizer, settings, max_positions=40)


def test_every_answer_is_marked_in_a_window_that_holds_it(trained, squad):
    """What the marked tokens of a window say is the answer, and windows without it point at [CLS]."""
    tokenizer = AutoTokenizer.from_pretrained(trained[0])
    corpus = corpus_of(tokenizer, squad, max_length=16, window_stride=4)
    questions, seen = corpus.questions["train"], set()
    for row in corpus.splits["train"]:
        asked = questions[row["question"]]
        start, end = row["start_positions"], row["end_positions"]
        if start == 0:
            assert end == 0
            continue
        first, last = start - row["first"], end - row["first"]
        assert asked["text_pair"][row["starts"][first] : row["ends"][last]] == asked["answers"][0]
        seen.add(row["question"])
    assert seen == {number for number, one in enumerate(questions["answers"][:]) if one}
    assert any("contexts are longer than a row of 16 tokens" in line for line in corpus.report)
    assert not any("whole in no window" in line for line in corpus.report)


def test_the_best_span_of_all_windows_is_found_as_by_trying_every_one(trained):
    tokenizer = AutoTokenizer.from_pretrained(trained[0])
    context = " ".join((FILLER + THINGS) * 3)
    (made,) = Windows(tokenizer, max_length=24, overlap=6)(["what to buy?"], [context])
    draw = np.random.default_rng(0)
    for _ in range(20):
        logits = [draw.normal(size=(len(one.ids), 2)).astype(np.float32) for one in made]
        best: dict = {}
        for window, one in zip(made, logits, strict=True):
            own = one[window.first : window.first + len(window.starts)]
            for i in range(len(own)):
                for j in range(i, min(i + 5, len(own))):
                    place = (window.starts[i], window.ends[j])
                    best[place] = max(best.get(place, -np.inf), float(own[i, 0] + own[j, 1]))
        found = spans.find(context, made, logits, max_answer_length=5)
        place = max(best, key=best.get)
        assert (found.spans[0].start, found.spans[0].end) == place
        assert found.null == pytest.approx(min(float(one[0].sum()) for one in logits), rel=1e-6)
    assert ends_of(made[1], 0, 3) is None


def test_the_threshold_is_the_best_of_all():
    draw = np.random.default_rng(0)
    for count in (1, 2, 50):
        margins = draw.normal(size=count).round(1)
        answered, unanswered = draw.random(count), (draw.random(count) < 0.4).astype(float)

        def figure(threshold, margins=margins, answered=answered, unanswered=unanswered):
            return np.where(margins <= threshold, answered, unanswered).mean()

        found = spans.best_threshold(margins, answered, unanswered)
        assert figure(found) == pytest.approx(max(figure(one) for one in [*margins, margins.min() - 1]))
