"""The check of a bare file, without a config: how it is read, what can be learned from it, and how to train on it."""

import shlex
from collections.abc import Sequence

from ..errors import UserError
from ..run import recipes
from ..run.beginnings import stem
from ..run.console import say, this_program
from ..tasks.task import Look, all_tasks
from . import findings, labels, text

SHOWN = 8  # lines of findings; a run's own check says the rest


def check_file(name: str, words: Sequence[str] = ()) -> None:
    """Say how a table or corpus is read (its dialect, columns, labels, what is missing), and the command line that
    trains on it. `words` are flags of the data, as --label_column. Raises `UserError` for what can't be read, and for a
    question that only the user can answer, with the flags that do."""
    look = _look(name, words)
    say(*look.lines)
    found = _findings(look)
    shown = findings.lines(found)
    say(*(shown[:SHOWN] or ["check: nothing is wrong with the rows"]))
    if len(shown) > SHOWN:
        say(f"and {len(shown) - SHOWN:,} lines more, which a run's own check says")
    say("train on it:", f"  {_command(look, name, words)}")
    errors = [one for one in found if one.level == "error"]
    if errors:
        raise UserError(f"the check found an error: {str(errors[0]).removeprefix('error: ')}")


def _look(name: str, words: Sequence[str]) -> Look:
    for task in sorted(all_tasks(), key=lambda task: task.looks_in_turn):
        if (look := task.look(name, words)) is not None:
            return look
    raise UserError(f"{name}: nothing that can be learned is known by its name or its columns; see --help of a recipe")


def _findings(look: Look) -> list[findings.Finding]:
    """What is wrong with the rows, the gravest first, without a tokenizer."""
    found = []
    for part in look.parts.values():
        found += [*text.damaged(part), *text.repeated(part)]
    found += text.shared(look.parts)
    if look.parts["train"].labels is not None:
        names = look.label_names
        found += labels.check_labels(look.parts, names) if names else labels.check_ratings(look.parts)
    order = ("error", "warning", "note")
    return sorted(found, key=lambda one: order.index(one.level))


def _command(look: Look, name: str, words: Sequence[str]) -> str:
    """To be pasted as it stands: the recipe, the file, the flags that were given, and a model to begin with."""
    chosen = [*this_program(), "train", recipes.name_of(look.recipe), "--dataset", name, *words, *look.flags]
    return shlex.join([*chosen, "--output_dir", f"runs/{stem(name)}"])
