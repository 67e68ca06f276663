"""Exact match and F1 of answers: as SQuAD's scripts count them, word by word, and as CMRC 2018's does, for Chinese.

SQuAD (Rajpurkar et al. 2016, section 6.1; 2018 for questions without an answer): both are compared in lower case,
without punctuation (ASCII's) and the articles a, an, the; F1 is of bags of words, the best over a question's answers. A
question without an answer is right, with F1 1, if none is given, and else wrong. Where one of two answers has no word
left, the two scripts differ, and this is the second's.

CMRC (Cui et al. 2019, section 3.4): Chinese characters are units, what stands between them is split at white space
(the authors' script asks NLTK there); precision and recall are of the longest run of units in common.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ...data.word_lists import is_mostly_chinese

Score = Callable[[str, str], float]
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = set(string.punctuation)
# What CMRC's script drops: no more and no less.
_CMRC = set("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")


def normalized(text: str) -> str:
    """A text as SQuAD compares it."""
    bare = "".join(one for one in text.lower() if one not in _PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def squad_exact(gold: str, given: str) -> float:
    """1 if the answers are the same to SQuAD's script."""
    return float(normalized(gold) == normalized(given))


def squad_f1(gold: str, given: str) -> float:
    """F1 of the answers' words; where one of them has none, 1 if neither has."""
    there, found = normalized(gold).split(), normalized(given).split()
    if not there or not found:
        return float(there == found)
    same = sum((Counter(there) & Counter(found)).values())
    return 2 * same / (len(there) + len(found))


def units(text: str) -> list[str]:
    """A text in CMRC's units, without its punctuation."""
    kept = (one for one in text.lower() if one not in _CMRC)
    return "".join(f" {one} " if "\u4e00" <= one <= "\u9fa5" else one for one in kept).split()


def cmrc_exact(gold: str, given: str) -> float:
    """1 if the answers are the same to CMRC's script."""
    there, found = ("".join(one for one in text.lower().strip() if one not in _CMRC) for text in (gold, given))
    return float(there == found)


def cmrc_f1(gold: str, given: str) -> float:
    """F1 of the longest run of units in common."""
    there, found = units(gold), units(given)
    return 2 * longest_run(there, found) / max(len(there) + len(found), 1)


def longest_run(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest stretch that stands in both."""
    longest, row = 0, [0] * (len(b) + 1)
    for one in a:
        before, row = row, [0] * (len(b) + 1)
        for place, other in enumerate(b, 1):
            if one == other:
                row[place] = before[place - 1] + 1
                longest = max(longest, row[place])
    return longest


SCORES: dict[str, tuple[Score, Score]] = {"squad": (squad_exact, squad_f1), "cmrc": (cmrc_exact, cmrc_f1)}


def chosen(told: str, texts: Sequence[str]) -> str:
    """The metric that is meant: squad or cmrc; by `auto` that of the script in which most letters are."""
    if told != "auto":
        return told
    letters = [one for text in texts for one in text[:2000] if one.isalpha()][:200_000]
    return "cmrc" if is_mostly_chinese("".join(letters)) else "squad"


def of_question(metric: str, gold: Sequence[str], given: str | None) -> tuple[float, float]:
    """Exact match and F1 of what is `given` (None: no answer) to a question with these answers (none: it has none)."""
    if metric == "squad":  # whose second script takes an answer without a word for none
        gold, given = [one for one in gold if normalized(one)], given if given and normalized(given) else None
    if not gold or given is None:
        right = float(not gold and given is None)
        return right, right
    exact, f1 = SCORES[metric]
    return max(exact(one, given) for one in gold), max(f1(one, given) for one in gold)


def scores(metric: str, gold: Sequence[Sequence[str]], given: Sequence[str | None]) -> np.ndarray:
    """Exact match and F1 of each question, [N, 2]."""
    found = [of_question(metric, there, one) for there, one in zip(gold, given, strict=True)]
    return np.array(found, float).reshape(-1, 2)


def answer_metrics(gold: Sequence[Sequence[str]], each: np.ndarray) -> Mapping[str, float]:
    """`f1` and `exact_match` over all questions, and where some have no answer, also over those that have one, and the
    share of those without that are told (`no_answer_right`). `each` is what `scores` gives."""
    figures = {"f1": float(each[:, 1].mean()), "exact_match": float(each[:, 0].mean())} if len(each) else {}
    has = np.array([bool(one) for one in gold], bool)
    if len(each) and not has.all():
        if has.any():
            figures |= {
                "f1_answerable": float(each[has, 1].mean()),
                "exact_match_answerable": float(each[has, 0].mean()),
            }
        figures["no_answer_right"] = float(each[~has, 0].mean())
    return figures
