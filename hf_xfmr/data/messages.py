"""Conversations, lists of messages with a role and a content each, and templates: how they are written as texts."""

import json
import shlex
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import UserError
from .texts import unescaped
from .wording import listed

Chat = Callable[[list[dict]], str]  # messages of `role` and `content` -> text

ROLE, CONTENT = ("role", "from", "speaker"), ("content", "value", "text", "message", "utterance")
ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant"}  # ShareGPT's names


def as_text(value: Any) -> str | None:
    """A cell as a text: of a list the texts of its values, a line each."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    return json.dumps(value, ensure_ascii=False)


def is_text(feature: Any) -> bool:
    """Whether a column's feature is that of texts."""
    return getattr(feature, "dtype", None) in ("string", "large_string")


def flag(names: Sequence[str]) -> str:
    """Names as the value of a flag, to be pasted into a shell."""
    return shlex.quote(",".join(names))


def keys_of(feature: Any) -> tuple[str, ...]:
    """The keys of role and content, if a column's feature is that of lists of messages; of other lists of objects those
    of their texts, as `human` and `assistant` of turns. Of any other column none."""
    inner = getattr(feature, "feature", feature[0] if isinstance(feature, list) and feature else None)
    if not isinstance(inner, Mapping):
        return ()
    roles, contents = ([key for key in keys if key in inner] for keys in (ROLE, CONTENT))
    if roles and contents:
        return roles[0], contents[0]
    return tuple(key for key in inner if getattr(inner[key], "dtype", None) in ("string", "large_string"))


def are_usual(keys: Sequence[str]) -> bool:
    """Whether they are those of a message, its role and its content."""
    return len(keys) == 2 and keys[0] in ROLE and keys[1] in CONTENT


def refused(called: str, name: str, keys: Sequence[str], chat: Chat | None) -> UserError:
    """What is said of a table of conversations of which no flag says how they are written."""
    own = "or leave --text_template out for the tokenizer's chat template"
    return UserError(
        f'{called} is a table of conversations (column "{name}", lists of {listed(keys)}), and what is '
        "trained here reads plain texts, learning every token of them: say how a message is written with "
        f"--join_columns {flag([name])} --text_template {_template(keys)} "
        f"({own if chat and are_usual(keys) else 'the tokenizer has no chat template'})"
    )


def _template(keys: Sequence[str]) -> str:
    return shlex.quote((": " if are_usual(keys) else r"\n").join(f"{{{key}}}" for key in keys))


def fields(template: str) -> list[str]:
    """The columns a template names. Raises UserError if there are none, or if it can't be read."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UserError(f"text_template {template!r} can't be read ({error}); write columns as {{column}}") from None
    names = [name for _, name, _, _ in parts if name is not None]
    if not names or any(spec or conversion for _, _, spec, conversion in parts) or "" in names:
        raise UserError(f"text_template {template!r} names no column: write each as {{column}}, and a brace as {{{{")
    return names


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with each name in braces as its value."""
    return "".join(text + (values[name] if name else "") for text, name, _, _ in string.Formatter().parse(template))


def renderer(name: str, keys: Sequence[str], template: str | None, chat: Chat | None) -> Callable[[Any], str | None]:
    """What writes a conversation of the column `name`: each message by the template, a line each, or the tokenizer's
    own way. Raises UserError if there is neither."""
    if template is None and (chat is None or not are_usual(keys)):
        raise UserError(
            f'column "{name}" holds lists of {listed(keys)}, and the tokenizer has no chat template for them: say how '
            f"each is written with --text_template {_template(keys)}"
        )
    return _by_template(name, template) if template is not None else _by_chat(name, keys, chat)


def _by_template(name: str, template: str) -> Callable[[Any], str | None]:
    names, written = fields(template), unescaped(template)

    def render(messages: Any) -> str | None:
        for message in messages or []:
            if lacking := [one for one in names if one not in message]:
                raise UserError(
                    f'text_template names {listed(lacking)}, which the messages of column "{name}" have not; they have '
                    f"{listed(message)}"
                )
        texts = [filled(written, {one: as_text(message[one]) or "" for one in names}) for message in messages or []]
        return "\n".join(texts) or None

    return render


def _by_chat(name: str, keys: Sequence[str], chat: Chat | None) -> Callable[[Any], str | None]:
    assert chat is not None
    role, content = keys

    def render(messages: Any) -> str | None:
        usual = [{"role": ROLES.get(m[role], m[role]), "content": as_text(m[content]) or ""} for m in messages or []]
        try:
            return chat(usual) if usual else None
        except Exception as error:  # whatever a template of somebody's raises
            raise UserError(
                f'the tokenizer\'s chat template refuses a conversation of column "{name}" '
                f"({' '.join(str(error).split())}); say how messages are written with --text_template"
            ) from error

    return render
