"""The end of a run that answers questions: held-out questions answered, figures, files, report."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import PreTrainedConfig

from ...data.wording import opening
from ...report.figures import of_figures
from ...report.verdict.lines import lines
from ...run import lora
from ...run.console import say, say_how_to_try
from ...run.finish import save_and_report
from ...training import XfmrTrainer
from ...writing import whole
from . import metrics, verdict
from .answers import all_given, fitted_threshold, found_in
from .data import AnsweringData
from .spans import Given

WORST = 50  # questions that the report shows
AROUND = 200  # characters of a context that it shows before and behind the answers


def finish(
    trainer: XfmrTrainer, settings: Any, corpus: AnsweringData, seconds: float, against: dict | None
) -> dict[str, dict[str, float]]:
    """Answer validation and test, fit when there is no answer on validation, print the result, and save predictions,
    model and report. Returns the metrics."""
    folder = Path(str(trainer.args.output_dir))
    results: dict[str, dict[str, float]] = {}
    record: dict[str, Any] = {}
    trainer.compute_metrics = None
    shown: str | None = None  # the split that is spoken of: the last
    answers: list[Given] = []
    threshold = 0.0 if corpus.may_be_none else None
    for split in [split for split in ("validation", "test") if split in corpus.splits]:
        shown, rows = split, corpus.questions[split]
        gold = rows["answers"][:]
        found = found_in(trainer.predictions(corpus.splits[split]), corpus, split)
        if split == "validation" and corpus.may_be_none:
            threshold = fitted_threshold(found, corpus, split)
            say(
                f"no answer is given where it scores more than {threshold:.2f} above the best one, fitted on validation"
            )
        answers = all_given(found, corpus, split, threshold)
        each = metrics.scores(corpus.metric, gold, [one.text for one in answers])
        results[split] = dict(metrics.answer_metrics(gold, each))
        record = {
            "worst_answers": worst(rows, answers, each),
            "split": split,
            "rows": len(rows),
            "headline": verdict.headline(each),
        }
        if trainer.is_world_process_zero():
            _write(folder / f"answers-{split}.jsonl", rows, answers, each)
    measured = against if shown == "test" else None
    history, arguments = trainer.state.log_history, trainer.args.to_dict()
    judged = verdict.of_run(corpus.questions, shown, [one.text for one in answers], corpus.metric, history, arguments)
    on = f"; on {shown}, {len(corpus.questions[shown]):,} questions:" if shown else ""
    say(*lines(judged), f"trained in {seconds:.0f} s{on}")
    if shown:
        say(*of_figures(results[shown], measured))
    config = lora.within(trainer.accelerator.unwrap_model(trainer.model)).config
    assert isinstance(config, PreTrainedConfig)
    config.update({"no_answer_threshold": threshold})
    corpus.tokenizer.model_max_length = corpus.text_window["max_length"]  # others read rows as long
    save_and_report(
        trainer,
        settings,
        tokenizer=corpus.tokenizer,
        metrics=results,
        seconds=seconds,
        data=corpus.report,
        columns={"text": "question", "text_pair": "context"},
        answer_metric=corpus.metric,
        no_answer_threshold=threshold,
        verdict=judged,
        baseline=against,
        **record,
    )
    first = corpus.questions["train"][0]
    how = ["--question", opening(first["text"]), "--context", opening(first["text_pair"], 300)]
    say_how_to_try("predict", str(folder), *how)
    return results | ({"baseline": against["test"]} if against else {})


def _write(path: Path, rows: Dataset, answers: Sequence[Given], each: np.ndarray) -> None:
    """One JSON line a question: id, question, context, gold answers, what is answered and where, and its figures."""
    with whole(path) as aside, aside.open("w", encoding="utf-8") as file:
        for row, one, (exact, f1) in zip(rows, answers, each.tolist(), strict=True):
            line = {"id": row["id"], "question": row["text"], "context": row["text_pair"], "gold": row["answers"]}
            line |= {"answer": one.text, "start": one.start, "end": one.end, "probability": round(one.probability, 6)}
            spans = one.found.spans
            line |= {"score": spans[0].score if spans else None, "no_answer_score": one.found.null}
            file.write(json.dumps({**line, "exact_match": exact, "f1": f1}, ensure_ascii=False) + "\n")


def worst(rows: Dataset, answers: Sequence[Given], each: np.ndarray) -> list[dict]:
    """The questions answered worst, the surest mistakes first: what was asked, and the context around the answers with
    the gold one (`missed`) and the one given (`wrong`) marked, as the report shows them."""
    places: list[int] = np.flatnonzero(each[:, 1] < 1).tolist()
    order = sorted(places, key=lambda place: (each[place, 1], -answers[place].probability))
    return [_shown(rows[place], answers[place], float(each[place, 1])) for place in order[:WORST]]


def _shown(row: dict, one: Given, f1: float) -> dict:
    gold = [[start, start + len(text)] for start, text in zip(row["starts"], row["answers"], strict=True)]
    given = [] if one.start is None or one.end is None else [[one.start, one.end]]
    context = row["text_pair"]
    edges = [edge for span in (*gold, *given) for edge in span]
    low = max(0, min(edges, default=0) - AROUND)
    high = min(len(context), max(edges, default=2 * AROUND) + AROUND)
    return {
        "id": row["id"],
        "question": row["text"],
        "gold": list(dict.fromkeys(row["answers"])),
        "answer": one.text,
        "probability": one.probability,
        "f1": f1,
        "text": ("…" if low else "") + context[low:high] + ("…" if high < len(context) else ""),
        **{
            kind: [{"at": [start - low + bool(low), end - low + bool(low)]} for start, end in spans]
            for kind, spans in (("missed", gold), ("wrong", given))
        },
    }
