"""Prompts continued together, token by token. Where the engine can, those that come while others are being written join
them at the next token; whoever ends, stops or has lost its client leaves."""

import random
from collections.abc import Hashable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from .. import engines
from ..engines.drawing import Drawing
from ..errors import UserError
from ..run import finite
from . import refusals
from .batcher import More
from .job import Entry
from .subjects import Answered, Subject
from .written import Prompt, Sampling, Written, check_room


class Continuing(Subject):
    command = "generate"

    def load(self) -> None:
        from ..tasks.language_modeling.generator import Generator

        self.generator = Generator(self.model, engine=self.engine)
        self.tokenizer = self.generator.tokenizer
        self.joins = self.generator.engine.running() is not None

    def info(self) -> dict[str, Any]:
        return {"task": "generation", "max_input_length": self.positions, "engine": self.generator.place.engine}

    @property
    def positions(self) -> int:
        """The most tokens that a prompt and its continuation have together."""
        return self.generator.positions

    def key(self, asked: Sampling) -> Hashable:
        """Prompts of one key are written together: all, or by an engine that draws for a batch those that ask alike."""
        return None if self.joins else asked

    def warm_up(self) -> None:
        with suppress(UserError):  # a tokenizer of some characters may lack this one
            ids = self.ids("a")
            running = self.generator.engine.running()
            if running is None:
                self._continue([ids], Sampling(2, 0.0, 0, 1.0), 0, lambda row, token: False)
                return
            running.join([ids], [Drawing(0.0, 0, 1.0)])
            running.go_on([token or 0 for token in running.draw()])

    def ids(self, prompt: str) -> list[int]:
        """A prompt's tokens; of one without any, the token with which texts begin. Raises `UserError` where there is
        none."""
        start = self.tokenizer.bos_token or self.tokenizer.eos_token or ""
        for text in (prompt, start):
            if found := list(self.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []:
                return found
        raise UserError("a prompt has no token, and the model none that begins a text: give its first words")

    def compute(self, entries: Sequence[Entry], asked: Any, more: More) -> Iterator[Answered]:
        return self._joined(list(entries), more) if self.joins else self._batched(entries, asked)

    def _joined(self, waiting: list[Entry], more: More) -> Iterator[Answered]:
        """Rows of one batch that others join, each answered as soon as it is done."""
        running = self.generator.engine.running()
        assert running is not None
        ends = {*running.ends, self.tokenizer.eos_token_id}
        texts: list[Written] = []
        while waiting or texts:
            new: list[Written] = []
            yield from self._begun(waiting, new, ends)
            if new:
                running.join([one.ids for one in new], [_drawing(one.entry) for one in new])
                texts += new
            done: dict[int, Any] = {}
            tokens = running.draw() if texts else []
            for row, (one, token) in enumerate(zip(texts, tokens, strict=True)):
                if token is None:
                    done[row] = refusals.broken(finite.fault("the model"))
                elif one.take(token):
                    done[row] = one.answer()
            yield from ((texts[row].entry, answer) for row, answer in done.items())
            if done:
                running.leave(list(done))
                texts = [one for row, one in enumerate(texts) if row not in done]
            if texts:
                running.go_on([token for row, token in enumerate(tokens) if row not in done])  # type: ignore[misc]
            waiting = more(self.batch_size - len(texts))

    def _begun(self, entries: Sequence[Entry], found: list[Written], ends: set[int]) -> Iterator[Answered]:
        """Into `found` what can be continued of the entries; yielded are the others."""
        read: dict[str, list[int]] = {}  # of the copies of a prompt one is
        for entry in entries:
            prompt: Prompt = entry.given
            if entry.is_over:
                yield entry, None  # which nobody hears
                continue
            try:
                ids = read[prompt.text] = read.get(prompt.text) or self.ids(prompt.text)
                check_room(ids, prompt.asked, self.positions)
            except UserError as error:
                yield entry, error
                continue
            found.append(Written(entry, ids, self.tokenizer, ends))

    def _batched(self, entries: Sequence[Entry], asked: Sampling) -> Iterator[Answered]:
        """One batch from its first token to the last of its longest text."""
        if asked.seed is not None and self.generator.place.engine == "ctranslate2":
            raise UserError("seed: CTranslate2 draws otherwise each time; leave it out, or serve the run's own folder")
        texts: list[Written] = []
        yield from self._begun(entries, texts, {self.tokenizer.eos_token_id})
        if texts:
            first = texts[0].entry.row
            self._continue([one.ids for one in texts], asked, first, lambda row, token: texts[row].take(token))
        yield from ((one.entry, one.answer()) for one in texts)

    def _continue(self, prompts: list[list[int]], asked: Sampling, first: int, told: Any) -> None:
        """Write on until all rows are done. `first` is the number of the first row within its request: of a request
        with a seed that takes several batches each is drawn otherwise, and alike each time."""
        seed = random.getrandbits(32) if asked.seed is None else (asked.seed + first) % 2**32
        engines.seed(seed, self.generator.place.engine)
        drawn: dict[str, Any] = {"do_sample": False}
        if asked.temperature:
            drawn = {"do_sample": True, "temperature": asked.temperature, "top_k": asked.top_k, "top_p": asked.top_p}
        options = {**self.generator.told(None, **drawn).options, "max_new_tokens": asked.max_tokens}
        self.generator.engine(prompts, options, told)


def _drawing(entry: Entry) -> Drawing:
    asked: Sampling = entry.given.asked
    seed = None if asked.seed is None else f"{asked.seed}/{entry.row}"  # each row of a request otherwise
    return Drawing(asked.temperature, asked.top_k, asked.top_p, seed)
