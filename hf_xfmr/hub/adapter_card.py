"""The model card of an adapter alone: what it is for, the code that loads it with PEFT, and the results of its run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..plain import code, markdown
from ..report.language import LANGUAGES, say, speaking
from . import card_metadata, card_tables, card_usage, dual
from .folder import ADAPTER

RUN = ("run.json", "report.json")  # in the folder above, where a run left its adapter


def base_of(folder: Path) -> str:
    """The base model that an adapter's config names; "" for none."""
    return str(_read(folder / ADAPTER).get("base_model_name_or_path") or "")


def hub_base(folder: Path) -> str | None:
    """The base model's name on the Hub; None for one that is known as a folder of this machine alone."""
    run, base = _read(folder.parent / RUN[0]), base_of(folder)
    named = base if base and "/" not in base and not Path(base).exists() else None  # gpt2: a run writes folders whole
    return card_metadata.base_model((run.get("settings") or {}).get("model")) or card_metadata.base_model(base) or named


def render(folder: Path, marks: tuple[str, str], *, license: str | None, language: str | None, base: str | None) -> str:
    """README.md of an adapter's folder, our part of it between two `marks`. `base` is the model it belongs to; None:
    as its config or its run has it."""
    kind, config = dual.kind(folder), dual.read_config(folder)
    run, figures = (_read(folder.parent / name) for name in RUN)
    settings: dict[str, Any] = run.get("settings") or {}
    scores = card_tables.scores(figures)
    split = figures.get("split") or ("test" if (figures.get("metrics") or {}).get("test") else "validation")
    texts = [str(one.get("text") or "") for one in figures.get("worst") or []]
    metadata = card_metadata.metadata(
        folder.resolve().parent, kind, settings, scores, split=split, license=license, language=language, texts=texts
    )
    metadata.library_name, metadata.base_model = "peft", base or hub_base(folder) or base_of(folder)
    metadata.tags = [*(metadata.tags or []), "lora"]
    page = str(figures["language"]) if figures.get("language") in LANGUAGES else "en"
    with speaking(page):
        parts = _parts(folder, kind, run, figures, base=str(metadata.base_model), split=split)
        parts += [f"## {say('Limits')}", card_usage.limits(kind, config, settings, scores, license)]
    return f"---\n{metadata}\n---\n\n{marks[0]}\n" + "\n\n".join(parts) + f"\n{marks[1]}\n\n## Notes\n"


def _parts(folder: Path, kind: dual.Kind, run: Mapping, figures: Mapping, *, base: str, split: str) -> list[str]:
    """What the card says of the adapter, in the language that is spoken."""
    settings: dict[str, Any] = run.get("settings") or {}
    scores, data = card_tables.scores(figures), card_metadata.called(settings.get("dataset"))
    words = {"task": say(card_metadata.TASKS[kind.auto_class][1]), "model": kind.stock_class, "base": code(base)}
    words["rank"] = str(_read(folder / ADAPTER).get("r"))
    if data:
        summary = say(
            "{task} with {model}: a LoRA adapter of {base}, of rank {rank}, trained on {data}.",
            data=code(data),
            **words,
        )
    else:
        summary = say("{task} with {model}: a LoRA adapter of {base}, of rank {rank}.", **words)
    parts = [
        f"# {markdown(folder.resolve().parent.name)}: {say('adapter')}",
        summary,
        say("It holds the updates, and the layers that the base model has not; the base model is loaded beside it."),
        f"## {say('How to load it')}",
        say("With `transformers` and `peft`:"),
        f"```python\n{usage(kind, base)}\n```",
        f"{say('With hf_xfmr installed:')} `hf_xfmr {_command(kind)} {card_usage.PLACE} …`",
    ]
    baseline = (figures.get("baseline") or {}).get(split) or {}
    if rows := card_tables.results(scores, baseline, _have_intervals(scores)):
        parts += (
            [f"## {say('Results')}", say("{split}, of the run that trained it:", split=say(split)), rows]
            if scores
            else []
        )
    if training := card_tables.training(run, settings):
        parts += [f"## {say('Training')}", card_tables.table(training)]
    return parts


def usage(kind: dual.Kind, base: str) -> str:
    """Python that loads base and adapter with stock classes."""
    place, auto = card_usage.PLACE, kind.auto_class
    return (
        f"from peft import PeftModel\nfrom transformers import AutoConfig, {auto}, AutoTokenizer\n\n"
        f'config = AutoConfig.from_pretrained("{place}")  # its labels, which the base model has not\n'
        f'model = {auto}.from_pretrained("{base}", config=config)\n'
        f'model = PeftModel.from_pretrained(model, "{place}").eval()\n'
        f'tokenizer = AutoTokenizer.from_pretrained("{place}")'
    )


def _command(kind: dual.Kind) -> str:
    commands = {"AutoModelForCausalLM": "generate", "AutoModelForSeq2SeqLM": "translate"}
    masked = ("AutoModelForMaskedLM", "AutoModelForPreTraining")
    return commands.get(kind.auto_class, "fill" if kind.auto_class in masked else "predict")


def _have_intervals(scores: Mapping[str, Mapping]) -> bool:
    return any("low" in score for score in scores.values())


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
