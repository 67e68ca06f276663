"""Find the entities in texts with a fine-tuned tagger, whatever computes it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from ... import engines
from ...engines.batches import by_length
from ...errors import UserError
from ...run.finite import fault
from ...tokenizer import long_texts
from ...tokenizer.frame import frame_of
from .pieces import Found, grouped, without_overlap

HEAD = "AutoModelForTokenClassification"
WINDOW = 16  # batches that are put in order of length at a time
TOGETHER = 1_000_000  # characters whose tokens are held at a time, about


@dataclass
class _Part:
    """A text, or a part of a long one: its characters begin at `start` of text `number`, and the first `context` of
    them were read with the part before."""

    number: int
    start: int
    context: int
    text: str
    found: list[Found] = field(default_factory=list)
    finite: bool = True


class Tagger:
    """A fine-tuned token classifier and its tokenizer, from a run's folder, an exported one or a Hub name. `engine`
    computes it; None: what the folder is for (see `engines.find`); with `bf16` PyTorch in bfloat16."""

    columns = None  # a text has several entities, or none: no row of a table

    def __init__(self, model: str, *, engine: str | None = None, bf16: bool = False):
        self.name = model
        self.engine = engines.rows(model, HEAD, engine, bf16=bf16)
        self.depends_on: dict = {"engine": self.engine.engine}
        self.tokenizer = self.engine.tokenizer
        self.labels = engines.labels(self.engine.config)
        self.frame = frame_of(self.tokenizer)
        longest = min(self.tokenizer.model_max_length, engines.positions(self.engine.config))
        self.room, self.overlap = longest - self.frame.size, longest // 4
        if self.room <= self.overlap:
            raise UserError(f"{model} reads {longest} tokens, too few for a text between its special ones")

    def summary(self, rows: int, unsure: int) -> None:
        """Nothing: entities are found or not."""

    def __call__(
        self, texts: Iterable[str], pairs: Iterable[str] | None = None, *, batch_size: int = 64
    ) -> Iterator[dict]:
        """For each text {"entities": [{"type", "text", "start", "end", "probability"}]}; characters [start, end), and
        the mean probability of the entity's tokens; {"error"} for a text whose logits are not finite. A long text is
        read in windows that overlap: nothing is cut. Raises `UserError` for pairs."""
        if pairs is not None:
            raise UserError("the model finds entities in single texts: leave --text_pair_column out")
        return self._answers(texts, batch_size)

    def flat(self, answer: dict) -> dict:
        return answer

    def _answers(self, texts: Iterable[str], batch_size: int) -> Iterator[dict]:
        for _, parts in groupby(self._read(_parts(texts, self.tokenizer), batch_size), lambda part: part[0].number):
            finite, entities = True, []
            for part, text in parts:
                finite &= part.finite
                for one in part.found:
                    if one.end > part.context:
                        place = {"start": part.start + one.start, "end": part.start + one.end}
                        words = text[place["start"] : place["end"]]
                        entities.append({"type": one.type, "text": words, **place, "probability": round(one.score, 6)})
            yield {"entities": entities} if finite else {"error": fault(self.name)}

    def _read(self, parts: Iterable[tuple[_Part, str]], batch_size: int) -> Iterator[tuple[_Part, str]]:
        """The same parts with what was found in each; so many are read at a time as make full batches."""
        held: list[tuple[_Part, str]] = []
        characters = 0
        for one in parts:
            held.append(one)
            characters += len(one[0].text)
            if len(held) >= WINDOW * batch_size or characters >= TOGETHER:
                self._find([part for part, _ in held], batch_size)
                yield from held
                held, characters = [], 0
        self._find([part for part, _ in held], batch_size)
        yield from held

    def _find(self, parts: Sequence[_Part], batch_size: int) -> None:
        given = [part for part in parts if part.text.strip()]
        tokens = list(long_texts.tokens_of([part.text for part in given], self.tokenizer, offsets=True))
        spans = [  # (part, its first token, the one after its last)
            (row, start, min(start + self.room, len(one.ids)))
            for row, one in enumerate(tokens)
            for start in self._starts(len(one.ids))
        ]
        before, _, after = self.frame.ids
        found: dict[int, Iterable[Found]] = {}
        ids = [[*before, *tokens[row].ids[first:last], *after] for row, first, last in spans]
        for batch in by_length(ids, batch_size):
            for place, numbers in zip(batch, self.engine([ids[place] for place in batch]), strict=True):
                row, first, last = spans[place]
                own = numbers[len(before) : len(before) + last - first]
                given[row].finite &= bool(np.isfinite(numbers[: len(before) + last - first + len(after)]).all())
                found[place] = self._entities(own, tokens[row].starts[first:last], tokens[row].ends[first:last])
        for place, (row, *_) in enumerate(spans):
            given[row].found += found[place]
        for part, one in zip(given, tokens, strict=True):
            if len(one.ids) > self.room:
                part.found = without_overlap(part.found)

    def _starts(self, length: int) -> range:
        """Where windows begin: each goes on `overlap` tokens before the end of the one before, up to the last token."""
        return range(0, max(1, length - self.overlap), self.room - self.overlap)

    def _entities(self, logits: np.ndarray, starts: Sequence[int], ends: Sequence[int]) -> list[Found]:
        """The entities among the pieces of a window, whose logits are [T, C]."""
        with np.errstate(invalid="ignore", over="ignore"):
            shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
            likeliest = logits.argmax(-1)
            scores = 1 / shares.sum(axis=-1)  # that of the largest logit, whose exponential is 1
        return list(grouped([self.labels[label] for label in likeliest], scores.tolist(), starts, ends))


def _parts(texts: Iterable[str], tokenizer) -> Iterator[tuple[_Part, str]]:
    """Each text with itself, and a long one part after part, which end where sentences do."""
    for number, text in enumerate(texts):
        if len(text) <= long_texts.LONG:
            yield _Part(number, 0, 0, text), text
        else:
            for start, context, part in long_texts.parts(text, tokenizer, sentences=True):
                yield _Part(number, start, context, part), text
