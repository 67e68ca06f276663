"""What a run left, as an object: its figures, its model to be asked, its report to be shown."""

import json
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from transformers import AutoConfig

from ..engines import manifest
from ..errors import UserError
from ..plain import some
from ..run import adapted, ranges, seeds
from ..tasks.task import with_head
from .process import random_numbers_kept
from .report import Report
from .texts import index_of, rows_of, texts_of


class Run:
    """A run that has ended, or what was exported of one. `folder` holds all of it; where a folder or a name of a model
    is wanted, the run will do.

    `record` is its run.json: settings, arguments, log and more. The model is loaded when it is first asked.
    """

    uses = ""  # the method that its model is for

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        exported = manifest.read(self.folder)
        self.record: dict[str, Any] = (
            _read(self.folder / "run.json")
            if exported is None
            else {"recipe": f"an export for {exported.engine}", "columns": exported.columns, "metrics": {}}
        )
        self._answering: dict[str | None, Any] = {}

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """The figures of each split and, as `baseline`, of what the test split is compared with; of a run with `folds`
        and without a test split `validation`, which is all its rows."""
        told = self.record.get("baseline") or {}
        baseline = told.get("test") or told.get("validation")
        return self.record["metrics"] | ({"baseline": baseline} if baseline else {})

    @property
    def report(self) -> Report:
        """Shown in a notebook where it is a cell's last line."""
        return Report(self.folder / "report.html", str(self))

    @property
    def model(self) -> Any:
        return self._loaded.engine.model

    @property
    def tokenizer(self) -> Any:
        """Of a translation run both, `source` and `target`."""
        return self._loaded.tokenizer

    @property
    def _loaded(self) -> Any:
        return self._by(None)

    def _by(self, engine: str | None) -> Any:
        """What answers, by an engine (None: torch), loaded once."""
        if engine not in self._answering:
            self._answering[engine] = self._load(engine)
        return self._answering[engine]

    def _load(self, engine: str | None) -> Any:
        raise NotImplementedError

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        lines = [f"{self.folder}: {self.record.get('recipe')}, used by .{self.uses}(texts)"]
        for split, figures in self.metrics.items():
            shown = (f"{name} {value:.4g}" for name, value in figures.items() if isinstance(value, int | float))
            lines.append(f"{split}: {some(shown, 6)}")
        return "\n".join(lines)

    def __getattr__(self, name: str) -> Any:
        if name in ("predict", "generate", "fill", "translate"):
            raise AttributeError(
                f"{self.folder} can't {name}: it is a run of {self.record['recipe']}; use .{self.uses}"
            )
        raise AttributeError(f"a run has no {name!r}")


