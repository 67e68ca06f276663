"""Which columns of a table make its texts: one, several joined, a template, or the messages of conversations."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset

from ..errors import UserError
from . import messages, word_lists
from .answered import ANSWERS, ASKS, SYSTEM, is_known, of_names
from .columns import find_text_column
from .messages import Chat, as_text
from .row_texts import TextOf
from .texts import DocumentSettings, unescaped
from .wording import listed, short

WRITTEN = re.compile(r"""\s*\[\s*\{\s*["'](role|from|speaker|content|value)["']\s*:""")


def _of_words(head: Dataset, column: str) -> TextOf:
    """Texts of lists of words."""
    between = word_lists.separator(head[column][:])

    def make(row: Mapping[str, Any]) -> str | None:
        words = row.get(column)
        return None if words is None else between.join(word or "" for word in words)

    return TextOf([column], make, word_lists.said(column, between))


def text_of(head: Dataset, called: str, settings: DocumentSettings, chat: Chat | None) -> TextOf:
    """How the rows of a table, of which `head` are the first, become texts. `chat` is the tokenizer's own way to write
    messages. Raises UserError where that is not known, with the flags that say it."""
    chats = {name: keys for name in head.column_names if (keys := messages.keys_of(head.features[name]))}
    told = [name for name in ("text_column", "join_columns", "text_template") if getattr(settings, name) is not None]
    if "text_column" in told and len(told) > 1:
        raise UserError(f"{listed(told)} exclude one another: leave one of them out")
    if settings.join_columns is not None:
        return _joined(head, settings, chats, chat)
    if settings.text_template is not None:
        names = messages.fields(settings.text_template)
        if len(chats) == 1 and not set(names) & set(head.column_names):
            return _joined(head, settings, chats, chat, columns=list(chats))
        return _of_template(head, settings.text_template, names)
    if settings.text_column is not None:
        if settings.text_column in chats:
            raise messages.refused(called, settings.text_column, chats[settings.text_column], chat)
        if settings.text_column in head.column_names and word_lists.holds_words(head, settings.text_column):
            return _of_words(head, settings.text_column)
        column = find_text_column(head, settings.text_column)
        return TextOf([column])
    column = _found(head, called, chats, chat)
    _refuse_written(head, called, column)
    others = [name for name in _texts(head) if name != column and not column.startswith(f"{name}.")]
    more = (
        f"; not read: {listed(others)} (--join_columns {messages.flag([*others[:1], column])} joins them)"
        if others
        else ""
    )
    return TextOf([column], said=f'texts: column "{column}"{more}')


def _texts(head: Dataset) -> list[str]:
    return [name for name in head.column_names if messages.is_text(head.features[name])]


def _is_texts(feature: Any) -> bool:
    inner = getattr(feature, "feature", feature[0] if isinstance(feature, list) and feature else None)
    return messages.is_text(feature) or (inner is not None and messages.is_text(inner))


def _found(head: Dataset, called: str, chats: Mapping[str, Sequence[str]], chat: Chat | None) -> str:
    """The one column of texts that is known by its name, or the only one."""
    texts = _texts(head)
    known = [name for name in texts if is_known(name)]
    if len(known) == 1:
        return known[0]
    usual = [name for name, keys in chats.items() if messages.are_usual(keys)]
    if usual and not known:
        raise messages.refused(called, usual[0], chats[usual[0]], chat)
    able = [name for name in head.column_names if _is_texts(head.features[name])]
    asks, answers = of_names(able, ASKS), of_names(able, ANSWERS)
    if not known and asks and answers:
        parts = [*of_names(able, SYSTEM), *asks, *answers]
        template = r"\n\n".join(f"{{{name}}}" for name in parts)
        raise UserError(
            f"{called} is a table of instructions or questions with their answers ({listed(parts)}), and what is "
            "trained here reads plain texts, learning every token of them: say which columns make a text with "
            f"--join_columns {messages.flag(parts)} (a blank line between them), or how with "
            f"--text_template {shlex.quote(template)}, or name one alone with "
            f"--text_column {messages.flag(answers[:1])}"
        )
    candidates = known or texts
    if len(candidates) > 1:
        raise UserError(
            f"the text column could be {listed(candidates)}; say which with "
            f"--text_column {messages.flag(candidates[:1])}, or join them with "
            f"--join_columns {messages.flag(candidates)}"
        )
    if not texts and chats:
        name = next(iter(chats))
        raise messages.refused(called, name, chats[name], chat)
    if not texts and able:
        raise UserError(
            f"{called}: {listed(able[:1])} holds lists of texts: --join_columns {messages.flag(able[:1])} makes one "
            "text of each, a line each"
        )
    return find_text_column(head, None)


def _refuse_written(head: Dataset, called: str, column: str) -> None:
    """Raises UserError for conversations that stand as JSON in a text, which would be learnt with their brackets."""
    first = next((text for text in head[column] if text is not None and text.strip()), "")
    if WRITTEN.match(first):
        raise UserError(
            f'{called}: column "{column}" holds conversations written as a text ({short(first, 40)}): give them as '
            f"JSON lines, as lists of messages, or take them as they are with --text_column {messages.flag([column])}"
        )


def _of_template(head: Dataset, template: str, names: list[str]) -> TextOf:
    _check_known(head, "text_template", names)
    written = unescaped(template)
    columns = list(dict.fromkeys(names))

    def make(row: Mapping[str, Any]) -> str | None:
        values = {name: as_text(row.get(name)) or "" for name in columns}
        given = sum(bool(value.strip()) for value in values.values())
        made.lacking += 0 < given < len(columns)
        return messages.filled(written, values) if given else None

    made = TextOf(columns, make, f"texts: {listed(columns)} in the template {template!r}")
    return made


def _check_known(head: Dataset, option: str, names: Sequence[str]) -> None:
    if unknown := [name for name in names if name not in head.column_names]:
        raise UserError(f"{option} names {listed(unknown)}, but the dataset has {listed(head.column_names)}")


def _joined(
    head: Dataset,
    settings: DocumentSettings,
    chats: Mapping[str, Sequence[str]],
    chat: Chat | None,
    columns: list[str] | None = None,
) -> TextOf:
    """Columns with the separator between them; a column of messages by the template or the tokenizer's own."""
    told = settings.join_columns or ""
    columns = columns or ([told] if told in head.column_names else [one.strip() for one in told.split(",")])
    _check_known(head, "join_columns", columns)
    if len(set(columns)) < len(columns):
        raise UserError(f"join_columns names a column twice: {told}")
    separator, template = unescaped(settings.column_separator), settings.text_template
    renderers = {name: messages.renderer(name, chats[name], template, chat) for name in columns if name in chats}
    if template is not None and not renderers:
        raise UserError(
            "join_columns and text_template exclude one another where no column holds messages: leave one of them out"
        )

    def make(row: Mapping[str, Any]) -> str | None:
        values = [renderers.get(name, as_text)(row.get(name)) for name in columns]
        given = [value for value in values if value is not None and value.strip()]
        made.lacking += 0 < len(given) < len(columns)
        return separator.join(given) if given else None

    between = "a blank line" if separator == "\n\n" else repr(separator)
    how = f" joined by {between}" if len(columns) > 1 else ""
    way = f", each message as {template!r}" if template else ", by the tokenizer's chat template" if renderers else ""
    made = TextOf(columns, make, f"texts: column{'s' * (len(columns) > 1)} {listed(columns)}{how}{way}")
    return made
