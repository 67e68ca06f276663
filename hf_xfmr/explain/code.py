"""Lines of code as they stand in the package now: found by name, cut out, coloured."""

import ast
import importlib
import inspect
import io
import keyword
import textwrap
import tokenize
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

_PACKAGE = __package__.partition(".")[0]


@dataclass(frozen=True)
class Code:
    """A piece of the package: its file within the project, its first line's number there, and the lines."""

    name: str
    file: str
    line: int
    text: str


def find(reference: str) -> Code:
    """`models.blocks:Attention.forward` is that function; with `@some text` after it, the statement of it that holds
    the text: the innermost, and of several the first.

    Raises AttributeError or ImportError where there is no such name, and ValueError where no statement holds the text.
    """
    path, _, wanted = reference.partition("@")
    module_name, _, name = path.partition(":")
    found: Any = importlib.import_module(f"{_PACKAGE}.{module_name}")
    for part in name.split("."):
        found = getattr(found, part)
    found = inspect.unwrap(found)
    lines, line = inspect.getsourcelines(found)
    file = _file_of(found)
    text = textwrap.dedent("".join(lines)).rstrip()
    if wanted:
        text, offset = _statement(text, wanted, reference)
        line += offset
    return Code(name, file, line, text)


def _file_of(found: Any) -> str:
    """The file that defines it, within the project: by its module's name, as its path may lead through links."""
    module = inspect.getmodule(found)
    assert module is not None
    parts = [*module.__name__.split("."), *(["__init__"] if hasattr(module, "__path__") else [])]
    return "/".join(parts) + ".py"


def _statement(text: str, wanted: str, reference: str) -> tuple[str, int]:
    """The innermost statement that holds the text, with its comments, and how many lines stand before it."""
    lines = text.splitlines()
    holding = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.stmt) and wanted in "\n".join(lines[node.lineno - 1 : node.end_lineno])
    ]
    if not holding:
        raise ValueError(f"no statement of {reference.partition('@')[0]} holds {wanted!r}")
    node = min(holding, key=lambda one: ((one.end_lineno or one.lineno) - one.lineno, one.lineno))
    return textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno])), node.lineno - 1


def body(piece: Code) -> Code:
    """A function's statements, without its signature and docstring; other pieces as they are."""
    node = ast.parse(piece.text).body[0]
    if not isinstance(node, ast.FunctionDef):
        return piece
    first = node.body[1 if ast.get_docstring(node) else 0]
    lines = piece.text.splitlines()[first.lineno - 1 : node.end_lineno]
    return Code(piece.name, piece.file, piece.line + first.lineno - 1, textwrap.dedent("\n".join(lines)))


def coloured(text: str) -> list[Markup]:
    """The lines as HTML: keywords, strings and comments in spans of the classes k, s and c."""
    lines = text.splitlines()
    spans: dict[int, list[tuple[int, int, str]]] = {number: [] for number in range(1, len(lines) + 1)}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = _kind(token)
        if kind:
            (first, start), (last, stop) = token.start, token.end
            for number in range(first, last + 1):
                begins = start if number == first else len(lines[number - 1]) - len(lines[number - 1].lstrip())
                ends = stop if number == last else len(lines[number - 1])
                if begins < ends:
                    spans[number].append((begins, ends, kind))
    return [_with_spans(lines[number - 1], spans[number]) for number in spans]


def _kind(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.COMMENT:
        return "c"
    if token.type == tokenize.STRING:
        return "c" if token.string.startswith('"""') else "s"
    return "k" if token.type == tokenize.NAME and keyword.iskeyword(token.string) else ""


def _with_spans(line: str, spans: list[tuple[int, int, str]]) -> Markup:
    pieces, place = [Markup("")], 0
    for begins, ends, kind in spans:
        pieces += [escape(line[place:begins]), Markup('<span class="{}">{}</span>').format(kind, line[begins:ends])]
        place = ends
    return Markup("").join([*pieces, escape(line[place:])])
