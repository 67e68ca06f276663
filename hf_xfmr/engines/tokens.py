"""A tokenizer.json without transformers: `tokenizers` alone, asked as transformers' tokenizers are asked here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from ..data.regular import check_regular, read_json
from ..errors import UserError
from ..plain import one_line

_NAMED = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
INPUTS = ("input_ids", "token_type_ids", "attention_mask")


def load(folder: str | Path) -> Any:
    """The tokenizer in an exported folder: a `Tokenizer`, or transformers' own of Marian's two sentence-piece models.
    Raises `UserError` for one that can't be read."""
    path, told = Path(folder) / "tokenizer.json", Path(folder) / "tokenizer_config.json"
    if not path.exists() and (Path(folder) / "source.spm").is_file():
        return _marian(folder)
    check_regular(path, "tokenizer")
    try:
        backend = Backend.from_file(str(path))
    except Exception as error:  # tokenizers has no kind of its own
        raise UserError(f"{path} can't be read ({one_line(error)[:200]}): export the run again") from error
    return Tokenizer(backend, read_json(told, "tokenizer's config"))


def _marian(folder: str | Path) -> Any:
    try:
        from transformers import MarianTokenizer

        return MarianTokenizer.from_pretrained(folder)
    except ImportError:
        raise UserError(
            f"{folder} has the tokenizer of a Marian model, which is read by transformers: pip install transformers "
            "sentencepiece"
        ) from None
    except Exception as error:  # each kind of damage has its own
        raise UserError(f"{folder}: its tokenizer can't be read ({one_line(error)[:200]}): export it again") from error


class Tokenizer:
    """`config` is what tokenizer_config.json says. Rows are lists of ids; nothing is padded, and nothing cut."""

    def __init__(self, backend: Backend, config: dict[str, Any]):
        backend.no_padding()
        backend.no_truncation()
        self.backend_tokenizer = backend
        self.model_input_names = tuple(config.get("model_input_names") or INPUTS)
        self.model_max_length = int(config.get("model_max_length") or 10**30)
        self.padding_side = config.get("padding_side") or "right"
        self.pad_token_type_id = int(config.get("pad_token_type_id") or 0)
        for name in _NAMED:
            token = config.get(f"{name}_token")
            token = token.get("content") if isinstance(token, dict) else token
            setattr(self, f"{name}_token", token)
            setattr(self, f"{name}_token_id", None if token is None else backend.token_to_id(token))

    # Set above, for each of _NAMED; these are asked for.
    pad_token_id: int | None
    mask_token: str | None
    mask_token_id: int | None
    eos_token: str | None
    eos_token_id: int | None
    bos_token: str | None

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        return self.backend_tokenizer.get_added_tokens_decoder()

    def __len__(self) -> int:
        return self.backend_tokenizer.get_vocab_size(with_added_tokens=True)

    def __call__(
        self,
        text: str | Sequence[str],
        text_pair: str | None = None,
        *,
        add_special_tokens: bool = True,
        return_offsets_mapping: bool = False,
        **_: Any,
    ) -> dict[str, list]:
        """`input_ids`, `token_type_ids`, `special_tokens_mask` and, if asked for, `offset_mapping` of a text, with its
        pair, or of each of several: there a list of lists each."""
        alone = text if text_pair is None else (text, text_pair)
        given: list = [alone] if isinstance(text, str) else list(text)
        fast = not return_offsets_mapping  # without offsets it is quicker
        encode = self.backend_tokenizer.encode_batch_fast if fast else self.backend_tokenizer.encode_batch
        found = encode(given, add_special_tokens=add_special_tokens)
        columns: dict[str, list] = {
            "input_ids": [one.ids for one in found],
            "token_type_ids": [one.type_ids for one in found],
            "special_tokens_mask": [one.special_tokens_mask for one in found],
        }
        if return_offsets_mapping:
            columns["offset_mapping"] = [one.offsets for one in found]
        return {name: rows[0] for name, rows in columns.items()} if isinstance(text, str) else columns

    def convert_ids_to_tokens(self, ids: int | Sequence[int]) -> Any:
        """The token of an id, or of each of several."""
        if isinstance(ids, int):
            return self.backend_tokenizer.id_to_token(ids)
        return [self.backend_tokenizer.id_to_token(one) for one in ids]

    def batch_decode(self, rows: Sequence[Sequence[int]], *, skip_special_tokens: bool = False, **_: Any) -> list[str]:
        """The text of each row of ids."""
        return [self.backend_tokenizer.decode(list(row), skip_special_tokens=skip_special_tokens) for row in rows]
