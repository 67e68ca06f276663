"""The parts of a tagging run: the model its settings ask for, its trainer, and what it ends with."""

import csv
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...data.wording import opening
from ...errors import UserError
from ...report.figures import of_figures
from ...report.verdict.lines import lines
from ...run import defaults, encoders, loading, lora, ranges
from ...run.console import say, say_how_to_try
from ...run.finish import save_and_report
from ...run.starting_point import check_origin
from ...training import XfmrTrainer, XfmrTrainingArguments
from ...writing import whole
from . import baseline as tagging_baseline
from . import verdict
from .alignment import word_tags
from .data import TaggingData
from .encode import TaggingCollator
from .metrics import TYPES, WHOLE, format_table, most, per_type, tagging_metrics
from .new_weights import STEPS, new_model
from .schemes import entities

WORST = 50  # sentences that the report shows


@dataclass(kw_only=True)
class ModelSettings(encoders.EncoderSettings):
    """Which model, and what it is compared with."""

    baseline: str = field(
        default="dictionary",
        metadata={"help": "What the result is compared with: dictionary (entities of train), crf or none"},
    )


def check(settings: ModelSettings) -> None:
    """Refuse settings that contradict one another. Raises `UserError`."""
    check_origin(settings, "model_config")
    lora.check(settings)
    if settings.baseline not in tagging_baseline.BASELINES:
        raise UserError(f"baseline is '{settings.baseline}'; it can be {', '.join(tagging_baseline.BASELINES)}")


