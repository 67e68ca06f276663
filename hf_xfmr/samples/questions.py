"""Questions made by rule of real sentences, where no corpus of questions may be had: judge figures by that.

A context is a few sentences; a question takes one part out of one of them, and the answer is that part. A question in
five is about another context of the same split, and has no answer here.
"""

import heapq
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..splits import position, split_of
from .readers import MSRA_TAGS, Rows, msra_ner, tatoeba_en_fr

_SUBJECT = r"(?P<subject>(?:My|His|Her|Our|Their|The|This|That)(?: [a-z]+){1,2}?|[A-Z][a-z]+)"
_VERB = (
    r"(?:is|was|has|had|will|can|went|came|got|made|took|gave|told|asked|wants|likes|wanted|looked|said|left|found|"
    r"broke|works|lives|lived|bought|lost|seems|needs|knows|loves|speaks|plays|died|stopped|began|became|sent|caught|"
    r"saw|put|ran|fell|brought|kept|sat|stood|won|spent|wrote|opened|helped|called|used|married|visited)"
)
_SENTENCE = re.compile(rf"{_SUBJECT} (?P<rest>{_VERB} [^?!\"]{{8,80}})\.")
_NO_SUBJECTS = {  # words that begin sentences and name nobody and nothing
    *("It", "He", "She", "They", "We", "You", "I", "There", "That", "This", "These", "What", "Who", "One", "Everyone"),
    *(
        "Nobody",
        "Everybody",
        "Someone",
        "Everything",
        "Nothing",
        "Something",
        "Here",
        "Both",
        "Another",
        "How",
        "Where",
    ),
    *(
        "When",
        "Why",
        "Which",
        "Whoever",
        "Please",
        "Not",
        "No",
        "If",
        "Maybe",
        "Somebody",
        "All",
        "Each",
        "Only",
        "Now",
    ),
    *("Then", "Time", "Today", "Yesterday", "Tomorrow", "Mine", "Neither", "Either", "Whatever", "Such", "Anyone"),
    "Anybody",
}
SENTENCES = 6  # of an English context
ASKED = 4  # questions of a context at most
UNANSWERED = 5  # of which one is about another context
CHARACTERS = 120  # of a Chinese context at least
_ASKS = {"PER": "谁", "LOC": "哪里", "ORG": "哪个机构"}
_CLAUSE = re.compile("[^，。；：！？、]+")
_LONG_ENOUGH = range(6, 41)  # characters of a Chinese clause that is asked about


class _Asked(NamedTuple):
    question: str
    answer: str
    start: int


def tatoeba_questions(archive: bytes) -> Rows:
    """`The old man sat down.` is asked about as `Who or what sat down?`."""
    sentences = {row["translation"]["en"] for _, row in tatoeba_en_fr(archive)}
    by_subject: dict[str, list[re.Match]] = {}
    for sentence in sorted(sentences, key=lambda one: (position(one), one)):
        match = _SENTENCE.fullmatch(sentence)
        if match and match["subject"] not in _NO_SUBJECTS:
            by_subject.setdefault(match["subject"], []).append(match)
    yield from _rows(_english(by_subject), "tatoeba")


def _english(by_subject: dict[str, list[re.Match]]) -> Iterator[tuple[str, list[_Asked]]]:
    """Contexts whose sentences have subjects of their own, as long as there are enough of these."""
    rank = {one: position(one) for one in by_subject}
    while len(by_subject) >= SENTENCES:
        commonest = heapq.nsmallest(SENTENCES - 1, by_subject, key=lambda one: (-len(by_subject[one]), rank[one]))
        rarer = min((one for one in by_subject if one not in commonest), key=rank.__getitem__)
        taken = [by_subject[one].pop() for one in (*commonest, rarer)]
        by_subject = {one: left for one, left in by_subject.items() if left}
        taken.sort(key=lambda one: position(one[0]))
        starts = [sum(len(one[0]) + 1 for one in taken[:place]) for place in range(len(taken))]
        asked = [
            _Asked(f"Who or what {one['rest']}?", one["subject"], start)
            for one, start in zip(taken, starts, strict=True)
        ]
        yield " ".join(one[0] for one in taken), asked[:ASKED]


def msra_questions(archive: bytes) -> Rows:
    """`王小明在北京开会` is asked about as `谁在北京开会？`: neighbouring sentences of news are a context."""
    yield from _rows(_chinese(archive), "msra")


def _chinese(archive: bytes) -> Iterator[tuple[str, list[_Asked]]]:
    context = ""
    asked: list[_Asked] = []
    for _, row in msra_ner(archive):
        asked += _clauses("".join(row["tokens"]), row["ner_tags"], len(context))
        context += "".join(row["tokens"])
        if len(context) >= CHARACTERS:
            if kept := [one for one in asked if context.count(one.question) == 0][:ASKED]:
                yield context, kept
            context, asked = "", []


def _clauses(text: str, tags: Sequence[int], shift: int) -> Iterator[_Asked]:
    """A question about each clause of a sentence that has one entity, and no second place for it."""
    names = [MSRA_TAGS[tag] for tag in tags]
    for clause in _CLAUSE.finditer(text):
        first, last = clause.span()
        begins = [place for place in range(first, last) if names[place][0] in "BS"]
        if len(begins) != 1 or last - first not in _LONG_ENOUGH:
            continue
        start = begins[0]
        end = next((place for place in range(start + 1, last) if names[place][0] not in "ME"), last)
        kind = names[start].partition("-")[2]
        if kind not in _ASKS or end - start == last - first or text.count(text[start:end]) > 1:
            continue
        yield _Asked(f"{text[first:start]}{_ASKS[kind]}{text[end:last]}？", text[start:end], shift + start)


def _may_be_about(question: str, context: str) -> bool:
    """Whether what stands around the asking word stands in the context too, so that there may be an answer."""
    parts = re.split("|".join(["Who or what ", *_ASKS.values()]), question.rstrip("?？"), maxsplit=1)
    return all(part in context for part in parts)


def _rows(contexts: Iterator[tuple[str, list[_Asked]]], name: str) -> Rows:
    before: dict[str, _Asked] = {}  # of each split a question of an earlier context
    count = 0
    for number, (context, asked) in enumerate(contexts, 1):
        split = split_of(context)
        for place, one in enumerate(asked):
            count += 1
            answers = {"text": [one.answer], "answer_start": [one.start]}
            question = one.question
            if count % UNANSWERED == 0 and split in before and not _may_be_about(before[split].question, context):
                question, answers = before[split].question, {"text": [], "answer_start": []}
            yield (
                split,
                {"question": question, "context": context, "answers": answers, "id": f"{name}-{number}-{place}"},
            )
        before[split] = asked[0]
