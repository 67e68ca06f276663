"""Code for a first reading: the source without what only serves speed. What is left stands in the source, in order.

Cut are branches that ask for a cache or for packed rows, the arguments that carry them, and their types; `# …` stands
in the place of each branch. Nothing is written anew: a test reads what is shown out of the source, token by token.
"""

import ast
import textwrap
from collections.abc import Iterator
from itertools import pairwise

# Names by which caches, beams that share a source, packed rows and blocks that write some tokens only go here.
LATER = {"cache", "copies", "Spans", "is_cheap", "among", "own"}
MARK = "# …"


def first(text: str) -> str:
    """The code without those branches; the same text if there are none."""
    while (shorter := next(_shorter(text), None)) is not None:
        text = shorter
    return text


def _shorter(text: str) -> Iterator[str]:
    """The text with one cut more, for each that can be made; statements first, as they take others along."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and _later(node.test):
            yield from _valid(_without_branch(text, node))
        elif isinstance(node, ast.Assign) and (_later(*node.targets) or _is_choice(node.value)):
            yield from _valid(_with_lines(text, node.lineno, node.end_lineno, [MARK]))
    for node in ast.walk(tree):
        if isinstance(node, ast.IfExp) and _later(node.test):
            kept = node.orelse if any(isinstance(one, ast.IsNot) for one in ast.walk(node.test)) else node.body
            start, stop = _span(text, node)
            if text[start - 1 : start] + text[stop : stop + 1] == "()":
                start, stop = start - 1, stop + 1
            yield from _valid(text[:start] + text[slice(*_span(text, kept))] + text[stop:])
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and _later(node.right):
            yield from _valid(_between(text, node.left, node.right))
        elif isinstance(node, ast.Call):
            both: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
            given = sorted(both, key=lambda one: (one.lineno, one.col_offset))
            for before, one in pairwise(given):
                named = one.arg in LATER if isinstance(one, ast.keyword) else _is_name(one)
                if named:
                    yield from _valid(_between(text, before, one))
        elif isinstance(node, ast.FunctionDef):
            yield from _without_parameter(text, node)


def _without_parameter(text: str, node: ast.FunctionDef) -> Iterator[str]:
    taken = node.args.args
    defaults = [None] * (len(taken) - len(node.args.defaults)) + list(node.args.defaults)
    for place, one in enumerate(taken[1:], 1):
        if one.arg in LATER:
            start = defaults[place - 1] or taken[place - 1]
            yield from _valid(_between(text, start, defaults[place] or one))


def _later(*nodes: ast.AST) -> bool:
    return any(_is_name(one) for node in nodes for one in ast.walk(node))


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in LATER


def _is_choice(value: ast.expr) -> bool:
    return isinstance(value, ast.IfExp) and _later(value.test)


def _without_branch(text: str, node: ast.If) -> str:
    """Without the branch of an `if` or `elif`: its `else` is what goes on."""
    lines = text.splitlines()
    if lines[node.lineno - 1].lstrip().startswith("elif"):
        return _with_lines(text, node.lineno, node.body[-1].end_lineno, [MARK])
    rest: list[str] = []
    if node.orelse:
        other = node.orelse[0]
        if lines[other.lineno - 1].lstrip().startswith("elif"):
            rest = lines[other.lineno - 1 : node.end_lineno]
            rest[0] = rest[0].replace("elif", "if", 1)
        else:
            rest = lines[_after_else(lines, node) : node.end_lineno]
    return _with_lines(text, node.lineno, node.end_lineno, [MARK, *textwrap.dedent("\n".join(rest)).splitlines()])


def _after_else(lines: list[str], node: ast.If) -> int:
    """Where what follows `else:` begins, with its comments."""
    last = node.body[-1].end_lineno or node.lineno
    return next(number + 1 for number in range(last, len(lines)) if lines[number].strip().startswith("else:"))


def _with_lines(text: str, first_line: int, last_line: int | None, new: list[str]) -> str:
    """Other lines in the place of these, as deep as the first; one mark is enough where two would follow each other."""
    lines = text.splitlines()
    deep = lines[first_line - 1][: len(lines[first_line - 1]) - len(lines[first_line - 1].lstrip())]
    lines[first_line - 1 : last_line] = [deep + line for line in new]
    shown = [line for place, line in enumerate(lines) if line.strip() != MARK or lines[place - 1].strip() != MARK]
    return "\n".join(shown)


def _span(text: str, node) -> tuple[int, int]:
    """Where a node begins and ends in the text."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    encoded = text.splitlines()

    def at(line: int, column: int) -> int:  # columns count bytes
        return starts[line - 1] + len(encoded[line - 1].encode()[:column].decode())

    return at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)


def _between(text: str, kept, cut) -> str:
    """Without what stands from the end of one node to the end of the other."""
    return text[: _span(text, kept)[1]] + text[_span(text, cut)[1] :]


def _valid(text: str) -> Iterator[str]:
    """The text, if it is still Python: a block whose only statement was cut would not be."""
    try:
        ast.parse(text)
    except SyntaxError:
        return
    yield text