class PredictingRun(Run):
    """A classifier, a tagger, or what answers questions."""

    uses = "predict"

    def predict(
        self,
        texts: Any,
        *,
        text_column: str | None = None,
        text_pair_column: str | None = None,
        batch_size: int = 64,
        temperature: float | None = None,
        all_probabilities: bool = False,
        engine: str | None = None,
        abstain_below: float | None = None,
    ) -> pd.DataFrame:
        """An answer for each text, in their order, with the index that `texts` have.

        `texts` are a text, a list or Series of them, or rows as a dataset takes them, of whose columns those are read
        that the run was trained on, or as told. Columns: `text` (`text_pair`); of a classifier `label`, `probability`
        and `p_<label>`, or `value`; of a tagger `entities`, a list of {"type", "text", "start", "end", "probability"};
        of questions (a table with columns question and context) `answer`, None where there is none, `probability`, and
        the characters `start` and `end` of the context.
        What has no answer, such as an empty text, has an `error`, and is warned of. `temperature`, `engine`,
        `all_probabilities` and `abstain_below` are those of the command. Raises `UserError` for texts that can't be
        read.
        """
        from ..predict import answer

        ranges.check(batch_size=batch_size, temperature=temperature)
        rows = rows_of(texts, self.record.get("columns") or {}, text_column, text_pair_column)
        predictor = self._predictor(temperature, all_probabilities, engine, abstain_below)
        answers = answer(predictor, rows, batch_size)
        answers = answers if predictor.columns is None else [predictor.flat(one) for one in answers]
        faults = [f"{row.id} ({one['error']})" for row, one in zip(rows, answers, strict=True) if "error" in one]
        if faults:
            warnings.warn(f"{len(faults):,} rows have an `error` and no answer: {some(faults, 5)}", stacklevel=2)
        found = [{name: value for name, value in one.items() if name != "id"} for one in answers]
        columns = None if found else ["text", *(predictor.columns or ["entities"])]
        return pd.DataFrame(found, index=index_of(texts), columns=columns)

    def why(
        self,
        texts: str | Iterable[str],
        pairs: str | Iterable[str] | None = None,
        *,
        label: str | None = None,
        method: str | None = None,
        engine: str | None = None,
    ) -> pd.DataFrame:
        """Which words decided a classifier's answers: a row for each word of each text (and of its pair), in their
        order, with `text` (which of them, by the index that `texts` have, or counted from 0), `label` and its
        `probability` (`rating` of ratings), the `word`, its characters `start` and `end`, `of` the text or its pair,
        and its `share` of the probability: above 0 for the label, below 0 against it. `label`, `method` and `engine`
        are those of the command. Raises `UserError` as that does, and for a tagger, or what answers questions."""
        from .explained import explained

        if self._explaining is None or self._explaining[0] != engine:
            self._explaining = engine, self._classifier(engine)
        return explained(self._explaining[1], texts, pairs, label, method)

    _explaining: tuple[str | None, Any] | None = None

    def _classifier(self, engine: str | None) -> Any:
        from ..why.answer import loaded

        return loaded(str(self.folder), engine)

    def _load(self, engine: str | None) -> Any:
        from ..predict import load

        return load(str(self.folder), engine=engine)

    def _predictor(
        self, temperature: float | None, all_probabilities: bool, engine: str | None, abstain_below: float | None
    ) -> Any:
        if temperature is None and not all_probabilities and abstain_below is None:
            return self._by(engine)
        from ..predict import load

        return load(str(self.folder), temperature, all_probabilities, engine, abstain_below)

    @property
    def folds(self) -> pd.DataFrame:
        """Of a run with `folds=5` a row for each fold, by its number, with its rows and figures, and below them `mean`,
        `sd` and the ends `low` and `high` of the mean's 95 % interval. Raises `UserError` for a run without."""
        found = self._of_folds()
        rows = {row["fold"]: {"train": row["train"], "test": row["test"], **row["figures"]} for row in found["rows"]}
        ends = ("mean", "sd", "low", "high")
        rows |= {end: {name: one[end] for name, one in found["figures"].items()} for end in ends}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("fold")

    @property
    def labels_to_check(self) -> pd.DataFrame:
        """Of a run with `folds=5` the rows whose labels look wrong, as its wrong-labels.csv has them now: fill in that
        file's `fixed_label`, and call `classify` with `fixed_labels=`. Raises `UserError` for a run without."""
        self._of_folds()
        return pd.read_csv(
            self.folder / "wrong-labels.csv", dtype={"id": str, "fixed_label": str}, keep_default_na=False
        )

    def _of_folds(self) -> dict[str, Any]:
        if not self.record.get("folds"):
            raise UserError(f"{self.folder} was trained without folds: call classify with folds=5")
        return self.record["folds"]

    def decide(self, **wish: Any) -> list[str]:
        """Decide the answers of a classifier otherwise, as the command of that name: `target_precision=0.9`,
        `target_recall`, `best_f1=True`, `costs="costs.csv"` or `likeliest=True`, and `decision_labels="spam"`. Returns
        what it says; the figures, and what `predict` answers, are then others."""
        from ..tasks.decide import decide

        said = decide(self.folder, **wish)
        self.record = _read(self.folder / "run.json")
        self._answering.clear()
        return said


