"""What a tokenizer made of texts, kept on disk: the second start of a run finds it by the texts' content."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import tokenizers
import transformers
import xxhash

from .. import keeping
from ..processes import is_main
from . import row_hash

LEAST = 4_000_000  # bytes of texts from which it takes a second and more to tokenize them
HASH = b"hf_xfmr.hash"
KEEP_TOKENIZED = "keep the tokens of large data on disk, for the next start (`hf_xfmr cache` shows them)"
OFF = "--keep_tokenized false"


def facts_of(tokenizer: Any) -> dict[str, Any] | None:
    """All that a tokenizer's ids depend on; None for one that does not tell."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    return {
        "class": type(tokenizer).__name__,
        "tokenizer": json.loads(backend.to_str()),
        "inputs": list(tokenizer.model_input_names),
        "tokenizers": tokenizers.__version__,
        "transformers": transformers.__version__,
    }


@dataclass
class Kept:
    """Finds and keeps columns as long as it is `on`; `found`, `written` and `failed` say what became of them."""

    on: bool = True
    found: int = 0
    written: int = 0
    failed: str | None = None

    def columns(
        self,
        texts: pa.Table,
        tokenizers: Sequence[Any],
        settings: Mapping[str, Any],
        make: Callable[[], pa.Table],
        *,
        code: Iterable[ModuleType],
    ) -> pa.Table:
        """What `make` makes of each row of `texts`, by the tokenizers and the settings, or what it made before.

        A table from the disk is mapped into memory. It is taken only if it has as many rows, and the hash that it was
        written with.
        """
        facts = self._facts(tokenizers) if texts.nbytes >= LEAST else None
        if facts is None:
            return make()
        return self._table({**facts, "texts": row_hash.of_table(texts), "settings": settings}, len(texts), make, code)

    def of_texts(
        self,
        texts: Iterable[str],
        tokenizers: Sequence[Any],
        settings: Mapping[str, Any],
        make: Callable[[], pa.Table],
        *,
        code: Iterable[ModuleType],
    ) -> pa.Table | None:
        """The same for texts that are not held, but read once more; None where they are too few to be kept."""
        if not self.on:
            return None
        count, size, sha = 0, 0, xxhash.xxh3_128()
        for text in texts:
            written = text.encode("utf-8", "surrogatepass")
            sha.update(f"{len(written)} ".encode())
            sha.update(written)
            count, size = count + 1, size + len(written)
        facts = self._facts(tokenizers) if size >= LEAST else None
        if facts is None:
            return None
        return self._table({**facts, "texts": sha.hexdigest(), "settings": settings}, count, make, code)

    def _facts(self, tokenizers: Sequence[Any]) -> dict[str, Any] | None:
        """What is known of tokenizers; None if nothing is to be kept of theirs."""
        facts = [facts_of(one) for one in tokenizers] if self.on else [None]
        return None if None in facts else {"tokenizers": facts}

    def _table(
        self, made_of: Mapping[str, Any], count: int, make: Callable[[], pa.Table], code: Iterable[ModuleType]
    ) -> pa.Table:
        name = keeping.key(made_of, code) + ".arrow"
        if (path := keeping.find(name)) is not None:
            table = _read(path)
            if table is not None and len(table) == count:
                self.found += 1
                return table
            keeping.drop(name)
        table = make()
        if is_main() and self.failed is None:
            self.failed = keeping.keep(name, lambda aside: _write(table, aside))
            self.written += self.failed is None
        return table

    def lines(self) -> list[str]:
        """What is to be said of it; nothing where nothing was looked for."""
        if self.failed:
            return [f"tokens are not kept for the next start: {self.failed}"]
        if self.found and not self.written:
            return [f"tokens: as an earlier start kept them in {keeping.folder()} ({OFF} makes them anew)"]
        if self.written:
            return [f"tokens: kept for the next start in {keeping.folder()} ({OFF} keeps none)"]
        return []


def _write(table: pa.Table, path: Path) -> None:
    known = table.replace_schema_metadata({HASH: row_hash.of_table(table).encode()})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, known.schema) as file:
        file.write_table(known)


def _read(path: Path) -> pa.Table | None:
    """The table of a file, mapped; None for one that is damaged."""
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        table.validate(full=True)  # before anything follows an offset
        told = (table.schema.metadata or {}).get(HASH, b"").decode()
        return table if row_hash.of_table(table) == told else None
    except (pa.ArrowException, OSError, ValueError, IndexError):
        return None
