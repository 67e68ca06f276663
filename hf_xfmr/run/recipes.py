"""The recipes and their ready configurations, by name: in an installed package beside it, in a clone in `recipes/`."""

import difflib
import importlib.util
import re
import runpy
import shlex
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType

from .. import writing
from ..errors import UserError
from . import console

NAMES = {  # what `train` calls them, in the order in which a user meets them; their configurations lie under the stem
    "classify": "classify_bert",
    "tag": "tag_bert",
    "answer": "answer_bert",
    "distill": "distill",
    "translate": "translate",
    "gpt2": "finetune_gpt2",
    "pretrain": "pretrain_bert",
    "tokenizer": "train_tokenizer",
}
SUFFIXES = (".yaml", ".yml")
typed: ContextVar[list[str] | None] = ContextVar("typed", default=None)  # what a user typed, where no script was named


def folder() -> Path:
    """Where the recipes are. Raises `UserError` for a package that came without."""
    package = Path(__file__).parent.parent
    for place in (package / "recipes", package.parent / "recipes"):
        if (place / "configs").is_dir():
            return place
    raise UserError(f"{package} has come without its recipes: install hf_xfmr anew")


def stem_of(name: str) -> str:
    """The script's name, without .py, of a recipe by either name. Raises `UserError` for one that is not there."""
    if name in NAMES:
        return NAMES[name]
    if name in NAMES.values():
        return name
    near = difflib.get_close_matches(name, [*NAMES, *NAMES.values()], n=1)
    known = f"did you mean '{near[0]}'?" if near else f"there is {', '.join(NAMES)}"
    raise UserError(f"'{name}' is nothing to train: {known}")


def name_of(stem: str) -> str:
    """What `train` calls a script."""
    return next(name for name, other in NAMES.items() if other == stem)


def script(name: str) -> Path:
    """The file of a recipe by either name. Raises `UserError` for one that is not there."""
    return folder() / f"{stem_of(name)}.py"


def module(script: Path) -> ModuleType:
    """A recipe's script as a module, for its `main`."""
    name = f"hf_xfmr.recipes.{script.stem}"  # what it is called where it lies in the package
    known = sys.modules.get(name)
    if known is not None and Path(str(known.__file__)) == script:
        return known
    specification = importlib.util.spec_from_file_location(name, script)
    assert specification is not None
    assert specification.loader is not None
    made = importlib.util.module_from_spec(specification)
    sys.modules[name] = made
    try:
        specification.loader.exec_module(made)
    except BaseException:
        del sys.modules[name]
        raise
    return made


def configs(name: str | None = None) -> dict[str, Path]:
    """The ready configurations, as `classify/movie-reviews`, of all recipes or one."""
    stems = NAMES.values() if name is None else [stem_of(name)]
    files = [path for stem in stems for path in sorted((folder() / "configs" / stem).glob("*.yaml"))]
    return {f"{name_of(path.parent.name)}/{path.stem}": path for path in files}


def launchers() -> dict[str, Path]:
    """What `accelerate launch --config_file` takes, as `accelerate/ddp`: how many processes, and what each holds."""
    return {f"accelerate/{path.stem}": path for path in sorted((folder() / "configs" / "accelerate").glob("*.yaml"))}


def names() -> list[str]:
    """All that `find` knows: every configuration's name, with its recipe's and without."""
    return [*configs(), *dict.fromkeys(full.partition("/")[2] for full in configs())]


def find(named: str, recipe: str | None = None) -> Path | None:
    """A configuration by name (`movie-reviews`, `classify/movie-reviews`), of any recipe or one; None: there is none.
    Raises `UserError` where several recipes have one of that name."""
    known = configs(recipe)
    begin, slash, end = named.partition("/")
    if slash and begin in NAMES.values():
        named = f"{name_of(begin)}/{end}"
    found = [full for full in known if named in (full, full.partition("/")[2])]
    if len(found) > 1:
        raise UserError(f"'{named}' is the name of {len(found)} configurations: say {' or '.join(found)}")
    return known[found[0]] if found else None


