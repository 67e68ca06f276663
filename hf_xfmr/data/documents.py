"""A corpus's name -> its documents: plain texts, one long text, or the text column of a dataset; whole or streamed."""

from functools import partial
from typing import Any

import pyarrow as pa
from datasets import Dataset
from datasets.table import InMemoryTable

from ..errors import UserError
from ..splits import split_of
from .carve import carve
from .conversations import Conversation, hashed
from .document_sources import sources
from .messages import Chat
from .table import reading
from .table.reading import Reading
from .texts import CORPUS, Documents, DocumentSettings, unescaped
from .wording import listed

__all__ = ["CORPUS", "STREAMED", "DocumentSettings", "Documents", "chat_of", "load_documents"]
SPLITS = ("train", "validation", "test")
STREAMED = (  # what a resumed run sees of it
    "when it is resumed, the train rows read before are read again and must be the same; whether held-out texts are is "
    "not looked at"
)


def chat_of(tokenizer: Any) -> Chat | None:
    """How the tokenizer writes a list of messages, if it has a chat template (and is made already)."""
    if not getattr(tokenizer, "chat_template", None):
        return None
    return lambda messages: tokenizer.apply_chat_template(messages, tokenize=False)


def load_documents(
    name: Any, settings: DocumentSettings, *, chat: Chat | None = None, report: list[str] | None = None
) -> tuple[dict[str, Documents], list[str]]:
    """The documents of a corpus: its splits in the order train, validation, test, and what was done to get them, line
    by line.

    `name` is a `.txt` file (one document, or as `lines` and `separator` say), a folder of `.txt` files (a document
    each, in subfolders too; or train.txt, validation.txt and test.txt, each read as a file alone is), or a dataset with
    a column of texts, as `load_dataset_dict` takes it, or columns of which texts are made; messages as `chat` writes
    them. Raises UserError, one sentence, for what can't be read; `report` gets what was understood before it.
    """
    share = settings.validation_fraction
    if not 0 <= share < 1:
        raise UserError(f"validation_fraction is {share}; it is at least 0 and under 1")
    if settings.streaming and settings.join is not None:
        raise UserError("join makes one text of all documents, which streaming never holds: leave one of them out")
    limits = dict.fromkeys(SPLITS, settings.max_validation_documents) | {"train": settings.max_train_documents}
    if any(limit is not None and limit < 1 for limit in limits.values()):
        raise UserError("max_train_documents and max_validation_documents are at least 1")
    readings: list[Reading] = []
    called = reading.called(name)
    found = sources(name, settings, readings, chat)
    if "train" not in found:
        raise UserError(f"{called} has no train split, only {listed(found)}; there is nothing to train on")
    given = {split: found[split].first(limits[split]) for split in SPLITS if split in found}
    report = [] if report is None else report
    report.append(f"data: {called}")
    try:
        splits = _streams(given, share, report) if settings.streaming else _held(called, given, settings, report)
    finally:  # those of text files are read by now, and rows are counted
        report[1:1] = [*reading.lines(readings), *_said(given)]
    if "validation" in splits:
        splits["validation"] = splits["validation"].first(limits["validation"])
    return {split: splits[split] for split in SPLITS if split in splits}, report


def _said(given: dict[str, Documents]) -> list[str]:
    """What each split says of its texts; once, if all say the same."""
    said = {split: documents.said() for split, documents in given.items()}
    if all(lines == said["train"] for lines in said.values()):
        return said["train"]
    return [f"{split}: {line}" for split, lines in said.items() for line in lines]


def _streams(sources: dict[str, Documents], share: float, report: list[str]) -> dict[str, Documents]:
    if "validation" in sources or not share:
        return sources
    report.append(f"validation: {share:.0%} of the documents of train, by a hash of their text (or prompt)")
    train = sources["train"]
    return sources | {
        "train": train.where(lambda text: split_of(hashed(text), share, 0) == "train"),
        "validation": train.where(lambda text: split_of(hashed(text), share, 0) == "validation"),
    }


def _held(
    name: str, sources: dict[str, Documents], settings: DocumentSettings, report: list[str]
) -> dict[str, Documents]:
    """The splits in memory, each joined to one text if asked, with a validation split."""
    texts: dict[str, list[str]] = {}
    for split, documents in sources.items():
        texts[split] = list(documents)
        if not texts[split]:
            raise UserError(f"{name}: no text of the {split} split has {documents.lacks} in it")
        if documents.empty:
            texts_are = "1 text" if documents.empty == 1 else f"{documents.empty:,} texts"
            report.append(f"left out of {split}: {texts_are} without {documents.lacks}")
        if settings.join is not None:
            report.append(f"joined: the {len(texts[split]):,} texts of {split} are one")
            texts[split] = [unescaped(settings.join).join(texts[split])]
    if "validation" not in texts and settings.validation_fraction:
        _carve(texts, settings.validation_fraction, report)
    return {split: Documents(partial(iter, rows)) for split, rows in texts.items()}


def _carve(texts: dict[str, list[str]], share: float, report: list[str]) -> None:
    """Take a validation split out of train: documents by a hash of their text; of a single text the end."""
    if len(texts["train"]) == 1 and not isinstance(texts["train"][0], Conversation):
        (text,) = texts["train"]
        cut = int(len(text) * (1 - share))
        if not text[:cut].strip() or not text[cut:].strip():
            raise UserError(f"the text's {len(text):,} characters are too few to hold {share:.0%} out for validation")
        texts["train"], texts["validation"] = [text[:cut]], [text[cut:]]
        report.append(f"validation: the last {share:.0%} of the text, {len(text) - cut:,} characters")
        return
    train = texts["train"]
    what = pa.array(list(map(hashed, train)), pa.large_string())
    rows = Dataset(InMemoryTable(pa.table({"text": what, "place": pa.array(range(len(train)))})))
    sides = carve({"train": rows}, "text", validation=share, test=0)
    texts.update({split: [train[place] for place in side["place"]] for split, side in sides.items()})
    name = "prompt" if isinstance(train[0], Conversation) else "text"
    report.append(
        f"validation: {len(texts['validation']):,} documents taken from train by a hash of their {name}, "
        f"{len(texts['train']):,} left"
    )
