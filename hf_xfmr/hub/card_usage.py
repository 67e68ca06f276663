"""The code of a model card that uses the model, to be pasted; and what it can't do."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..plain import code
from ..report.language import say
from . import dual
from .card_metadata import UNKNOWN, called

PLACE = "OWNER/NAME"  # stands in a folder's card for the repository, until it is pushed
HERE = "import hf_xfmr  # reads a run's folder; from the Hub the code works without this line\n"
_TEXTS = {
    "en": ("I liked it very much.", "Anna works in Oslo.", "Once upon a time", "The weather is {mask} today."),
    "zh": ("我很喜欢。", "王小明在北京工作。", "从前", "今天天气很{mask}。"),
}


def usage(folder: Path, kind: dual.Kind, config: Mapping, settings: Mapping, language: Any) -> str:
    """Python that answers one text with the model in `folder`; empty for a model that no pipeline takes.

    It names the folder as it was given, if that is no way through this machine's other folders, and runs as it stands;
    `for_hub` makes of it what runs anywhere.
    """
    text, names, begin, masked = _TEXTS["zh" if language == "zh" else "en"]
    plain = not folder.is_absolute() and ".." not in folder.parts and re.fullmatch(r"[\w./ -]+", folder.as_posix())
    place = folder.as_posix() if plain else PLACE
    length = trained_length(config, settings)
    cut = f", truncation=True, max_length={length}" if length else ""

    def pipeline(name: str, task: str, options: str, call: str, first: str = "") -> str:
        made = f'{name} = pipeline("{task}", model="{place}"{options})'
        return f"{HERE}from transformers import pipeline\n\n{made}\n{first}print({call})"

    match kind.auto_class:
        case "AutoModelForSequenceClassification":
            problem = config.get("problem_type")
            options = {"multi_label_classification": ", top_k=None", "regression": ', function_to_apply="none"'}
            pair = (config.get("text_window") or {}).get("pair")
            given = f'{{"text": "{text}", "text_pair": "{text}"}}' if pair else f'"{text}"'
            name = "rate" if problem == "regression" else "classify"
            return pipeline(name, "text-classification", cut + options.get(problem or "", ""), f"{name}({given})")
        case "AutoModelForTokenClassification":
            return pipeline("tag", "token-classification", ', aggregation_strategy="simple"', f'tag("{names}")')
        case "AutoModelForQuestionAnswering":  # transformers has no pipeline for it any more
            return _answers(place, "谁在北京工作？" if language == "zh" else "Who works in Oslo?", names)
        case "AutoModelForMaskedLM" | "AutoModelForPreTraining":
            whole = masked.replace("{mask}", "{fill.tokenizer.mask_token}")
            return pipeline("fill", "fill-mask", "", f'fill(f"{whole}")')
        case "AutoModelForCausalLM":
            return pipeline("write", "text-generation", "", f'write("{begin}", max_new_tokens=20)')
        case "AutoModelForSeq2SeqLM":
            return _translation(place, text, min(128, config.get("max_position_embeddings", 256) // 2))
    return ""


def _answers(place: str, question: str, context: str) -> str:
    return f'''{HERE}from transformers import AutoModelForQuestionAnswering, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{place}")
model = AutoModelForQuestionAnswering.from_pretrained("{place}")
given = tokenizer("{question}", "{context}", return_tensors="pt")
scores = model(**given)
start = int(scores.start_logits[0].argmax())
end = start + int(scores.end_logits[0, start:].argmax())
print(tokenizer.decode(given.input_ids[0, start : end + 1]))  # the first token: there is no answer'''


def _translation(place: str, text: str, most: int) -> str:
    return f'''{HERE}from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{place}")
model = AutoModelForSeq2SeqLM.from_pretrained("{place}")
ids = model.generate(tokenizer(["{text}"], return_tensors="pt").input_ids, max_new_tokens={most})
print(tokenizer.batch_decode(ids, skip_special_tokens=True))'''


def for_hub(part: str, repo_id: str) -> str:
    """Our part of a folder's card as it stands in a repository: its code names that, and needs nothing of ours."""
    begin, line, rest = part.partition(HERE)
    if line:
        block, end, rest = rest.partition("```")
        for before in ('model="', 'from_pretrained("'):
            pieces = block.split(before)
            block = before.join([pieces[0], *(repo_id + one[one.index('"') :] for one in pieces[1:])])
        part = begin + block + end + rest
    return part.replace(PLACE, repo_id)


def trained_length(config: Mapping, settings: Mapping) -> int | None:
    """The most tokens of a text that the model saw at once while it was trained; None: no less than it can read."""
    window = (config.get("text_window") or {}).get("max_length")
    return window or settings.get("max_length") or settings.get("block_size")


def limits(kind: dual.Kind, config: Mapping, settings: Mapping, scores: Mapping, license: str | None) -> str:
    """What the model can't do, as Markdown's list."""
    dataset, lines = called(settings.get("dataset")), []
    if dataset:
        lines.append(
            say(
                "It has learned from {data} alone: on texts of another kind or language expect less.",
                data=code(dataset),
            )
        )
    positions = kind.config_class.from_dict(dict(config)).longest_row
    length = trained_length(config, settings)
    if length and length != positions:
        lines.append(say("It was trained on at most {n} tokens at a time: what lies beyond was cut off or in another "
                         "row.", n=f"{length:,}"))  # fmt: skip
    if positions:
        lines.append(say("It reads at most {n} tokens at a time.", n=f"{positions:,}"))
    labels = config.get("id2label") or {0: "", 1: ""}  # two, if they have no names
    if kind.auto_class == "AutoModelForSequenceClassification" and len(labels) > 1 and dataset:
        lines.append(say("It always gives one of its labels, also for a text to which none applies."))
    if kind.auto_class in ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM"):
        lines.append(
            say("What it writes may be wrong, and repeats what its training texts hold, their prejudices too.")
        )
    if not scores:
        lines.append(say("No results on held-out data are known."))
    elif any("low" in score for score in scores.values()):
        lines.append(say("The intervals are of the test rows drawn, not of training anew with other seeds."))
    if license in (None, UNKNOWN):
        lines.append(no_license())
    return "\n".join(f"- {line}" for line in lines)


def no_license() -> str:
    return say(
        "No licence is named: ask who made it before you use it; whoever made it names one with "
        "`hf_xfmr push … --license apache-2.0`."
    )


def temperature(config: Mapping[str, Any]) -> str:
    """What the probabilities need, if a temperature was fitted and kept."""
    found = config.get("calibration_temperature")
    if not found:
        return ""
    return say(
        "Its probabilities are calibrated with the temperature {t}, which was fitted on validation rows: `hf_xfmr "
        "predict` divides the logits by it before the softmax, and a pipeline does not.",
        t=f"{found:.3g}",
    )
