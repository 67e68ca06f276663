"""Rows of instructions or questions with their answers, and rows of messages, as conversations: a model reads all of
one and learns the turns of its assistant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datasets import Dataset

from ..errors import UserError
from . import messages
from .answered import ANSWERS, ASKS, SYSTEM, is_known, of_names
from .messages import as_text
from .row_texts import TextOf
from .texts import DocumentSettings
from .wording import listed, short

ASSISTANT = "assistant"
FLAGS = ("messages_column", "prompt_column", "completion_column", "system_column")
AS_TEXTS = ("text_column", "join_columns", "text_template", "join")  # flags that make plain texts of the same rows


@dataclass(kw_only=True)
class ConversationSettings(DocumentSettings):
    """Which columns hold what a model is asked and what it is to answer; none: known by their names."""

    prompt_column: str | None = field(
        default=None,
        metadata={"help": "column of what is asked; of several, as instruction,input, those that a row has are joined"},
    )
    completion_column: str | None = field(
        default=None, metadata={"help": "column of the answers, of which alone the loss is"}
    )
    system_column: str | None = field(default=None, metadata={"help": "column of what stands before the conversation"})
    messages_column: str | None = field(
        default=None,
        metadata={"help": "column of lists of messages with a role and a content each; the assistant's are learned"},
    )


class Conversation(str):
    """Messages as one text, a blank line between two. `messages` are these, each a `role` (as system, user, assistant)
    and a `content`; `prompt` is what stands before the first that is learned."""

    messages: list[dict[str, str]]
    prompt: str

    def __new__(cls, given: Sequence[Mapping[str, str]]) -> "Conversation":
        made = super().__new__(cls, "\n\n".join(one["content"] for one in given))
        made.messages = [dict(one) for one in given]
        first = next((n for n, one in enumerate(given) if one["role"] == ASSISTANT), len(given))
        made.prompt = "\n\n".join(one["content"] for one in given[:first])
        return made

    def __reduce__(self):
        return Conversation, (self.messages,)

    def asked(self) -> list[dict[str, str]]:
        """The messages before the last that is learned."""
        last = max(n for n, one in enumerate(self.messages) if one["role"] == ASSISTANT)
        return self.messages[:last]

    def answer(self) -> str:
        """The last that is learned."""
        return self.messages[len(self.asked())]["content"]


def hashed(text: str) -> str:
    """That of a text by which its split is chosen: all, but of a conversation the prompt, so that no split asks what
    another has answered."""
    return getattr(text, "prompt", text)


@dataclass
class Turns(TextOf):
    """Rows as conversations."""

    lacks: str = "a prompt and an answer"
    row: int = 0

    def begin(self) -> None:
        super().begin()
        self.row = 0

    def __call__(self, row: Mapping[str, Any]) -> Conversation | None:
        assert self.make is not None
        given: Any = self.make(row)
        self.row += 1
        is_learned = [one["role"] == ASSISTANT and bool(one["content"].strip()) for one in given]
        if not any(is_learned) or is_learned[0]:
            return None
        while given[-1]["role"] != ASSISTANT:  # which nothing answers
            given.pop()
        return Conversation(given)


def of_columns(head: Dataset, called: str, settings: DocumentSettings) -> Turns | None:
    """How the rows of a table, of which `head` are the first, become conversations; None: they are to be texts. Raises
    UserError for flags that name no such columns, or contradict one another."""
    if not isinstance(settings, ConversationSettings):
        return None
    told = [name for name in FLAGS if getattr(settings, name) is not None]
    others = [name for name in AS_TEXTS if getattr(settings, name) is not None]
    if told and others:
        raise UserError(
            f"{listed(told)} make conversations, of which the answers are learned, and {listed(others)} plain texts: "
            "leave one kind out"
        )
    if others:
        return None
    chats = {name: keys for name in head.column_names if (keys := messages.keys_of(head.features[name]))}
    if settings.messages_column is not None:
        if len(told) > 1:
            raise UserError(f"{listed(told)} exclude one another: messages hold prompts and answers")
        return _of_messages(head, settings.messages_column, chats)
    if not told and any(is_known(name) for name in head.column_names):
        return None
    usual = [name for name, keys in chats.items() if messages.are_usual(keys)]
    able = [name for name in head.column_names if messages.is_text(head.features[name]) or name in usual]
    answers = _told(head, settings, "completion_column") or of_names(able, ANSWERS)
    asks = _told(head, settings, "prompt_column") or [one for one in of_names(able, ASKS) if one not in answers]
    if not told and len(usual) == 1 and not (asks and answers):
        return _of_messages(head, usual[0], chats)
    if len(answers) == 1 and asks:
        systems = _told(head, settings, "system_column") or of_names(able, SYSTEM)[:1]
        return _of_pairs(head, asks, answers[0], [one for one in systems if one not in asks], chats)
    if not told and len(answers) < 2:
        _check_texts(head, called)
        return None
    if len(answers) > 1 and asks:
        raise UserError(
            f"{called}: the answers could be those of {listed(answers)}: say which with --completion_column "
            f"{messages.flag(answers[:1])}"
        )
    if not told:
        return None
    lacking = "prompt_column" if answers else "completion_column"
    raise UserError(
        f"{called}: {listed(told)} without its counterpart, which no column's name tells: say it with --{lacking} "
        f"{messages.flag([one for one in able if one not in (*asks, *answers)][:1] or ['COLUMN'])}"
    )


def _check_texts(head: Dataset, called: str) -> None:
    """Raises UserError for what is asked and answered by its columns' names, but holds numbers: not texts to learn as
    any others, nor answers for sure."""
    kinds = {name: getattr(head.features[name], "dtype", "") for name in head.column_names}
    able = [name for name, kind in kinds.items() if messages.is_text(head.features[name]) or kind in _NUMBERS]
    asks = of_names(able, ASKS)
    answers = [name for name in of_names(able, ANSWERS) if name not in asks]
    numbers = [name for name in (*asks, *answers) if kinds[name] in _NUMBERS]
    if not (asks and answers and numbers):
        return
    raise UserError(
        f"{called}: {listed([*asks, *answers])} are called as what is asked and what is answered, but "
        f"{listed(numbers)} hold{'s' * (len(numbers) == 1)} numbers, not texts: to learn them all the same give "
        f"--prompt_column {messages.flag(asks)} --completion_column {messages.flag(answers[:1])}; to learn one column "
        "alone, --text_column names it"
    )


def _told(head: Dataset, settings: ConversationSettings, flag: str) -> list[str]:
    """The columns a flag names, one for all but the prompt's."""
    value = getattr(settings, flag)
    if value is None:
        return []
    several = flag == "prompt_column" and value not in head.column_names
    names = [one.strip() for one in value.split(",")] if several else [value]
    _check_known(head, flag, names)
    return names


