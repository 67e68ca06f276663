"""`hf_xfmr train`: a recipe by name, or its help without importing it."""

from collections.abc import Sequence

from . import console, help, program, recipes, source


def train(name: str, words: Sequence[str] = ()) -> None:
    """Run a recipe (`classify`, `tag`, `translate`, `gpt2`, `pretrain`, `tokenizer`, or its script's name) with words
    as its script takes them, and `--config NAME` of a ready configuration. `--help`, of a group or of all, ends the
    program. Raises `UserError` for what is wrong."""
    script = recipes.script(name)
    if (asked := help.asked_for(words)) is not None:
        try:
            known, description = source.of_script(script)
        except source.NotUnderstood:
            pass  # the recipe itself says it, when it is imported
        else:
            program.show(
                help.of_flags(
                    known,
                    program=" ".join([*console.called(), "train", name]),
                    description=description,
                    asked=asked,
                )
            )
    recipes.run(name, words)
