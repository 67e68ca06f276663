"""Find entities in texts with a fine-tuned tagger."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from ...errors import UserError
from ...run import adapted
from ...run.finite import fault
from ...tokenizer import long_texts


class Tagger:
    """A fine-tuned token classifier and its tokenizer, from one folder or Hub name; with `bf16` in bfloat16."""

    columns = None  # a text has several entities, or none: no row of a table

    def __init__(self, model: str, *, bf16: bool = False):
        self.name = model
        self.depends_on: dict = {"precision": "bfloat16"} if bf16 else {}
        tokenizer = adapted.from_pretrained(AutoTokenizer, model)
        loaded = adapted.to_use(AutoModelForTokenClassification, model)
        if bf16:
            loaded.to(torch.bfloat16)
        tokenizer.model_max_length = min(tokenizer.model_max_length, loaded.config.max_position_embeddings)
        self.pipeline = pipeline(
            "token-classification",
            model=loaded,
            tokenizer=tokenizer,
            device="cuda" if torch.cuda.is_available() else "cpu",
            aggregation_strategy="simple",
            stride=tokenizer.model_max_length // 4,  # a long text is read in windows that overlap: nothing is cut
        )
        self.model, self.tokenizer = loaded, tokenizer
        self._finite = True
        loaded.register_forward_hook(self._look)  # the pipeline would take NaN for no entity

    def _look(self, module, given, output) -> None:
        self._finite &= bool(torch.isfinite(output.logits).all())

    def __call__(
        self, texts: Iterable[str], pairs: Iterable[str] | None = None, *, batch_size: int = 64
    ) -> Iterator[dict]:
        """For each text {"entities": [{"type", "text", "start", "end", "probability"}]}; characters [start, end), and
        the mean probability of the entity's tokens; {"error"} for a text whose logits are not finite. Raises
        `UserError` for pairs."""
        if pairs is not None:
            raise UserError("the model finds entities in single texts: leave --text_pair_column out")
        return self._answers(texts, batch_size)

    def _entities(self, text: str, batch_size: int) -> Iterator[dict]:
        """What the pipeline finds; in a long text in one part after another, which end where sentences do: it keeps
        kilobytes for each token."""
        if len(text) <= long_texts.LONG:
            pieces: Iterable[tuple[int, int, str]] = [(0, 0, text)]
        else:
            pieces = long_texts.parts(text, self.pipeline.tokenizer, sentences=True)
        for start, context, part in pieces:
            given: Any = self.pipeline(part, batch_size=batch_size) if part.strip() else []
            for entity in given:
                if entity["end"] > context:
                    yield {**entity, "start": start + int(entity["start"]), "end": start + int(entity["end"])}

    def flat(self, answer: dict) -> dict:
        return answer

    def _answers(self, texts: Iterable[str], batch_size: int) -> Iterator[dict]:
        for text in texts:
            self._finite = True
            found: Any = list(self._entities(text, batch_size)) if text.strip() else []
            if not self._finite:
                yield {"error": fault(self.name)}
                continue
            yield {
                "entities": [
                    {
                        "type": entity["entity_group"],
                        "text": text[entity["start"] : entity["end"]],
                        "start": entity["start"],
                        "end": entity["end"],
                        "probability": round(float(entity["score"]), 6),
                    }
                    for entity in found
                ]
            }