def build_model(settings: ModelSettings, config: Any, corpus: TaggingData):
    """A token classifier of the config's kind with the corpus's BIO labels, from the checkpoint or from scratch."""
    names = corpus.label_names
    config.update({"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}})
    tagger = encoders.model_class(config, "AutoModelForTokenClassification")
    if settings.model:
        model = loading.to_train(tagger, settings.model, config=config, head="classifier")
        return lora.adapt(model, settings, targets=("query", "key", "value"), task="TOKEN_CLS")
    config.update({"vocab_size": len(corpus.tokenizer), "pad_token_id": corpus.tokenizer.pad_token_id})
    return new_model(tagger, config)


def make_trainer(
    args: XfmrTrainingArguments, model, corpus: TaggingData, *, made: type[XfmrTrainer] = XfmrTrainer
) -> XfmrTrainer:
    """A trainer that keeps predicted labels, not logits, and evaluates whole sentences."""
    args.remove_unused_columns = False  # the collator leaves behind what the model does not read
    defaults.settle(args, model, len(corpus.splits["train"]), lora=lora.is_adapted(model), new_steps=STEPS)
    defaults.best_by(args, "f1", lower=False)
    ranges.check_best(args, tagging_metrics([["B-X"]], [["B-X"]]))
    ranges.check_held_out(args, corpus.splits)
    trainer = made(
        model,
        args,
        train_dataset=corpus.splits["train"],
        eval_dataset=corpus.splits["validation"] if args.eval_strategy != "no" else None,
        data_collator=TaggingCollator(corpus.tokenizer),
        preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(-1),
        compute_metrics=lambda outcome: tagging_metrics(
            corpus.sentences["validation"]["tags"][:], sentence_tags(outcome.predictions, corpus, "validation")
        ),
    )
    trainer.held_out = corpus.held_out()
    return trainer


def sentence_tags(labels: np.ndarray, corpus: TaggingData, split: str) -> list[list[str]]:
    """The BIO tags of each sentence's words, from the predicted labels [rows, T] of its rows."""
    words: dict[int, list[int]] = defaultdict(list)
    tags: dict[int, list[str]] = defaultdict(list)
    rows = corpus.splits[split]
    for predicted, word, sentence in zip(labels, rows["word"][:], rows["sentence"][:], strict=True):
        words[sentence] += word
        tags[sentence] += [corpus.label_names[label] for label in predicted[1 : 1 + len(word)]]  # behind [CLS]
    lengths = [len(tokens) for tokens in corpus.sentences[split]["tokens"][:]]
    return [word_tags(words[number], tags[number], length) for number, length in enumerate(lengths)]


def fit_baseline(settings: ModelSettings, corpus: TaggingData) -> dict | None:
    """The baseline's name, its tags of the test sentences and their metrics; None without test sentences."""
    if settings.baseline == "none" or "test" not in corpus.sentences:
        return None
    train, test = corpus.sentences["train"], corpus.sentences["test"]
    name, tags = tagging_baseline.predict(settings.baseline, train["tokens"][:], train["tags"][:], test["tokens"][:])
    return {"name": name, "tags": tags, "test": tagging_metrics(test["tags"][:], tags)}


def finish(
    trainer: XfmrTrainer,
    settings: ModelSettings,
    corpus: TaggingData,
    seconds: float,
    against: dict | None,
    **more: Any,
) -> dict[str, dict[str, float]]:
    """Tag validation and test, print the result, and save predictions, model and report, with
    `more` entries of run.json. Returns the metrics."""
    folder = Path(str(trainer.args.output_dir))
    results: dict[str, dict[str, float]] = {}
    record = {}
    trainer.compute_metrics = None
    shown: str | None = None  # the split that is spoken of: the last
    tags: list[list[str]] = []
    for split in [split for split in ("validation", "test") if split in corpus.splits]:
        shown = split
        tags = sentence_tags(np.asarray(trainer.predictions(corpus.splits[split])), corpus, split)
        rows = corpus.sentences[split]
        results[split] = tagging_metrics(rows["tags"][:], tags)
        table = per_type(rows["tags"][:], tags, against["tags"] if against and split == "test" else None)
        many = len(table) > WHOLE
        record = {
            "entity_types": most(table) if many else table,
            **({"entity_types_left_out": len(table) - len(most(table))} if many else {}),
            "worst_sentences": _worst(rows, tags),
            "split": split,
            "rows": len(rows),
            "headline": verdict.headline(rows["tags"][:], tags),
        }
        if trainer.is_world_process_zero():
            _write(folder / f"predictions-{split}.jsonl", rows, tags)
            if many:
                _write_types(folder / TYPES, table)
    measured = against if shown == "test" else None
    history, arguments = trainer.state.log_history, trainer.args.to_dict()
    judged = verdict.of_run(corpus.sentences, shown, tags, measured, history, arguments, kind=settings.baseline)
    say(*lines(judged), f"trained in {seconds:.0f} s" + (f"; on {shown}, {len(rows):,} sentences:" if shown else ""))
    if shown:
        say(*format_table(table, file=TYPES if many else None), *of_figures(results[shown], measured))
    corpus.tokenizer.model_max_length = corpus.max_length  # which is saved with it: others read windows as long
    save_and_report(
        trainer,
        settings,
        tokenizer=corpus.tokenizer,
        metrics=results,
        seconds=seconds,
        data=corpus.report,
        label_names=corpus.label_names,
        verdict=judged,
        baseline={"name": against["name"], "test": against["test"]} if against else None,
        **record,
        **more,
    )
    say_how_to_try("predict", str(folder), opening(corpus.sentences["train"][0]["text"]))
    return results | ({"baseline": against["test"]} if against else {})


def _named(row: dict, tags: Sequence[str]) -> list[dict]:
    """The entities of a sentence, with words [start, end), the characters they are `at` and their text."""
    named = []
    for kind, start, end in entities(tags):
        first, last = row["starts"][start], row["starts"][end - 1] + len(row["tokens"][end - 1])
        named.append({"type": kind, "start": start, "end": end, "at": [first, last], "text": row["text"][first:last]})
    return named


def _write(path: Path, rows, predicted: list[list[str]]) -> None:
    """One JSON line a sentence: id, tokens, gold and predicted tags (BIO)."""
    with whole(path) as aside, aside.open("w", encoding="utf-8") as file:
        for row, tags in zip(rows, predicted, strict=True):
            line = {"id": row["id"], "tokens": row["tokens"], "gold": row["tags"], "predicted": tags}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _write_types(path: Path, table: list[dict]) -> None:
    with whole(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)


def _worst(rows, predicted: list[list[str]]) -> list[dict]:
    """The sentences with most entities missed or wrongly found, and which."""
    worst = []
    for row, tags in zip(rows, predicted, strict=True):
        gold, found = (_named(row, given) for given in (row["tags"], tags))
        missed = [entity for entity in gold if entity not in found]
        wrong = [entity for entity in found if entity not in gold]
        if missed or wrong:
            worst.append({"id": row["id"], "text": row["text"], "missed": missed, "wrong": wrong})
    return sorted(worst, key=lambda row: -len(row["missed"]) - len(row["wrong"]))[:WORST]
