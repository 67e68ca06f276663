"""Prompts continued in batches, token by token: rows that end, stop or have lost their client leave, others go on."""

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .. import engines
from ..errors import UserError
from .batcher import Entry
from .pieces import Pieces
from .subjects import Subject


class Sampling(NamedTuple):
    """How prompts are continued; rows that ask the same are continued together. `alone` keeps the rows of a request
    with a seed to themselves: in company they would be drawn otherwise. None for `seed`: another text each time."""

    max_tokens: int
    temperature: float
    top_k: int
    top_p: float
    stops: tuple[str, ...] = ()
    seed: int | None = None
    alone: int | None = None


class Continued(NamedTuple):
    text: str
    finish_reason: str  # stop: a stop, or the text's end; length: as many tokens as were asked for
    tokens: int
    read: int  # tokens of the prompt


class Continuing(Subject):
    command = "generate"

    def load(self) -> None:
        from ..tasks.language_modeling.generator import Generator

        self.generator = Generator(self.model, engine=self.engine)
        self.tokenizer = self.generator.tokenizer

    def info(self) -> dict[str, Any]:
        return {"task": "generation", "max_input_length": self.positions, "engine": self.generator.place.engine}

    @property
    def positions(self) -> int:
        """The most tokens that a prompt and its continuation have together."""
        return self.generator.positions

    def warm_up(self) -> None:
        self._continue([self.ids("a")], Sampling(2, 0.0, 0, 1.0), 0, lambda row, token: False)

    def ids(self, prompt: str) -> list[int]:
        """A prompt's tokens; those of an empty one are the token with which texts begin."""
        start = self.tokenizer.bos_token or self.tokenizer.eos_token or ""
        return list(self.tokenizer(prompt or start, add_special_tokens=False)["input_ids"])

    def compute(self, entries: Sequence[Entry], asked: Sampling) -> list[Any]:
        if asked.seed is not None and self.generator.place.engine == "ctranslate2":
            raise UserError("seed: CTranslate2 draws otherwise each time; leave it out, or serve the run's own folder")
        prompts = [self.ids(entry.given) for entry in entries]
        answers: list[Any] = [None] * len(entries)
        fitting = []
        for place, ids in enumerate(prompts):
            if len(ids) + asked.max_tokens > self.positions:
                answers[place] = UserError(
                    f"the prompt's {len(ids):,} tokens and max_tokens {asked.max_tokens:,} are more than the "
                    f"{self.positions:,} positions of the model: shorten the prompt or lower max_tokens"
                )
            else:
                fitting.append(place)
        texts = {place: Pieces(self.tokenizer, prompts[place], asked.stops) for place in fitting}
        ended = self.tokenizer.eos_token_id
        finished: set[int] = set()

        def told(row: int, token: int) -> bool:
            """Whether the row is done with this token."""
            place = fitting[row]
            one = texts[place]
            if token == ended:
                finished.add(place)
                return True
            if piece := one.add(token):
                entries[place].say(piece)
            return one.stopped or entries[place].is_over

        if fitting:
            self._continue([prompts[place] for place in fitting], asked, entries[fitting[0]].row, told)
        for place, one in texts.items():
            if rest := one.end():
                entries[place].say(rest)
            reason = "stop" if one.stopped or place in finished else "length"
            answers[place] = Continued(one.text, reason, one.count + (place in finished), len(prompts[place]))
        return answers

    def _continue(
        self, prompts: list[list[int]], asked: Sampling, first: int, told: Callable[[int, int], bool]
    ) -> None:
        """Write on until all rows are done. `first` is the number of the first row within its request: of a request
        with a seed that takes several batches each is drawn otherwise, and alike each time."""
        seed = random.getrandbits(32) if asked.seed is None else (asked.seed + first) % 2**32
        engines.seed(seed, self.generator.place.engine)
        drawn: dict[str, Any] = {"do_sample": False}
        if asked.temperature:
            drawn = {"do_sample": True, "temperature": asked.temperature, "top_k": asked.top_k, "top_p": asked.top_p}
        options = {**self.generator.told(None, **drawn).options, "max_new_tokens": asked.max_tokens}
        self.generator.engine(prompts, options, told)
