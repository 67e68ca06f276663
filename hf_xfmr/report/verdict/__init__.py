"""What a run's figures mean, said once for terminal, report, card and `compare`: is the model better than a simple
thing, is that sure or chance, what should be heeded, and what to do next.

A verdict is data, written into run.json and report.json as `verdict`:

    level       better, tie, worse (than the strongest rival), useless (no better than an answer given unread), unsure
    claim       what is claimed: `figure`, `value`, `low`, `high`, `rows`, `unit`, `split`; `rivals`, each what
                `comparison.figure` gives (`a` the rival's, `b` the model's) with its `kind`, `answer` and `outcome`;
                `decisive`, the number of the one that decides; `one_answer`, if all rows got the same. Null where
                nothing can be told: the first warning says why
    warnings    [{"kind", facts ..., "text", "try"}], the weightiest first; `try` are flags to paste, or null
    sentence, why, next    in English, made of the above

`words(verdict, "zh")` says the same in Chinese: facts are kept apart from their wording (english.py, chinese.py).
"""

from collections.abc import Sequence
from typing import Any

from ..comparison import outcome
from . import chinese, english

Verdict = dict[str, Any]
Rival = dict[str, Any]  # what `comparison.figure` gives, `a` the rival's and `b` the model's; and its `kind`, `answer`
LEVELS = ("better", "tie", "worse", "useless", "unsure")
_LANGUAGES = {"en": english, "zh": chinese}


def judge(
    figure: str,
    value: float,
    rivals: Sequence[Rival],
    *,
    rows: int,
    unit: str,
    split: str,
    interval: tuple[float, float] | None = None,
    unread: bool = True,
    one_answer: str | None = None,
    hopeless: bool = False,
    warnings: Sequence[dict] = (),
) -> Verdict:
    """The verdict on a model whose `figure` on `rows` of a split has a `value`.

    `rivals` has, the weakest first, what the model was set against; the first answers without reading (`unread`) or
    is itself a method. `one_answer` is what every row got, if it is always the same. `hopeless`: the figure is of no
    use whatever the rivals do. `unit` is what a row is: rows, sentences, documents, windows, pairs.
    """
    low, high = interval or (None, None)
    claim = {
        "figure": figure,
        "value": value,
        "low": low,
        "high": high,
        "rows": rows,
        "unit": unit,
        "split": split,
        "rivals": [one | {"outcome": outcome(one)} for one in rivals],
        "one_answer": one_answer,
    }
    level, decisive = _level(rivals, unread, one_answer is not None or hopeless)
    return _finished({"level": level, "claim": claim | {"decisive": decisive}, "warnings": list(warnings)})


def heeding(verdict: Verdict, warnings: Sequence[dict]) -> Verdict:
    """The same verdict with other warnings."""
    return _finished({"level": verdict["level"], "claim": verdict["claim"], "warnings": list(warnings)})


def nothing_held_out() -> Verdict:
    """The verdict on a model for which no row was kept to measure on."""
    return untold("nothing_held_out", try_="--validation_fraction 0.1")


def untold(reason: str, *, try_: str | None = None, **about: Any) -> Verdict:
    """The verdict on a model of which the rows tell nothing, for a reason that has words like a warning."""
    return _finished({"level": "unsure", "claim": None, "warnings": [{"kind": reason, "try": try_, **about}]})


def _level(rivals: Sequence[Rival], unread: bool, useless: bool) -> tuple[str, int | None]:
    """The level, and which rival decides it."""
    if not rivals:
        return ("useless" if useless else "unsure"), None
    outcomes = [outcome(one) for one in rivals]
    if useless or (unread and outcomes[0] in ("tie", "worse")):
        return "useless", 0
    if unread and outcomes[0] == "unsure":
        lost = next((place for place, one in enumerate(outcomes) if one == "worse"), None)
        return ("unsure", 0) if lost is None else ("worse", lost)
    least = -1.0 if rivals[0]["better"] == "lower" else 1.0
    read = range(1, len(rivals)) if unread and len(rivals) > 1 else range(len(rivals))
    strongest = max(read, key=lambda place: least * rivals[place]["a"])
    return outcomes[strongest], strongest


def _finished(verdict: Verdict) -> Verdict:
    verdict["warnings"] = [{"try": None, **one} for one in verdict["warnings"]]
    said = words(verdict)
    texts = [one["text"] for one in said["warnings"]]
    warnings = [one | {"text": text} for one, text in zip(verdict["warnings"], texts, strict=True)]
    return verdict | {"warnings": warnings, "sentence": said["sentence"], "why": said["why"], "next": said["next"]}


def words(verdict: Verdict, language: str = "en") -> dict[str, Any]:
    """`sentence`, `why`, `next` and `warnings` ([{"text", "try"}]) of a verdict in a language: en or zh."""
    tongue = _LANGUAGES[language]
    warnings = [{"text": tongue.warning(one), "try": one["try"]} for one in verdict["warnings"]]
    claim = verdict["claim"]
    if claim is None:
        sentence = f"{tongue.UNTOLD}{warnings[0]['text']}{tongue.STOP}"
    else:
        sentence = tongue.sentence(verdict["level"], claim)
    return {
        "sentence": sentence,
        "why": "" if claim is None else tongue.why(claim),
        "warnings": warnings,
        "next": tongue.following(
            verdict["level"],
            next((one["try"] for one in warnings if one["try"]), None),
            None if claim is None else claim["figure"],
        ),
    }


def remark(fact: dict, language: str) -> str:
    """What a warning's fact is in words, as a sentence."""
    tongue = _LANGUAGES[language]
    return f"{tongue.warning(fact)}{tongue.STOP}"


def spoken(verdict: Verdict, language: str) -> dict[str, Any]:
    """The same for a page, with the `level`: the warnings without that which the sentence has said."""
    said = words(verdict, language)
    heeded = said["warnings"] if verdict["claim"] else said["warnings"][1:]
    return {**said, "level": verdict["level"], "warnings": heeded}


def compared(figure: dict[str, Any], *, rows: int, split: str, language: str = "en") -> str:
    """Which of two runs is better, and whether that is sure: a sentence of what `comparison.figure` gave of them."""
    return _LANGUAGES[language].compared(outcome(figure), figure, rows, split)


def short(figure: dict[str, Any], language: str = "en") -> str:
    """The same in a few words, for a line of a table."""
    return str(_LANGUAGES[language].SHORT[outcome(figure)])
