"""The tokenizer of a nanoGPT: the characters of its meta.pkl, or GPT-2's own."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from ..errors import UserError
from ..run import loading
from . import pickles
from .foreign import nothing

META = "meta.pkl"


class Words(NamedTuple):
    """`end` is the id that ends a text, if there is one; `write` writes the tokenizer to a folder."""

    end: int | None
    write: Any
    notes: list[str]


def of_nanogpt(file: Path, loaded: Mapping[str, Any], args: Mapping[str, Any], told: str | None) -> Words:
    """The tokenizer that is `told`, or that of the meta.pkl beside the checkpoint or in nanoGPT's data folder. Raises
    `UserError` for one that does not fit the model."""
    found = Path(told) if told is not None else _beside(file, loaded)
    if found is not None and found.suffix == ".pkl":
        made = of_characters(found, args["vocab_size"], args["block_size"])
        return Words(None, made.save_pretrained, [f"tokenizer: the {len(made):,} characters of {found}"])
    if told is not None:
        made = loading.from_pretrained(AutoTokenizer, told)
        if (largest := max(made.get_vocab().values())) >= args["vocab_size"]:
            raise UserError(
                f"--tokenizer {told} has the id {largest:,}, and the checkpoint only {args['vocab_size']:,} rows: give "
                "the tokenizer that it was trained with"
            )
        return Words(made.eos_token_id, partial(_save, made, args["block_size"]), [f"tokenizer: {told}"])
    end = 50256 if args["vocab_size"] > 50256 else None
    likely = "--tokenizer openai-community/gpt2" if end else f"--tokenizer data/NAME/{META}"
    return Words(end, nothing, [f"tokenizer: none lies beside the checkpoint, and none is written; {likely} adds it"])


def _save(tokenizer: PreTrainedTokenizerBase, longest: int, folder: Path) -> None:
    tokenizer.model_max_length = longest
    tokenizer.save_pretrained(folder)


def _beside(file: Path, loaded: Mapping[str, Any]) -> Path | None:
    run = loaded.get("config")
    dataset = run.get("dataset") if isinstance(run, Mapping) else None
    places = [file.parent / META]
    if isinstance(dataset, str) and dataset and "\0" not in dataset:
        places.append(file.parent.parent / "data" / dataset / META)  # out/ckpt.pt, seen from nanoGPT's folder
    return next((place for place in places if place.is_file()), None)


def of_characters(file: Path, vocab_size: int, longest: int) -> PreTrainedTokenizerFast:
    """A token a character, with the numbers of meta.pkl. It has no other token: none that ends a text, none for other
    characters, of which nanoGPT knows nothing either."""
    meta = pickles.read_plain(file, META)
    numbers = meta.get("stoi") if isinstance(meta, dict) else None
    fits = isinstance(numbers, dict) and all(
        isinstance(one, str) and len(one) == 1 and isinstance(i, int) for one, i in numbers.items()
    )
    if not fits or not numbers or sorted(numbers.values()) != list(range(len(numbers))):
        raise UserError(
            f"{file} has no stoi that numbers characters from 0: give the {META} that nanoGPT's prepare.py wrote"
        )
    if len(numbers) > vocab_size:
        raise UserError(
            f"{file} has {len(numbers):,} characters, and the checkpoint only {vocab_size:,} rows: it is of another one"
        )
    backend = Tokenizer(models.WordLevel(numbers))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    backend.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=longest,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )
