"""A tokenizer that was trained alone, as an object."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from ..tokenizer import format_report


class TrainedTokenizer:
    """A tokenizer and its figures on held-out texts. Where a name of a tokenizer is wanted, it will do itself."""

    def __init__(self, folder: str | os.PathLike, metrics: dict[str, float]):
        self.folder, self.metrics = Path(folder), metrics

    @cached_property
    def tokenizer(self) -> Any:
        return AutoTokenizer.from_pretrained(self.folder)

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        return f"{self.folder}: a tokenizer\n{format_report(self.metrics)}"
