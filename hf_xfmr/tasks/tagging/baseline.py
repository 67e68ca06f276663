"""What a tagger has to beat: entities known from train looked up, or a conditional random field."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence

from ...errors import UserError
from ...writing import scratch
from .schemes import Entity, entities, write_tags

BASELINES = ("dictionary", "crf", "none")
CRF_ITERATIONS = 60

Words = Sequence[Sequence[str]]


def predict(kind: str, words: Words, tags: Words, test: Words) -> tuple[str, list[list[str]]]:
    """The baseline's name and its BIO tags of the test sentences, learned from the train sentences' words and tags."""
    if kind == "crf":
        return "conditional random field on words, their neighbours and affixes", _crf(words, tags, test)
    return "longest match of entities of train", _dictionary(words, tags, test)


def _dictionary(words: Words, tags: Words, test: Words) -> list[list[str]]:
    """Left to right, the longest run of words that is an entity of train becomes one of its most frequent type, if at
    least half of such finds in train were right."""
    types: dict[tuple, Counter] = defaultdict(Counter)
    gold = [entities(given) for given in tags]
    for sentence, given in zip(words, gold, strict=True):
        for kind, start, end in given:
            types[tuple(sentence[start:end])][kind] += 1
    known = {run: count.most_common(1)[0][0] for run, count in types.items()}
    longest = max(map(len, known), default=0)
    balance: Counter = Counter()
    for sentence, given in zip(words, gold, strict=True):
        right = set(given)
        for found in _look_up(sentence, known, longest):
            balance[tuple(sentence[found.start : found.end])] += 1 if found in right else -1
    known = {run: kind for run, kind in known.items() if balance[run] >= 0}
    return [write_tags(_look_up(sentence, known, longest), len(sentence)) for sentence in test]


def _look_up(sentence: Sequence[str], known: dict[tuple, str], longest: int) -> list[Entity]:
    found, start = [], 0
    while start < len(sentence):
        ends = range(min(len(sentence), start + longest), start, -1)
        end = next((end for end in ends if tuple(sentence[start:end]) in known), None)
        if end is not None:
            found.append(Entity(known[tuple(sentence[start:end])], start, end))
        start = end or start + 1
    return found


def _crf(words: Words, tags: Words, test: Words) -> list[list[str]]:
    try:
        import pycrfsuite
    except ImportError:
        raise UserError("baseline crf needs python-crfsuite: pip install 'hf_xfmr[crf]'") from None
    trainer = pycrfsuite.Trainer(verbose=False)
    for sentence, given in zip(words, tags, strict=True):
        trainer.append(_features(sentence), given)
    trainer.set_params({"c1": 0.1, "c2": 0.01, "max_iterations": CRF_ITERATIONS, "feature.minfreq": 2})
    with scratch("crf-") as folder:
        file = str(folder / "crf")
        trainer.train(file)
        tagger = pycrfsuite.Tagger()
        tagger.open(file)
        return [tagger.tag(_features(sentence)) for sentence in test]


def _features(sentence: Sequence[str]) -> list[list[str]]:
    """Of each word: it and two neighbours on either side, pairs of these, and, in longer words, affixes and case."""
    padded = ["<s>", "<s>", *sentence, "</s>", "</s>"]
    rows = []
    for place, word in enumerate(sentence):
        around = padded[place : place + 5]
        row = ["bias", *(f"{offset}={one}" for offset, one in enumerate(around))]
        row += [f"{offset}:{one}|{two}" for offset, (one, two) in enumerate(itertools.pairwise(around))]
        if len(word) > 1:
            row += [f"prefix={word[:3]}", f"suffix={word[-3:]}", f"title={word.istitle()}", f"upper={word.isupper()}"]
        if any(character.isdigit() for character in word):
            row.append("digit")
        rows.append(row)
    return rows
