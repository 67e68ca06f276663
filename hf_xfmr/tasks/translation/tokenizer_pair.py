"""The two tokenizers of a translation model: one shared, one that is both (Marian's), or one for each language."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import processors

from ...engines import tokens
from ...errors import UserError
from ...tokenizer import long_texts

if TYPE_CHECKING:  # what answers without it imports this too
    from transformers import PreTrainedTokenizerBase

TARGET_FOLDER = "target_tokenizer"  # in a model's folder, where source and target have vocabularies of their own


@dataclass(frozen=True)
class TokenizerPair:
    """Texts to ids that end in the end-of-text token, and ids to texts. `source` may be `target`.

    A tokenizer that knows `text_target`, as Marian's with its two sentence-piece models and one vocabulary, is both.
    """

    source: Any
    target: Any

    @classmethod
    def from_pretrained(cls, model: str | Path, *, config=None) -> "TokenizerPair":
        """The tokenizers of a folder or a Hub name, for the model's config (None: one tokenizer for both).

        Raises `OSError` if there are none.
        """
        from transformers import AutoTokenizer

        return cls.of(AutoTokenizer.from_pretrained(model, trust_remote_code=False), model, config)

    @classmethod
    def alone(cls, folder: str) -> "TokenizerPair":
        """The tokenizers of an exported folder, without transformers, but for a Marian's. Raises `UserError`."""
        source = tokens.load(folder)
        apart = Path(folder) / TARGET_FOLDER
        return cls(source, tokens.load(apart) if apart.is_dir() else source)

    @classmethod
    def of(cls, source: "PreTrainedTokenizerBase", model: str | Path, config=None) -> "TokenizerPair":
        """`source`, and what the model's folder has beside it for the target."""
        apart = config is not None and not getattr(config, "share_encoder_decoder_embeddings", True)
        if not apart or _is_marian(source):
            return cls(source, source)
        from transformers import AutoTokenizer

        return cls(source, AutoTokenizer.from_pretrained(model, subfolder=TARGET_FOLDER, trust_remote_code=False))

    def save_pretrained(self, folder: str | Path) -> None:
        self.source.save_pretrained(folder)
        if self.target is not self.source:
            self.target.save_pretrained(Path(folder) / TARGET_FOLDER)

    def source_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Rows of ids. Raises `UserError` if the tokenizer does not end them with its end-of-text token."""
        return _ended(_ids(texts, self.source, "text"), self.source)

    def target_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The same on the target side."""
        return _ended(_ids(texts, self.target, "text_target" if _is_marian(self.target) else "text"), self.target)

    def decode(self, rows: Iterable[Sequence[int]]) -> list[str]:
        """Texts of target ids: without special tokens, and without the -100 with which Trainer pads predictions."""
        kept = [[one for one in map(int, row) if one >= 0] for row in rows]
        return self.target.batch_decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def ends_texts(tokenizer: "PreTrainedTokenizerBase") -> "PreTrainedTokenizerBase":
    """The tokenizer, made to put its end-of-text token after each text; GPT-2's kinds do not by themselves."""
    eos, number = tokenizer.eos_token, tokenizer.eos_token_id
    if tokenizer("a")["input_ids"][-1:] != [number]:
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=f"$A {eos}", pair=f"$A $B {eos}", special_tokens=[(eos, number)]
        )
    return tokenizer


def _is_marian(tokenizer: Any) -> bool:
    return hasattr(tokenizer, "spm_target")


def _ids(texts: Sequence[str], tokenizer: Any, side: str) -> list[list[int]]:
    """Rows of ids with the special tokens; long texts in parts, see `tokens_of`."""

    long = [len(text) > long_texts.LONG for text in texts]
    probe = ["a" if is_long else text for text, is_long in zip(texts, long, strict=True)]
    rows = tokenizer(**{side: probe}, return_attention_mask=False, verbose=False)["input_ids"] if texts else []
    for place in (place for place, is_long in enumerate(long) if is_long):
        letter, ids = (list(long_texts.ids_of([text], tokenizer, side=side)[0]) for text in ("a", texts[place]))
        ends = len(rows[place]) - len(letter)
        start = next((at for at in range(ends + 1) if rows[place][at : at + len(letter)] == letter), 0)
        rows[place] = [*rows[place][:start], *ids, *rows[place][start + len(letter) :]]
    return rows


def _ended(rows: list[list[int]], tokenizer: Any) -> list[list[int]]:
    if any(not row or row[-1] != tokenizer.eos_token_id for row in rows):
        raise UserError(
            f"{type(tokenizer).__name__} does not end a text with its end-of-text token {tokenizer.eos_token!r}, "
            "without which no translation ends; use a tokenizer that does"
        )
    return rows
