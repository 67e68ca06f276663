"""The two tokenizers of a translation model: one shared, one that is both (Marian's), or one for each language."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import processors
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ...errors import UserError

TARGET_FOLDER = "target_tokenizer"  # in a model's folder, where source and target have vocabularies of their own


@dataclass(frozen=True)
class TokenizerPair:
    """Texts to ids that end in the end-of-text token, and ids to texts. `source` may be `target`.

    A tokenizer that knows `text_target`, as Marian's with its two sentence-piece models and one vocabulary, is both.
    """

    source: PreTrainedTokenizerBase
    target: PreTrainedTokenizerBase

    @classmethod
    def from_pretrained(cls, model: str | Path, *, config=None) -> "TokenizerPair":
        """The tokenizers of a folder or a Hub name, for the model's config (None: one tokenizer for both).

        Raises `OSError` if there are none.
        """
        return cls.of(AutoTokenizer.from_pretrained(model, trust_remote_code=False), model, config)

    @classmethod
    def of(cls, source: PreTrainedTokenizerBase, model: str | Path, config=None) -> "TokenizerPair":
        """`source`, and what the model's folder has beside it for the target."""
        apart = config is not None and not getattr(config, "share_encoder_decoder_embeddings", True)
        if not apart or _is_marian(source):
            return cls(source, source)
        return cls(source, AutoTokenizer.from_pretrained(model, subfolder=TARGET_FOLDER, trust_remote_code=False))

    def save_pretrained(self, folder: str | Path) -> None:
        self.source.save_pretrained(folder)
        if self.target is not self.source:
            self.target.save_pretrained(Path(folder) / TARGET_FOLDER)

    def source_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Rows of ids. Raises `UserError` if the tokenizer does not end them with its end-of-text token."""
        return _ended(self.source(list(texts), return_attention_mask=False, verbose=False)["input_ids"], self.source)

    def target_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The same on the target side."""
        words = {"text_target": list(texts)} if _is_marian(self.target) else {"text": list(texts)}
        ids = self.target(**words, return_attention_mask=False, verbose=False)["input_ids"]
        return _ended(ids, self.target)

    def decode(self, rows: Iterable[Sequence[int]]) -> list[str]:
        """Texts of target ids: without special tokens, and without the -100 with which Trainer pads predictions."""
        kept = [[one for one in map(int, row) if one >= 0] for row in rows]
        return self.target.batch_decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def ends_texts(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The tokenizer, made to put its end-of-text token after each text; GPT-2's kinds do not by themselves."""
    eos, number = tokenizer.eos_token, tokenizer.eos_token_id
    if tokenizer("a")["input_ids"][-1:] != [number]:
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=f"$A {eos}", pair=f"$A $B {eos}", special_tokens=[(eos, number)]
        )
    return tokenizer


def _is_marian(tokenizer: PreTrainedTokenizerBase) -> bool:
    return hasattr(tokenizer, "spm_target")


def _ended(rows: list[list[int]], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    if any(not row or row[-1] != tokenizer.eos_token_id for row in rows):
        raise UserError(
            f"{type(tokenizer).__name__} does not end a text with its end-of-text token {tokenizer.eos_token!r}, "
            "without which no translation ends; use a tokenizer that does"
        )
    return rows