class GeneratingRun(Run):
    """A language model."""

    uses = "generate"

    def generate(
        self,
        prompts: str | Iterable[str | list[dict[str, str]]],
        *,
        template: bool = False,
        engine: str | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        """For each prompt `prompt` and `text`, which begins with it; with `template`, of a run on prompts with answers,
        the answer alone, and a prompt may be a list of messages ({"role", "content"}). Options are those of the
        command: engine, max_new_tokens, temperature, top_k, top_p, num_beams, seed, batch_size."""
        from ..tasks.language_modeling.generator import generate

        given = [prompts] if isinstance(prompts, str) else list(prompts)
        texts_of([one for one in given if not (template and isinstance(one, list))])
        with random_numbers_kept():
            found = [one["text"] for one in generate(self._by(engine), given, template=template, **options)]
        return pd.DataFrame({"prompt": given, "text": found}, index_of(prompts))

    def _load(self, engine: str | None) -> Any:
        from ..tasks.language_modeling.generator import Generator

        return Generator(str(self.folder), engine=engine)


class FillingRun(Run):
    """A masked language model."""

    uses = "fill"

    def fill(self, texts: str | Iterable[str], *, top_k: int = 5, engine: str | None = None) -> pd.DataFrame:
        """For each text with [MASK] in it `text`, `masks`, of each [MASK] the `top_k` [{"token", "probability"}], and
        `filled`, with the first of each."""
        found = [self._by(engine)(text, top_k=top_k) for text in texts_of(texts)]
        return pd.DataFrame(found, index_of(texts), ["text", "masks", "filled"])

    def _load(self, engine: str | None) -> Any:
        from ..tasks.pretraining.filler import Filler

        return Filler(str(self.folder), engine=engine)


class TranslatingRun(Run):
    """A translator."""

    uses = "translate"

    def translate(
        self,
        texts: str | Iterable[str],
        *,
        batch_size: int = 32,
        num_beams: int | None = None,
        engine: str | None = None,
    ) -> pd.DataFrame:
        """For each text `text` and its `translation`; an empty one stays empty. The beams are its own unless told.
        `engine` is that of the command."""
        ranges.check(batch_size=batch_size, num_beams=num_beams)
        given = texts_of(texts)
        options = {} if num_beams is None else {"num_beams": num_beams}
        found = self._by(engine)(given, batch_size=batch_size, **options)
        return pd.DataFrame({"text": given, "translation": found}, index_of(texts))

    @property
    def tokenizer(self) -> Any:
        return self._loaded.tokenizers

    def _load(self, engine: str | None) -> Any:
        from ..tasks.translation.translator import load_translator

        return load_translator(str(self.folder), engine)


class SeveralRuns:
    """Runs that differ by their seed: `runs` by seed, `metrics` their means, `deviations` their standard deviations."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        summary = _read(self.folder / seeds.NAME)
        self.runs = {int(seed): load(self.folder / f"seed-{seed}") for seed in summary["seeds"]}
        self.metrics, self.deviations = (
            {split: {name: one[what] for name, one in figures.items()} for split, figures in summary["summary"].items()}
            for what in ("mean", "sd")
        )

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        return "\n".join([f"{self.folder}: .runs[seed] of {len(self.runs)} seeds", *map(repr, self.runs.values())])


def _read(path: Path) -> dict[str, Any]:
    """A record that a run left. Raises `UserError` for a damaged one."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can't be read ({error}): run the same call again") from None
    if not isinstance(record, dict):
        raise UserError(f"{path} is no record of a run: run the same call again")
    return record


RUNS = (PredictingRun, GeneratingRun, FillingRun, TranslatingRun)


def load(folder: str | os.PathLike) -> Any:
    """See `hf_xfmr.load_run`."""
    path = Path(folder)
    if (path / seeds.NAME).is_file() and "summary" in (path / seeds.NAME).read_text(encoding="utf-8"):
        return SeveralRuns(path)
    if (exported := manifest.read(path)) is not None:
        architecture = exported.told["class"]
    elif (path / "run.json").is_file():
        architecture = (adapted.from_pretrained(AutoConfig, str(path)).architectures or [""])[0]
    else:
        raise UserError(f"{path} holds no run.json: give the folder of a run that has ended, or one that export wrote")
    task = with_head(architecture)
    kind = next((one for one in RUNS if task is not None and task.command == one.uses), None)
    if kind is None:
        raise UserError(f"{path} holds a {architecture or 'model without a class'}, which no recipe trains")
    return kind(path)
