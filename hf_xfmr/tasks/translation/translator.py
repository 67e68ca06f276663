"""Texts in, translations out: `Translator`, and `pipeline("xfmr-translation")`, for stock has none any more."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NoReturn

import torch
from transformers import AutoModelForSeq2SeqLM, Pipeline
from transformers.pipelines import PIPELINE_REGISTRY

from ...errors import UserError
from ...models.transformer import XfmrForConditionalGeneration
from ...run import adapted, finite, ranges
from ...tokenizer import long_texts
from ...training.many_processes import in_parts, is_spread
from ..task import task_of
from .tokenizer_pair import TokenizerPair

TASK = "xfmr-translation"
CHUNK = 8  # batches read before the first is written: so many texts are put in order of length
EXTRA_TOKENS = 50  # a translation ends at the source's length and so many tokens (section 6.1 of the paper)


class Translator:
    """A translation model with its tokenizers. Beams, length penalty and so on are those of its generation config."""

    def __init__(self, model, tokenizers: TokenizerPair):
        self.model, self.tokenizers = model, tokenizers

    def __call__(self, texts: Sequence[str], *, batch_size: int = 32, **generate) -> list[str]:
        """The translations, in the order of the texts; computed in batches of like lengths. An empty text stays empty.

        `generate` are options of `model.generate`. Raises `UserError` for a text longer than the model can read, and
        for one to which it gives no finite numbers.
        """
        answers = [""] * len(texts)
        places = [place for place, text in enumerate(texts) if text.strip()]
        for place in places:
            long_texts.check_length(texts[place], self.tokenizers.source, self.model.config.max_position_embeddings)
        rows = self.tokenizers.source_ids([texts[place] for place in places]) if places else []
        for place, ids in zip(places, rows, strict=True):
            _check_length(self.model, ids, f"text {place + 1}, {texts[place][:40]!r}…,")
        order = sorted(range(len(rows)), key=lambda row: -len(rows[row]))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            try:
                with finite.watched(self.model):
                    written = generated(self.model, self._inputs([rows[row] for row in batch]), generate)
            except finite.NotFinite:
                self._name_the_culprit(texts, [places[row] for row in batch], generate)
            for row, text in zip(batch, self.tokenizers.decode(written.tolist()), strict=True):
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
        raise finite.error(str(self.model.name_or_path) or "the model", shown)

    def _inputs(self, rows: list[list[int]]) -> dict[str, torch.Tensor]:
        width = max(map(len, rows))
        padding = self.tokenizers.source.pad_token_id
        return {
            "input_ids": torch.tensor([[*row, *[padding] * (width - len(row))] for row in rows]),
            "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
        }


def _check_length(model, ids: list[int], what: str) -> None:
    longest = model.config.max_position_embeddings
    if len(ids) > longest:
        raise UserError(
            f"{what} has {len(ids):,} tokens, more than the {longest:,} that the model can read: translate its "
            "sentences one by one"
        )


@torch.no_grad()  # in inference_mode autocast would cast all weights anew for each word
def generated(model, inputs: dict[str, torch.Tensor], options: dict) -> torch.Tensor:
    """What `model.generate` writes for a batch, ids (B, T), in evaluation mode; the model's mode is left as it was."""
    if not {"max_length", "max_new_tokens"} & set(options):
        longest = min(inputs["input_ids"].size(1) + EXTRA_TOKENS, model.config.max_position_embeddings)
        options = {**options, "max_length": longest}
    if is_spread(model):
        options = {**options, "synced_gpus": True}
    was_training = model.training
    model.eval()
    try:
        with in_parts(model):
            return model.generate(**{name: tensor.to(model.device) for name, tensor in inputs.items()}, **options)
    finally:
        model.train(was_training)


def load_translator(name: str, **options) -> Translator:
    """A translator from a run's folder or from a Marian checkpoint. `options` are those of `from_pretrained`."""
    model = adapted.to_use(XfmrForConditionalGeneration, name, **options)
    tokenizers = adapted.from_pretrained(TokenizerPair, name, config=model.config)
    return Translator(model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizers)


def translate(model: str, texts: Iterable[str], *, batch_size: int = 32, num_beams: int | None = None) -> Iterator[str]:
    """The translations of texts, in their order; an empty one stays empty. `model` is a folder or a Hub name, and the
    beams are its own unless told. Raises `UserError` as `Translator`."""
    ranges.check(batch_size=batch_size, num_beams=num_beams)
    task_of(model, "translate")
    translator = load_translator(model)
    options = {} if num_beams is None else {"num_beams": num_beams}
    rest = iter(texts)
    while some := list(islice(rest, CHUNK * batch_size)):
        yield from translator(some, batch_size=batch_size, **options)


class TranslationPipeline(Pipeline):
    """`pipeline("xfmr-translation", model)(text or texts)`: [{"translation_text": text}, ...].

    Further arguments, when it is made or called, are options of `model.generate`, such as `num_beams`.
    """

    _load_processor = _load_image_processor = _load_feature_extractor = False  # type: ignore[assignment]
    _load_tokenizer = True  # type: ignore[assignment]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        assert self.tokenizer is not None
        self.tokenizers = TokenizerPair.of(self.tokenizer, str(self.model.name_or_path), self.model.config)

    def _sanitize_parameters(self, **generate):
        return {}, generate, {}

    def preprocess(self, text: str) -> dict[str, torch.Tensor]:  # type: ignore[override]
        ids = self.tokenizers.source_ids([text])[0]
        _check_length(self.model, ids, f"{text[:40]!r}…")
        return {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.int64)}

    def _forward(self, inputs, **generate):  # type: ignore[override]
        return {"ids": generated(self.model, inputs, generate)}

    def postprocess(self, outputs) -> dict[str, str]:  # type: ignore[override]
        return {"translation_text": self.tokenizers.decode(outputs["ids"].tolist())[0]}

    def __call__(self, texts, **options):  # type: ignore[override]
        answers = super().__call__(texts, **options)
        return [answers] if isinstance(texts, str) else answers  # a list in any case, as stock's gave


PIPELINE_REGISTRY.register_pipeline(
    TASK, pipeline_class=TranslationPipeline, pt_model=AutoModelForSeq2SeqLM, type="text"
)