def config_file(named: str, recipe: str) -> Path:
    """The file that is meant by `--config` of a recipe: one of the user's own, or a ready configuration by name.
    Raises `UserError` if it is neither."""
    path = Path(named)
    if path.suffix.lower() in SUFFIXES or path.is_file():
        return path
    if (ready := find(named, recipe)) is not None:
        return ready
    elsewhere = [full for full in configs() if full.partition("/")[2] == named.rpartition("/")[2]]
    if elsewhere:
        raise UserError(f"'{named}' is no configuration of {recipe}: train {elsewhere[0].partition('/')[0]} has it")
    raise UserError(f"'{named}' is no file and no ready configuration{nearest(named, recipe)}")


def nearest(named: str, recipe: str | None = None) -> str:
    """`; did you mean 'movie-reviews'?`, of what may be meant by a configuration's name."""
    names = [full.partition("/")[2] for full in configs(recipe)] if recipe else [*configs(), *launchers()]
    near = difflib.get_close_matches(named, names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f": there is {', '.join(names)}" if recipe else "; configs lists them"


def copy(named: str, to: str | Path | None = None) -> Path:
    """Write a ready configuration, of a recipe or of accelerate's, beside the user's data, to be changed there, and
    return the file. `to` is a file, or a folder; none: the folder in which one is. Raises `UserError` for a name that
    is none, and never writes over a file."""
    found = launchers().get(named) or find(named)
    if found is None:
        raise UserError(f"'{named}' is no ready configuration{nearest(named)}")
    target = Path(to or ".")
    target = target / found.name if target.is_dir() else target
    if target.suffix.lower() not in SUFFIXES:
        raise UserError(f"{target} is no folder and no name of a configuration: end it in .yaml")
    if target.exists():
        raise UserError(f"{target} is there already: remove it, or say where to: --out FILE.yaml")
    text = found.read_text(encoding="utf-8")
    own, by = shlex.quote(target.name), r"^# .*?(hf_xfmr train \S+ --config) \S+"
    if named in launchers():
        by = r"^# (accelerate launch --config_file) \S+"
    with writing.whole(target) as aside:  # the command in its comment names the copy
        aside.write_text(re.sub(by, lambda of: f"# {of[1]} {own}", text, count=1, flags=re.M), encoding="utf-8")
    return target


def run(name: str, words: Sequence[str]) -> None:
    """Run a recipe as its script is run, with arguments: `--config NAME`, or a configuration first, is one of the
    user's own or a ready one."""
    file, words = script(name), list(words)
    given = [*console.called(), "train", name, *words]
    config = None
    for place, word in enumerate(words):
        if word == "--config" or word.startswith("--config="):
            values = words[place + 1 : place + 2] if word == "--config" else [word.partition("=")[2]]
            if not values or values[0].startswith("-") or not values[0]:
                raise UserError("--config needs a file, or the name of a ready configuration; configs lists them")
            del words[place : place + (2 if word == "--config" else 1)]
            config = values[0]
            break
    if words and not words[0].startswith("-"):
        if config is not None:
            raise UserError(f"two configurations are given, {config} and {words[0]}: leave one of them out")
        config = words.pop(0)
    path = [] if config is None else [str(config_file(config, name))]
    sys.argv = [str(file), *path, *words]
    token = typed.set(given)
    try:
        runpy.run_path(str(file), run_name="__main__")
    finally:
        typed.reset(token)


def command() -> list[str]:
    """The words of the command that runs, for a record: as they were typed."""
    return typed.get() or ["python", *sys.argv]


def pasted(words: Sequence[str]) -> list[str]:
    """A command that trains, however it was called (`hf_xfmr`, `python -m hf_xfmr`, the script of a recipe), as all
    that is said to be pasted is spelled here."""
    words = list(words)
    if words[:1] == ["hf_xfmr"]:
        return [*console.this_program(), *words[1:]]
    if len(words) > 2 and words[1:3] == ["-m", "hf_xfmr"]:
        return [*console.this_program(), *words[3:]]
    if len(words) > 1 and Path(words[1]).stem in NAMES.values() and Path(words[1]).resolve().parent == folder():
        return [*console.this_program(), "train", name_of(Path(words[1]).stem), *words[2:]]
    return words


def stem_named_by(first_line: str) -> str | None:
    """The recipe that the first line of a configuration names, as `# hf_xfmr train classify …` or `# python
    recipes/classify_bert.py …`; None: none."""
    if not first_line.startswith("#"):
        return None
    if trained := re.search(r"\bhf_xfmr train ([\w-]+)", first_line):
        return stem_of(trained[1])
    named = re.search(r"(\w+)\.py\b", first_line)
    return named[1] if named and named[1] in NAMES.values() else None
