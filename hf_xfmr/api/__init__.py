"""The recipes as functions, for a notebook or a program: rows in, a run out.

    import hf_xfmr

    run = hf_xfmr.classify(frame, model="sample:minilm", label_column="stars", num_train_epochs=1)
    run.metrics["test"]["accuracy"]
    run.predict(["A quiet, wonderful film."])  # a DataFrame
    run.report  # shown in a notebook

Settings are keywords with the names of the recipe's flags (`settings("classify")` lists them), and are checked as those
are. A dataset is a DataFrame (pandas', polars'), an Arrow table, a `datasets.Dataset` or DatasetDict, a list of rows, a
dict of columns, a dict of any of these by split, or a name as a recipe takes it. What is wrong with any of it is a
`hf_xfmr.UserError` with the one sentence that the command prints.
"""

import os
from typing import TYPE_CHECKING, Any

from . import process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from .curves import Curve
    from .runs import FillingRun, GeneratingRun, PredictingRun, Run, SeveralRuns, TranslatingRun
    from .searches import HyperparameterSearch
    from .trained_tokenizer import TrainedTokenizer

__all__ = [
    "answer",
    "classify",
    "curve",
    "distill",
    "gpt2",
    "hyperparameter_search",
    "load_run",
    "pretrain",
    "settings",
    "tag",
    "train_tokenizer",
    "translate",
]


def classify(dataset: Any = None, *, config: str | os.PathLike | None = None, **settings: Any) -> "PredictingRun":
    """Fine-tune BERT to classify texts or pairs of texts (one label or several), or to rate them.

    `config` is a YAML file of settings, or the name of a ready one; the keywords lie over it. Without `output_dir` the
    run's folder is `runs/classify-` and a hash of rows and settings: the same call goes on where it was stopped,
    another has a folder of its own. With `seeds=[1, 2, 3]` a run for each is returned (`SeveralRuns`), with
    `check_only=True` a DataFrame of what the check found. Raises `UserError`; `KeyboardInterrupt` if it is interrupted,
    once a checkpoint is saved.
    """
    return process.module("door").train("classify", dataset, config, settings)


def distill(dataset: Any = None, *, config: str | os.PathLike | None = None, **settings: Any) -> "PredictingRun":
    """Have a small classifier, tagger or GPT-2 learn from a large one's answers: `teacher` is a run, a folder or a
    name, and the run's record has, as `distilled`, the two side by side. Otherwise as `classify`, `tag` or `gpt2`."""
    if "teacher" in settings:
        settings["teacher"] = os.fspath(settings["teacher"])
    return process.module("door").train("distill", dataset, config, settings)


def tag(dataset: Any = None, *, config: str | os.PathLike | None = None, **settings: Any) -> "PredictingRun":
    """Fine-tune BERT to tag the words of a text, as for named entities. Otherwise as `classify`."""
    return process.module("door").train("tag", dataset, config, settings)


def answer(dataset: Any = None, *, config: str | os.PathLike | None = None, **settings: Any) -> "PredictingRun":
    """Fine-tune BERT to answer questions by a part of their context. Otherwise as `classify`."""
    return process.module("door").train("answer", dataset, config, settings)


def gpt2(dataset: Any = None, *, config: str | os.PathLike | None = None, **settings: Any) -> "GeneratingRun":
    """Fine-tune GPT-2 on texts, or train one from scratch. Otherwise as `classify`."""
    return process.module("door").train("gpt2", dataset, config, settings)


def pretrain(dataset: Any = None, *, config: str | os.PathLike | None = None, **settings: Any) -> "FillingRun":
    """Pre-train BERT on raw text by its paper's two tasks. Otherwise as `classify`."""
    return process.module("door").train("pretrain", dataset, config, settings)


def translate(dataset: Any = None, *, config: str | os.PathLike | None = None, **settings: Any) -> "TranslatingRun":
    """Train the 2017 Transformer to translate, from scratch or from a Marian checkpoint. Otherwise as `classify`."""
    return process.module("door").train("translate", dataset, config, settings)


def train_tokenizer(
    dataset: Any = None, *, config: str | os.PathLike | None = None, **settings: Any
) -> "TrainedTokenizer":
    """Train a tokenizer (`kind` is wordpiece, bpe, unigram or char) on texts; it is `tokenizer` of what is returned,
    which `gpt2` and the others take as their `tokenizer`. `config` and `output_dir` as in `classify`. Raises
    `UserError`."""
    return process.module("door").train_tokenizer(dataset, config, settings)


def curve(
    dataset: Any = None,
    *,
    config: str | os.PathLike | None = None,
    sizes: "Sequence[int]" = (),
    repeats: int = 3,
    least_steps: int = 100,
    **settings: Any,
) -> "Curve":
    """How many labels are enough: `classify` on growing parts of the rows, and what more of them would bring, as the
    command of that name. `sizes` are numbers of train rows (left out: all, and halves of it), each trained with
    `repeats` seeds. The same call goes on where it was stopped. Raises `UserError`."""
    return process.module("curves").curve(dataset, config, sizes, repeats, least_steps, settings)


def hyperparameter_search(
    dataset: Any = None,
    *,
    config: str | os.PathLike | None = None,
    recipe: str = "classify",
    trials: int = 20,
    minutes: float | None = None,
    over: "Sequence[str]" = (),
    ranges: "Mapping[str, Sequence[Any]] | None" = None,
    figure: str | None = None,
    seeds: "Sequence[int]" = (1, 2, 3),
    refit: bool = True,
    **settings: Any,
) -> "HyperparameterSearch":
    """Try settings of a recipe (`classify`, `tag`, `gpt2`, …) on validation rows, and train with the best of them, as
    the command `search`. `over` names what alone is tried; `ranges` gives a setting another range, `(low, high)`, or a
    list to choose from. In the end your own and the best settings are trained with each of `seeds`, and measured on
    test (`refit=False`: neither). The same call goes on where it was stopped. Raises `UserError`."""
    options = {"trials": trials, "minutes": minutes, "over": over, "figure": figure, "seeds": seeds}
    options["no_refit"] = not refit
    module = process.module("searches")
    return module.hyperparameter_search(dataset, config, recipe, ranges or {}, settings, **options)


def load_run(folder: str | os.PathLike) -> "Run | SeveralRuns":
    """The run that left this folder, as the function that trained it returned it. Raises `UserError` if none ended
    there."""
    return process.module("runs").load(folder)


def settings(function: str) -> "pd.DataFrame":
    """What can be said to `classify`, `distill`, `tag`, `answer`, `gpt2`, `pretrain`, `translate` or
    `train_tokenizer`: a row for each setting, by `name`, with its `type`, `default` (None for one that must be given,
    too) and `help`. Raises `UserError` for another function."""
    return process.module("door").table_of_settings(function)
