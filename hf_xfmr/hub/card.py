"""The model card, README.md: metadata, how to load the model, results with intervals, curves, settings and limits.

Our part stands between two marks and is written anew each time; what a user wrote outside them, and metadata we know
nothing of, is kept, in the folder and on the Hub.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ..errors import UserError
from ..plain import code, markdown
from ..report import plots
from ..report.names import is_lower, metric_name
from ..writing import telling, whole
from . import dual

_TEMPLATE = Path(__file__).with_name("card_template.md")
_BEGIN, _END = "<!-- hf_xfmr:begin", "<!-- hf_xfmr:end -->"
_PART = re.compile(re.escape(_BEGIN) + r".*?" + re.escape(_END), re.DOTALL)
_HEADER = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
NAME = "README.md"
PLACE = "OWNER/NAME"  # stands in a folder's card for the repository, until it is pushed

_TASKS = {
    "AutoModelForSequenceClassification": ("text-classification", "Text classification"),
    "AutoModelForTokenClassification": ("token-classification", "Token classification"),
    "AutoModelForQuestionAnswering": ("question-answering", "Question answering"),
    "AutoModelForMultipleChoice": ("multiple-choice", "Multiple choice"),
    "AutoModelForMaskedLM": ("fill-mask", "Masked language modelling"),
    "AutoModelForPreTraining": ("fill-mask", "Masked language modelling"),
    "AutoModelForNextSentencePrediction": ("text-classification", "Next sentence prediction"),
    "AutoModelForCausalLM": ("text-generation", "Language modelling"),
    "AutoModelForSeq2SeqLM": ("translation", "Translation"),
    "AutoModel": ("feature-extraction", "Feature extraction"),
}
_METRICS = {  # ours -> the Hub's name
    **{name: name for name in ("accuracy", "bleu", "chrf", "mae", "mse", "perplexity", "loss", "roc_auc")},
    **{"f1_macro": "f1", "f1_micro": "f1", "f1_weighted": "f1", "f1": "f1", "mcc": "matthews_correlation"},
    **{"pearson": "pearsonr", "spearman": "spearmanr", "subset_accuracy": "exact_match", "r2": "r_squared"},
}
_ARGUMENTS = (
    *("learning_rate", "num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps"),
    *("optim", "lr_scheduler_type", "warmup_steps", "weight_decay", "label_smoothing_factor", "layer_decay", "seed"),
)
_UNTOLD: tuple = (None, False, "", [], {}, 0, -1)


def write(folder: str | Path, *, license: str | None = None, language: str | None = None) -> Path:
    """Write README.md and its pictures into a model folder, from what a recipe left there. Returns its path.

    Raises `UserError` if the folder holds no model of ours, or a README.md whose metadata is not YAML.
    """
    folder = Path(folder)
    path = folder / NAME
    text = _render(folder, license, language)
    if path.exists():
        text = merge(text, path.read_text(encoding="utf-8"), path)
    with whole(path) as aside:
        aside.write_text(text, encoding="utf-8")
    return path


def for_hub(text: str, theirs: str | None, repo_id: str, kind: dual.Kind) -> str:
    """A folder's card for its repository. What is on the Hub outside our part stays; if nothing is, the folder's."""
    text = _PART.sub(lambda match: match[0].replace(PLACE, repo_id), text)
    header, body = _split(text, "README.md")
    for entry in header.get("model-index", []):
        entry["name"] = repo_id.split("/")[-1]
    text = _join(header, body)
    return text if theirs is None else merge(text, theirs, f"README.md of {repo_id}")


def merge(new: str, old: str, where: str | Path) -> str:
    """`new` with what `old` has outside our part, and with metadata that `new` knows nothing of."""
    (ours, new_body), (theirs, old_body) = _split(new, where), _split(old, where)
    part = _PART.search(new_body)
    assert part is not None
    if _PART.search(old_body):
        body = _PART.sub(lambda _: part[0], old_body, count=1)
    else:
        body = f"{old_body.rstrip()}\n\n{part[0]}\n" if old_body.strip() else new_body
    for key in ("tags", "datasets", "metrics"):
        if isinstance(theirs.get(key), list) and isinstance(ours.get(key), list):
            ours[key] = [*theirs[key], *(value for value in ours[key] if value not in theirs[key])]
    return _join({**theirs, **ours}, body)


def _split(text: str, where: str | Path) -> tuple[dict, str]:
    match = _HEADER.match(text)
    if match is None:
        return {}, text
    try:
        header = yaml.safe_load(match[1]) or {}
    except yaml.YAMLError as error:
        raise UserError(f"{where}: its metadata is not YAML ({' '.join(str(error).split())}): mend it") from None
    if not isinstance(header, dict):
        raise UserError(f"{where}: its metadata must be `key: value` lines between two lines of ---")
    return header, text[match.end() :]


def _join(header: dict, body: str) -> str:
    return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---\n\n{body.lstrip()}"


def _render(folder: Path, license: str | None, language: str | None) -> str:
    kind, config = dual.kind(folder), dual.read_config(folder)
    run, figures = _read(folder / "run.json"), _read(folder / "report.json")
    settings: dict[str, Any] = run.get("settings") or {}
    dataset = _name(settings.get("dataset"))
    tag, task = _TASKS[kind.auto_class]
    scores = _scores(figures)
    split = figures.get("split") or ("test" if (figures.get("metrics") or {}).get("test") else "validation")
    base = settings.get("model")
    metadata = ModelCardData(
        language=language or _languages(settings),
        license=license,
        library_name="transformers",
        pipeline_tag=tag,
        tags=["hf_xfmr", kind.config_class.stock_model_type],
        base_model=base if _on_hub(base) else None,
        datasets=[settings["dataset"]] if _on_hub(settings.get("dataset")) else None,
        metrics=list(dict.fromkeys(_METRICS[name] for name in scores if name in _METRICS)) or None,
        model_name=folder.resolve().name,
        eval_results=[
            EvalResult(
                task_type=tag,
                task_name=task,
                dataset_type=dataset,
                dataset_name=dataset,
                dataset_split=split,
                metric_type=_METRICS[name],
                metric_name=name,
                metric_value=round(score["value"], 6),
            )
            for name, score in scores.items()
            if dataset and name in _METRICS
        ]
        or None,
    )
    intervals = any("low" in score for score in scores.values())
    return str(
        ModelCard.from_template(
            metadata,
            template_str=_jinja_source(),
            title=markdown(folder.resolve().name),
            summary=_summary(kind, task, base, dataset),
            kind=kind,
            tokenizer=(folder / "tokenizer_config.json").exists(),
            interleaved=config.get("position_layout") == "interleaved",
            rows=_results(scores, ((figures.get("baseline") or {}).get(split) or {}), intervals),
            split=markdown(split),
            count=f"{figures['rows']:,}" if figures.get("rows") else "",
            intervals=intervals,
            baseline=markdown((figures.get("baseline") or {}).get("name") or ""),
            labels=_per_label(figures.get("per_label") or [], figures.get("labels_left_out")),
            verdict=_verdict(figures.get("verdict") or {}),
            pictures=_draw(folder / "images", run, figures),
            data="\n".join(f"- {_plain(line, settings.get('dataset'))}" for line in run.get("data") or []),
            training=_table(_training(run, settings)),
            limits=_limits(kind, config, dataset, settings, scores),
            environment=_table(run.get("environment") or {}),
        )
    )


def _jinja_source() -> str:
    """The template, in which a line that holds a tag alone leaves no empty line."""
    return re.sub(r"(\{%[^%]*%\})\n", r"\1", _TEMPLATE.read_text(encoding="utf-8"))


def _read(path: Path) -> dict:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _name(source: Any) -> str:
    """A data set's name, without the folders that it lies in here."""
    return source if _on_hub(source) else Path(str(source).removeprefix("sample:")).stem if source else ""


