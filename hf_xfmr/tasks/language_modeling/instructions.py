"""Conversations as a corpus: their template, and their blocks of tokens, of which the answers are learned."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
from datasets import Dataset, Features, IterableDataset, List, Value
from datasets.table import InMemoryTable
from transformers import PreTrainedTokenizerBase

from ...data import cache
from ...data.conversations import FLAGS, Conversation
from ...data.documents import STREAMED, Documents
from ...data.wording import listed
from ...errors import UserError
from . import templates
from .examples import OVER_LONG, Example, Tally, examples, pack_whole
from .templates import Template

BLOCK = Features({"input_ids": List(Value("int32")), "learned": List(Value("bool")), "lengths": List(Value("int32"))})


def are(documents: Mapping[str, Documents], settings: Any) -> bool:
    """Whether documents are conversations. Raises UserError for settings that are for the other kind, and where one
    split is and another is not."""
    kinds = {split: isinstance(next(iter(texts), None), Conversation) for split, texts in documents.items()}
    found = [split for split, is_one in kinds.items() if is_one]
    if found and len(found) < len(kinds):
        others = [split for split in kinds if split not in found]
        raise UserError(
            f"{listed(found)} holds prompts with answers, and {listed(others)} plain texts: give all splits the same "
            "columns"
        )
    if settings.over_long not in OVER_LONG:
        raise UserError(f'over_long is "{settings.over_long}"; it can be {", ".join(OVER_LONG)}')
    if found and settings.packing == "concatenate":
        raise UserError(
            "packing is concatenate, where conversations would see one another and be cut by the ends of blocks: leave "
            "it out (documents), or give none for one a block"
        )
    if not found:
        told = [name for name in FLAGS if getattr(settings, name) is not None]
        alone = [*told, *(["template"] if settings.template is not None else [])]
        alone += [name for name, value in (("over_long", "error"), ("packing", "documents"))
                  if getattr(settings, name) not in (value, "concatenate")]  # fmt: skip
        if alone:
            raise UserError(f"{listed(alone)}: for prompts with answers, and these are plain texts: leave it out")
    return bool(found)


def template_of(conversations: Documents, tokenizer: Any, settings: Any) -> Template:
    """The one that is told, the tokenizer's own, or one of ours by the language. Raises UserError for one that leaves
    out what the messages say."""
    if settings.template is not None:
        found = templates.of_name(settings.template)
    else:
        found = templates.of_tokenizer(tokenizer) or templates.for_texts(conversations)
    templates.check_writes(found)
    return found


def written(conversations: Documents, template: Template) -> Documents:
    """As texts, for a tokenizer that is trained on them."""
    return Documents(lambda: (template.written(one, {})[0] for one in conversations))  # type: ignore[arg-type]


def blocks(
    documents: Mapping[str, Documents],
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    settings: Any,
    block_size: int,
) -> tuple[dict[str, Dataset | IterableDataset], list[str]]:
    """The blocks of each split, and what is reported of them."""
    alone = settings.packing == "none"
    packed = "each a block of its own" if alone else f"whole ones packed into blocks of {block_size:,} tokens"
    report = [
        f"template: {template.name}; only answers are learned, their end with them",
        f"packing: {packed}, which do not see one another",
    ]
    splits: dict[str, Dataset | IterableDataset] = {}

    def rows(split: str, tally: Tally) -> Iterator[Example]:
        how = {"limit": block_size, "over_long": settings.over_long, "tally": tally}
        return examples(documents[split], tokenizer, template, **how)  # type: ignore[arg-type]

    for split in documents:
        if settings.streaming:
            splits[split] = _stream(lambda split=split: rows(split, Tally()), block_size, alone)
        else:
            splits[split], lines = _held(split, lambda tally, split=split: rows(split, tally), block_size, alone)
            report += lines
    if settings.streaming:
        report += ["streamed: written, tokenized and packed while it is read, in the corpus's order", STREAMED]
    return splits, report


def _stream(rows: Any, block_size: int, alone: bool) -> IterableDataset:
    def made() -> Iterator[dict]:
        for block in pack_whole(rows(), block_size, alone=alone, sort=False):
            yield {name: values.tolist() for name, values in block.items()}

    with cache.for_streams():
        return IterableDataset.from_generator(made, features=BLOCK)


def _held(split: str, rows: Any, block_size: int, alone: bool) -> tuple[Dataset, list[str]]:
    tally = Tally()
    given = list(rows(tally))
    if not given:
        raise UserError(
            f"every conversation of {split} is longer than block_size, {block_size:,} tokens (the longest "
            f"{tally.longest:,}): raise --block_size"
        )
    found = list(pack_whole(given, block_size, alone=alone))
    kinds = {"input_ids": pa.int32(), "learned": pa.bool_(), "lengths": pa.int32()}
    table = pa.table({name: pa.array([one[name] for one in found], pa.list_(kind)) for name, kind in kinds.items()})
    tokens, learned = (sum(int(of(one)) for one in given) for of in (lambda e: len(e.ids), lambda e: e.learned.sum()))
    line = (
        f"{split}: {len(given):,} conversations, {tokens:,} tokens ({learned:,} of them learned), the longest of "
        f"{tally.longest:,}, in {len(found):,} blocks"
    )
    return Dataset(InMemoryTable(table)), [line, *tally.lines(split, block_size)]
