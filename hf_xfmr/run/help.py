"""What `--help` of a recipe shows: first a page of what people set, then all of it by group."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from .flags import GROUPS, KINDS, UNKNOWN, Flag, of_classes

# What people set, in a few words each; `--help GROUP` has each flag's whole text. A recipe shows those that it has.
FIRST: dict[str, dict[str, str]] = {
    "needed": {"dataset": "sample:NAME, a file, a folder, a Hub name"},
    "model": {
        "model": "sample:NAME, a folder, a Hub name",
        "model_config": "from scratch: {hidden_size: 128, …}",
        "tokenizer": "from scratch: which kind to make",
        "kind": "wordpiece, bpe, unigram or char",
        "vocab_size": "how many tokens it has",
        "teacher": "the trained classifier to learn from",
        "student_layers": "the student has so many of its blocks",
        "unlabelled": "more texts, without labels",
        "few_labels": "made for 8 to 64 rows of a label",
        "class_weights": "auto: rare labels count more",
        "lora_rank": "train low-rank updates alone",
    },
    "data": {
        "text_column": "the text; found by name",
        "text_pair_column": "a second text, read as segment B",
        "label_column": "the label; found by name",
        "tokens_column": "lists of words; found by name",
        "tags_column": "lists of tags; found by name",
        "question_column": "the question; found by name",
        "context_column": "the text asked about; found by name",
        "answer_column": "the answer; found by name",
        "faulty_answers": "error, mend or leave_out",
        "spans_column": "spans of characters; found by name",
        "source_lang": "language, or column, translated from",
        "target_lang": "language, or column, translated into",
        "lines": "each line of a .txt is a text",
        "separator": "the line between two texts of a .txt",
        "max_length": "longest row, in tokens; the model's own",
        "block_size": "tokens a row; the model's own",
        "over_long": "of longer rows: tail, windows, error",
        "validation_fraction": "of train, where there is no validation",
        "max_train_rows": "train on so many rows; all",
        "fixed_labels": "a CSV of corrected labels",
    },
    "training": {
        "num_train_epochs": "how often the rows are read",
        "max_steps": "in place of epochs",
        "learning_rate": "of the optimizer, at its highest",
        "per_device_train_batch_size": "rows a step and device",
        "tokens_per_batch": "tokens a step, in place of rows",
        "warmup_steps": "to the highest rate (below 1: a share)",
        "early_stopping_patience": "evaluations without a better one",
        "bf16": "left out: where the machine is fast at it",
        "seed": "of all that is drawn at random",
        "seeds": "[1, 2, 3]: train once for each",
        "folds": "5: cross-validate; labels that look wrong",
    },
    "output": {
        "output_dir": "left out: runs/ and the data's name",
        "resume": "go on from the newest checkpoint",
        "check_only": "look at the data, and do not train",
        "push_to_hub": "push the model when it is trained",
    },
}
_BRIEF, _WHOLE = 34, 28  # columns before a flag's words


def asked_for(words: Sequence[str]) -> str | None:
    """Which help is asked for among a recipe's words: "" is the first page, else "all" or a group; None: none."""
    for place, word in enumerate(words):
        if word in ("-h", "--help"):
            return next((one for one in words[place + 1 : place + 2] if one == "all" or one in GROUPS), "")
        if word.startswith("--help="):
            return word.partition("=")[2]
    return None


def of_flags(flags: Iterable[Flag], *, program: str, description: str, asked: str = "") -> str:
    """The help of a recipe: the page that `asked` names, as `asked_for` has it; "" is the first. Of a group ours stand
    before transformers'. Raises `UserError` for a page that is none."""
    if asked not in ("", "all", *GROUPS):
        raise UserError(f"--help={asked}: it says more of {', '.join(GROUPS)}, or all")
    flags = list(flags)
    columns = shutil.get_terminal_size().columns - 1
    config = "[CONFIG.yaml]" if program.endswith(".py") else "[--config CONFIG]"
    usage = f"usage: {program} {config} [--key value ...]"
    if asked in GROUPS:
        return "\n\n".join([usage, _group(asked, [one for one in flags if one.group == asked], columns)])
    first, _, rest = description.strip().partition("\n\n")
    if asked != "all":
        known = {one.name: one for one in flags}
        blocks = [usage, textwrap.fill(_words(first), max(columns, 40))]
        for title, briefs in FIRST.items():
            lines = [_brief(known[name], said) for name, said in briefs.items() if name in known]
            if lines:
                blocks.append("\n".join([f"{title}:", *lines]))
        return "\n\n".join([*blocks[:2], "\n".join([*blocks[2:], _further(flags)])])
    groups = {group: [one for one in flags if one.group == group] for group in GROUPS}
    shown = [_group(group, of_group, columns) for group, of_group in groups.items() if of_group]
    return "\n\n".join([usage, *_paragraphs(first, rest, columns), *shown])


def of_recipe(settings_class: type, arguments_class: type, asked: str) -> str:
    """The help of a recipe's script, that has been imported for it."""
    module = sys.modules[settings_class.__module__]
    return of_flags(
        of_classes(settings_class, arguments_class),
        program=Path(sys.argv[0]).name,
        description=module.__doc__ or "",
        asked=asked,
    )


def _further(flags: list[Flag]) -> str:
    groups = [group for group in GROUPS if any(one.group == group for one in flags)]
    return f"--help {'|'.join([*groups, 'all'])} says more, of {len(flags)} flags"


def _paragraphs(first: str, rest: str, columns: int) -> list[str]:
    """The description without the command of its script, which the usage says."""
    kept = [one for one in rest.split("\n\n") if not one.lstrip().startswith("python ")]
    return [textwrap.fill(_words(one), max(columns, 40)) for one in (first, *kept) if one.strip()]


def _words(text: str) -> str:
    return " ".join(text.split())


def _group(group: str, flags: list[Flag], columns: int) -> str:
    return "\n".join([f"{GROUPS[group]}:", *(line for one in flags for line in _lines(one, columns))])


def _default(flag: Flag) -> Any:
    """What to say of a flag's default; None: nothing."""
    if flag.default in (UNKNOWN, None, "", False) or "left out" in flag.help.lower():
        return None
    return "true" if flag.default is True else flag.default


def _name(flag: Flag) -> str:
    return f"  --{flag.name} {'|'.join(KINDS[one] for one in flag.takes)}".rstrip()


def _brief(flag: Flag, said: str) -> str:
    default = _default(flag)
    # a number that nobody set, as -1 of max_steps, says nothing
    end = "" if default is None or default == -1 else f" ({default})"
    name = _name(flag)
    if len(name) > _BRIEF - 1:
        name = f"  --{flag.name}"
    return f"{name:<{_BRIEF}}{said}{end}"


def _lines(flag: Flag, columns: int) -> list[str]:
    name, said, default = _name(flag), flag.help, _default(flag)
    if default is not None:
        said = f"{said.rstrip('.')} (default: {default})"
    wrapped = textwrap.wrap(said, max(columns - _WHOLE, 40)) or [""]
    if len(name) > _WHOLE - 2:
        return [name, *(" " * _WHOLE + line for line in wrapped)]
    return [f"{name:<{_WHOLE}}{wrapped[0]}", *(" " * _WHOLE + line for line in wrapped[1:])]
