"""What a bare dataset would be as a corpus of texts: its documents, and how to train a language model on them."""

from collections.abc import Sequence

from ...data.conversations import Conversation
from ...data.documents import load_documents
from ...data.part import is_chinese, part_of_documents
from ...errors import UserError
from ...run.console import say
from ...run.settings import of_flags
from ..task import LOOKED_AT, Look
from .data import LanguageModelingSettings

MODELS = {True: "uer/gpt2-chinese-cluecorpussmall", False: "openai-community/gpt2"}


def look(name: str, words: Sequence[str]) -> Look:
    """Raises `UserError` for what no text is known in, with the flags that say it, and for what no run could train on,
    after saying what it was taken for."""
    settings = of_flags(LanguageModelingSettings, words)
    report: list[str] = []
    try:
        splits, _ = load_documents(name, settings, report=report)
    except UserError:
        say(*report[1:])
        raise
    parts = {split: part_of_documents(split, texts, LOOKED_AT) for split, texts in splits.items()}
    train = parts["train"]
    are_asked = isinstance(next(iter(splits["train"]), None), Conversation)
    what = "conversation" if are_asked else "text"
    count = f"{train.total:,}" if train.total is not None else f"more than {len(train):,}"
    problem = f"problem: a language model of {count} {what}{'' if train.total == 1 else 's'}"
    problem += ", learning the answers alone" if are_asked else ""
    return Look([*report[1:], problem], parts, None, "finetune_gpt2", ["--model", MODELS[is_chinese(train)]])
