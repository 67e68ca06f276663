"""What the check asks of a task's data before the first step."""

from collections.abc import Callable, Mapping
from typing import Any

from .part import Part, part_of_documents, part_of_rows

Encode = Callable[[list[str]], list[list[int]]]


class Corpus:
    """Base of what each task makes of a dataset. `tokenizer` and `splits` are the task's, `report` its lines."""

    generates = False  # whether the model writes texts, and so has to know where they end
    row_limit: int | None = None  # tokens of a row the model reads at most, special tokens included
    cuts = False  # whether the rest of a longer row is not read
    joined = False  # whether its texts are read as one, so that the length of each says nothing
    label_names: list[str] | None = None

    splits: Mapping[str, Any]
    tokenizer: Any
    report: list[str]

    def held_out(self) -> dict[str, Any]:
        """The rows of each split that is not trained on."""
        return {split: rows for split, rows in self.splits.items() if split != "train"}

    def parts(self, most: int) -> dict[str, Part]:
        """At most `most` rows of each split."""
        return {split: part_of_rows(split, rows, most)[0] for split, rows in self.splits.items()}

    def encoders(self) -> dict[str, tuple[Any, Encode]]:
        """For each text column its tokenizer, and a function from texts to their ids without special tokens."""
        tokenizer = self.tokenizer

        def encode(texts: list[str]) -> list[list[int]]:
            return tokenizer(texts, add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]

        return dict.fromkeys(("text", "text_pair"), (tokenizer, encode))


class DocumentCorpus(Corpus):
    """A corpus made of whole texts."""

    documents: Mapping[str, Any]

    def held_out(self) -> dict[str, Any]:
        """Its texts where they are held in memory, a stream else."""
        rows = super().held_out()
        return {split: list(self.documents[split]) if hasattr(one, "__len__") else one for split, one in rows.items()}

    def parts(self, most: int) -> dict[str, Part]:
        return {split: part_of_documents(split, texts, most) for split, texts in self.documents.items()}