def _on_hub(name: Any) -> bool:
    return isinstance(name, str) and bool(_HUB_NAME.fullmatch(name)) and not Path(name).exists() and "/" in name


def _languages(settings: Mapping) -> list[str] | None:
    codes = [settings.get("source_lang"), settings.get("target_lang")]
    known = [code for code in codes if isinstance(code, str) and re.fullmatch("[a-z]{2,3}", code)]
    return known or None


def _summary(kind: dual.Kind, task: str, base: Any, dataset: str) -> str:
    origin = f", fine-tuned from {code(_name(base))}" if base else ", trained from scratch"
    return f"{task} with {kind.stock_class}" + (f"{origin} on {code(dataset)}." if dataset else ".")


def _scores(figures: Mapping) -> dict[str, dict[str, float]]:
    """What the results table shows: name to {"value"} and perhaps "low", "high"."""
    if headline := figures.get("headline"):
        return {name: score for name, score in headline.items() if _finite(score.get("value"))}
    metrics = figures.get("metrics") or {}
    shown = metrics.get("test") or metrics.get("validation") or {}
    timing = ("runtime", "_per_second", "epoch")
    return {name: {"value": v} for name, v in shown.items() if _finite(v) and not name.endswith(timing)}


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _results(scores: Mapping, baseline: Mapping, intervals: bool) -> str:
    head = ["metric", "value", *(["95 % interval"] if intervals else []), *(["baseline"] if baseline else [])]
    lines = []
    for name, score in scores.items():
        cells = [metric_name(name) + (" (lower is better)" if is_lower(name) else ""), f"{score['value']:.3f}"]
        if intervals:
            has_interval = _finite(score.get("low")) and _finite(score.get("high"))
            cells.append(f"{score['low']:.3f} to {score['high']:.3f}" if has_interval else "")
        if baseline:
            cells.append(f"{baseline[name]:.3f}" if _finite(baseline.get(name)) else "")
        lines.append(cells)
    return _rows(head, lines)


