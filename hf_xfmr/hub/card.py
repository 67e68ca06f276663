"""The model card, README.md: metadata, code that uses the model, results with intervals, curves, settings and limits.

Our part stands between two marks and is written anew each time; what a user wrote outside them, and metadata we know
nothing of, is kept, in the folder and on the Hub.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard

from ..errors import UserError
from ..plain import code, markdown
from ..report import curves, plots
from ..report.language import LANGUAGES, current, say, speaking
from ..report.verdict import spoken
from ..writing import telling, whole
from . import adapter_card, card_metadata, card_tables, card_usage, dual
from .folder import ADAPTER

_TEMPLATE = Path(__file__).with_name("card_template.md")
_BEGIN, _END = "<!-- hf_xfmr:begin", "<!-- hf_xfmr:end -->"
_BEGIN_LINE = f"{_BEGIN} This part is written anew by each push; the rest of the file is yours and is kept. -->"
_PART = re.compile(re.escape(_BEGIN) + r".*?" + re.escape(_END), re.DOTALL)
_HEADER = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
NAME = "README.md"


def write(
    folder: str | Path,
    *,
    license: str | None = None,
    language: str | None = None,
    base_model: str | None = None,
) -> Path:
    """Write README.md and its pictures into a model folder, from what a recipe left there. Returns its path.
    `base_model` is the name on the Hub of that to which an adapter belongs.

    Raises `UserError` if the folder holds no model of ours, or a README.md whose metadata is not YAML.
    """
    folder = Path(folder)
    path = folder / NAME
    if (folder / ADAPTER).exists():
        text = adapter_card.render(folder, (_BEGIN_LINE, _END), license=license, language=language, base=base_model)
    else:
        text = _render(folder, license, language)
    if path.exists():
        text = merge(text, path.read_text(encoding="utf-8"), path)
    with whole(path) as aside:
        aside.write_text(text, encoding="utf-8")
    return path


def for_hub(text: str, theirs: str | None, repo_id: str, kind: dual.Kind) -> str:
    """A folder's card for its repository. What is on the Hub outside our part stays; if nothing is, the folder's."""
    text = _PART.sub(lambda match: card_usage.for_hub(match[0], repo_id), text)
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
    named = theirs.get("license") if theirs.get("license") != card_metadata.UNKNOWN else None
    if named and ours.get("license") == card_metadata.UNKNOWN:  # and not a licence taken back
        ours["license"] = named
        new_body = _without_license_line(new_body)
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


def _without_license_line(body: str) -> str:
    """Our part, in whichever language, without the line that says that no licence is named."""
    lines = set()
    for language in LANGUAGES:
        with speaking(language):
            lines.add(f"- {card_usage.no_license()}\n")
    for line in lines:
        body = body.replace(line, "")
    return body


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
    dataset = card_metadata.called(settings.get("dataset"))
    scores = card_tables.scores(figures)
    split = figures.get("split") or ("test" if (figures.get("metrics") or {}).get("test") else "validation")
    texts = [str(one.get("text") or one.get("sample") or "") for one in _texts(run, figures)]
    metadata = card_metadata.metadata(
        folder, kind, settings, scores, split=split, license=license, language=language, texts=texts
    )
    intervals = any("low" in score for score in scores.values())
    page = str(figures["language"]) if figures.get("language") in LANGUAGES else "en"
    with speaking(page, in_files=True):
        pictures = _draw(folder / "images", run, figures)
    with speaking(page):
        return str(
            ModelCard.from_template(
                metadata,
                template_str=_jinja_source(),
                _=say,
                title=markdown(folder.resolve().name),
                summary=_summary(kind, settings.get("model"), dataset, settings.get("teacher")),
                verdict=_verdict(figures.get("verdict")),
                usage=card_usage.usage(folder, kind, config, settings, metadata.language),
                temperature=card_usage.temperature(config),
                kind=kind,
                tokenizer=(folder / "tokenizer_config.json").exists(),
                interleaved=config.get("position_layout") == "interleaved",
                rows=card_tables.results(scores, ((figures.get("baseline") or {}).get(split) or {}), intervals),
                split=markdown(say(split)),
                count=f"{figures['rows']:,}" if figures.get("rows") else "",
                intervals=intervals,
                baseline=markdown((figures.get("baseline") or {}).get("name") or ""),
                labels=card_tables.per_label(figures.get("per_label") or [], figures.get("labels_left_out")),
                pictures=pictures,
                data="\n".join(
                    f"- {card_tables.plain(line, settings.get('dataset'))}" for line in run.get("data") or []
                ),
                training=card_tables.table(card_tables.training(run, settings)),
                limits=card_usage.limits(kind, config, settings, scores, license),
                environment=card_tables.table(run.get("environment") or {}),
            )
        )


def _texts(run: Mapping, figures: Mapping) -> list[Mapping]:
    """Texts of the data, by whose script its language may be told."""
    found = [*(figures.get("worst") or []), *(run.get("worst_sentences") or []), *(run.get("samples") or [])]
    return [one for one in found if isinstance(one, Mapping)]


def _jinja_source() -> str:
    """The template, in which a line that holds a tag alone leaves no empty line."""
    return re.sub(r"(\{%[^%]*%\})\n", r"\1", _TEMPLATE.read_text(encoding="utf-8"))


def _read(path: Path) -> dict:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _summary(kind: dual.Kind, base: Any, dataset: str, teacher: Any = None) -> str:
    words = {"task": say(card_metadata.TASKS[kind.auto_class][1]), "model": kind.stock_class, "data": code(dataset)}
    if not dataset:
        return say("{task} with {model}.", **words)
    if teacher:
        name = code(card_metadata.called(teacher))
        return say("{task} with {model}, distilled from {teacher} on {data}.", teacher=name, **words)
    if not base:
        return say("{task} with {model}, trained from scratch on {data}.", **words)
    name = code(card_metadata.called(base))
    return say("{task} with {model}, fine-tuned from {base} on {data}.", base=name, **words)


def _verdict(verdict: Mapping | None) -> dict[str, Any] | None:
    """What the report says first, as Markdown; each warning with the setting to paste."""
    if not verdict:
        return None
    said = spoken(dict(verdict), current())
    warnings = [
        {"text": markdown(one["text"]), "try": f" {code(one['try'])}" if one.get("try") else ""}
        for one in said["warnings"]
    ]
    return {"sentence": markdown(said["sentence"]), "warnings": warnings}


def _draw(folder: Path, run: Mapping, figures: Mapping) -> list[dict[str, str]]:
    """Write the pictures; what they show, in words, and their files."""
    history, pictures = run.get("log_history") or [], []
    if curves.have_losses(history):
        words = say("Loss and learning rate over the training steps")
        pictures.append((words, "learning.png", curves.learning_curves(history)))
    confusion = figures.get("confusion")
    if confusion and len(confusion["labels"]) <= plots.LEGIBLE:
        figure = plots.confusion_matrix(confusion["counts"], confusion["labels"], others="of" in confusion)
        words = say("Confusion matrix: gold labels down, predicted ones across")
        pictures.append((words, "confusion.png", figure))
    for _, file, figure in pictures:
        with telling(folder):
            folder.mkdir(exist_ok=True)
        plots.save(figure, folder / file)
    return [{"alt": alt, "file": file} for alt, file, _ in pictures]
