"""Texts in, translations out, whatever computes them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NoReturn

from ... import engines
from ...errors import UserError
from ...run import finite, ranges
from ...tokenizer import long_texts
from ..task import task_of
from .tokenizer_pair import TokenizerPair

HEAD = "AutoModelForSeq2SeqLM"
CHUNK = 8  # batches read before the first is written: so many texts are put in order of length
EXTRA_TOKENS = 50  # a translation ends at the source's length and so many tokens (section 6.1 of the paper)


class Translator:
    """A translation model with its tokenizers. Beams, length penalty and so on are those of its generation config."""

    def __init__(self, writer: Any, tokenizers: TokenizerPair, name: str = "the model"):
        self.engine, self.tokenizers, self.name = writer, tokenizers, name

    def __call__(self, texts: Sequence[str], *, batch_size: int = 32, **generate) -> list[str]:
        """The translations, in the order of the texts; computed in batches of like lengths. An empty text stays empty.

        `generate` are options, called as `model.generate` calls them. Raises `UserError` for a text longer than the
        model can read, and for one to which it gives no finite numbers.
        """
        answers = [""] * len(texts)
        places = [place for place, text in enumerate(texts) if text.strip()]
        for place in places:
            long_texts.check_length(texts[place], self.tokenizers.source, engines.positions(self.engine.config))
        rows = self.tokenizers.source_ids([texts[place] for place in places]) if places else []
        for place, ids in zip(places, rows, strict=True):
            check_length(self.engine.config, ids, f"text {place + 1}, {texts[place][:40]!r}…,")
        order = sorted(range(len(rows)), key=lambda row: -len(rows[row]))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            given = [rows[row] for row in batch]
            try:
                written = self.engine(given, limited(self.engine.config, given, generate))
            except finite.NotFinite:
                self._name_the_culprit(texts, [places[row] for row in batch], generate)
            for row, text in zip(batch, self.tokenizers.decode(written), strict=True):
                answers[places[row]] = text
        return answers

    def _name_the_culprit(self, texts: Sequence[str], places: list[int], generate: dict) -> NoReturn:
        """Translate texts one by one until one of them shows that it is the one without finite numbers."""
        if len(places) > 1:
            for place in sorted(places):
                try:
                    self([texts[place]], **generate)
                except UserError:
                    places = [place]
                    break
        what = "text" if len(places) == 1 else "one of the texts read together with text"
        shown = f"{what} {places[0] + 1}, {texts[places[0]][:40]!r}"
        raise finite.error(self.name, shown)


def check_length(config: Any, ids: Sequence[int], what: str) -> None:
    """Raises `UserError` for a text, `what` in words, that is longer than the model of this config reads."""
    most = engines.positions(config)
    if len(ids) > most:
        raise UserError(
            f"{what} has {len(ids):,} tokens, more than the {most:,} that the model can read: translate its "
            "sentences one by one"
        )


def limited(config: Any, rows: Any, options: dict[str, Any]) -> dict[str, Any]:
    """The options, and where they do not say it how many tokens a translation of a batch of rows has at most."""
    if {"max_length", "max_new_tokens"} & set(options):
        return options
    return {**options, "max_length": min(max(map(len, rows)) + EXTRA_TOKENS, engines.positions(config))}


def load_translator(name: str, engine: str | None = None) -> Translator:
    """A translator from a run's folder, an exported one, or a Marian checkpoint. `engine` computes it; None: what the
    folder is for (see `engines.find`)."""
    place = engines.find(name, engine)
    writer: Any = engines.writer(name, HEAD, engine)
    if place.engine != "torch":
        return Translator(writer, TokenizerPair.alone(place.model), name)
    from ...run import adapted  # heavy

    return Translator(writer, adapted.from_pretrained(TokenizerPair, name, config=writer.model.config), name)


def translate(
    model: str,
    texts: Iterable[str],
    *,
    batch_size: int = 32,
    num_beams: int | None = None,
    engine: str | None = None,
) -> Iterator[str]:
    """The translations of texts, in their order; an empty one stays empty. `model` is a folder, exported or not, or a
    Hub name, and the beams are its own unless told. `engine` computes it; None: what the folder is for. Raises
    `UserError` as `Translator`."""
    ranges.check(batch_size=batch_size, num_beams=num_beams)
    task_of(model, "translate", engine)
    translator = load_translator(model, engine)
    options = {} if num_beams is None else {"num_beams": num_beams}
    rest = iter(texts)
    while some := list(islice(rest, CHUNK * batch_size)):
        yield from translator(some, batch_size=batch_size, **options)