def _verdict(verdict: Mapping) -> str:
    """What the results mean, and what is to be heeded."""
    if not verdict:
        return ""
    heeded = verdict["warnings"] if verdict["claim"] else verdict["warnings"][1:]
    return "\n".join([f"**{_cell(verdict['sentence'])}**", "", *(f"- {_cell(one['text'])}" for one in heeded)]).rstrip()


def _per_label(labels: Sequence[Mapping], left_out: Mapping | None) -> str:
    names = ["precision", "recall", "f1"]
    table = _rows(
        ["label", "rows", *(f"{metric_name(name)} (95 % interval)" for name in names)],
        [[one["label"], f"{one['rows']:,}", *(_estimate(one[name]) for name in names)] for one in labels],
    )
    if left_out:
        table += (
            f"\n\nand {left_out['labels']:,} more labels of at most {left_out['rows']:,} rows, mean F1 "
            f"{left_out['f1']:.3f}."
        )
    return table


def _estimate(score: Mapping) -> str:
    if not _finite(score.get("value")):
        return "–"
    ends = [score.get("low"), score.get("high")]
    return f"{score['value']:.3f}" + (f" ({ends[0]:.3f} to {ends[1]:.3f})" if all(map(_finite, ends)) else "")


def _table(values: Mapping) -> str:
    return _rows(["", ""], [[name, value] for name, value in values.items()])


def _rows(head: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    if not lines:
        return ""
    table = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in table)


def _cell(value: Any) -> str:
    """A value for a cell: nothing of it is a table's bar, a link, code, HTML or a mark of ours."""
    return markdown(" ".join(str(value).split()))


def _plain(line: str, dataset: Any) -> str:
    return _cell(str(line).replace(str(dataset), _name(dataset)) if dataset else line)


def _training(run: Mapping, settings: Mapping) -> dict[str, Any]:
    arguments = run.get("arguments") or {}
    told = {name: arguments[name] for name in _ARGUMENTS if arguments.get(name) not in _UNTOLD}
    for name, value in settings.items():
        if value not in _UNTOLD:
            path = name in ("dataset", "model") or (isinstance(value, str) and "/" in value)
            told[name] = _name(value) if path else value
    if seconds := run.get("seconds"):
        told["training time"] = f"{seconds:,.0f} s"
    return told


def _draw(folder: Path, run: Mapping, figures: Mapping) -> list[dict[str, str]]:
    """Write the pictures; what they show, in words, and their files."""
    history, pictures = run.get("log_history") or [], []
    if any(plots.series(history, key) for key in ("loss", "eval_loss")):
        pictures.append(("Loss and learning rate over the steps", "learning.png", plots.learning_curves(history)))
    if confusion := figures.get("confusion"):
        figure = plots.confusion_matrix(confusion["counts"], confusion["labels"], others="of" in confusion)
        which = f"; the {len(confusion['labels']) - 1} labels most often confused" if confusion.get("of") else ""
        words = f"Confusion matrix: gold labels down, predicted ones across{which}"
        pictures.append((words, "confusion.png", figure))
    for _, file, figure in pictures:
        with telling(folder):
            folder.mkdir(exist_ok=True)
        plots.save(figure, folder / file)
    return [{"alt": alt, "file": file} for alt, file, _ in pictures]


def _limits(kind: dual.Kind, config: Mapping, dataset: str, settings: Mapping, scores: Mapping) -> str:
    lines = []
    if dataset:
        lines.append(f"It has learned from {code(dataset)} alone: on texts of another kind or language expect less.")
    positions = config.get("max_position_embeddings") or config.get("n_positions")
    if positions:
        lines.append(f"It reads at most {positions:,} tokens at a time.")
    labels = config.get("id2label") or {0: "", 1: ""}  # two, if they have no names
    if kind.auto_class == "AutoModelForSequenceClassification" and len(labels) > 1 and dataset:
        lines.append("It always gives one of its labels, also for a text to which none applies.")
    if kind.auto_class in ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM"):
        lines.append("What it writes may be wrong, and repeats what its training texts hold, their prejudices too.")
    if not scores:
        lines.append("No results on held-out data are known.")
    elif any("low" in score for score in scores.values()):
        lines.append("The intervals are of the test rows drawn, not of training anew with other seeds.")
    return "\n".join(f"- {line}" for line in lines)