def _check_known(head: Dataset, flag: str, names: Sequence[str]) -> None:
    if unknown := [name for name in names if name not in head.column_names]:
        raise UserError(f"{flag} names {listed(unknown)}, but the dataset has {listed(head.column_names)}")


def _of_pairs(
    head: Dataset, asks: list[str], answer: str, systems: list[str], chats: Mapping[str, Sequence[str]]
) -> Turns:
    """A question and its answer, each a text or (a prompt of one column, an answer) messages itself."""
    if answer in asks or answer in systems:
        raise UserError(
            f'completion_column is "{answer}", and so is what stands before the answers: a model would learn to repeat '
            "it; give the column of the answers"
        )
    for name in (*asks, answer, *systems):
        feature = head.features[name]
        if not (name in chats or messages.is_text(feature) or getattr(feature, "dtype", "") in _PLAIN):
            raise UserError(
                f'column "{name}" holds neither texts nor messages, of which a conversation could be made: name others '
                "with --prompt_column and --completion_column"
            )

    def turns(name: str, value: Any, role: str) -> Iterable[dict[str, str]]:
        if name in chats:
            yield from _usual(name, chats[name], value, made.row)
        elif (text := as_text(value)) is not None and text.strip():
            yield {"role": role, "content": text}

    def make(row: Mapping[str, Any]) -> Any:
        before = [one for name in systems for one in turns(name, row.get(name), "system")]
        parts = [one for name in asks for one in turns(name, row.get(name), "user")]
        if parts and all(name not in chats for name in asks):
            parts = [{"role": "user", "content": "\n\n".join(one["content"] for one in parts)}]
        return [*before, *parts, *turns(answer, row.get(answer), ASSISTANT)] if parts else [_NOTHING]

    more = f", behind {listed(systems)}" if systems else ""
    made = Turns(
        [*systems, *asks, answer], make, f'conversations: {listed(asks)} answered by "{answer}", which is learned{more}'
    )
    return made


_NUMBERS = ("int8", "int16", "int32", "int64", "float32", "float64", "bool")
_PLAIN = ("null", *_NUMBERS)  # an answer may be a number
_NOTHING = {"role": "user", "content": ""}


def _of_messages(head: Dataset, column: str, chats: Mapping[str, Sequence[str]]) -> Turns:
    _check_known(head, "messages_column", [column])
    keys = chats.get(column, ())
    if not messages.are_usual(keys):
        raise UserError(
            f'messages_column names "{column}", which holds no lists of messages with a role and a content each: name '
            "another, or --prompt_column and --completion_column"
        )

    def make(row: Mapping[str, Any]) -> Any:
        return [*_usual(column, keys, row.get(column), made.row)] or [_NOTHING]

    made = Turns([column], make, f'conversations: the messages of "{column}", of which the assistant\'s are learned')
    return made


def _usual(column: str, keys: Sequence[str], value: Any, row: int) -> Iterable[dict[str, str]]:
    """Messages with the usual names of roles, and of a role and a content. Raises UserError for one that is no text."""
    role, content = keys
    for message in value or []:
        name, text = message.get(role), message.get(content)
        if not isinstance(name, str) or not isinstance(text, str | None):
            raise UserError(
                f'row {row} (counted from 0): a message of column "{column}" is {short(str(message), 60)}; give each a '
                f"{role} and a {content} that is a text"
            )
        yield {"role": messages.ROLES.get(name, name), "content": text or ""}
