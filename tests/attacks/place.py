"""The folder an attack is made in, and ways to put things there."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from models import RECIPES, SHORT

Words = list


@dataclass(frozen=True)
class Case:
    """An input, the command line that reads it, and a pattern of the one sentence that answers."""

    kind: str
    name: str
    make: Callable[["Place"], Words]
    says: str
    stdin: bytes = b""
    code: int = 2
    env: dict = field(default_factory=dict)


class Place:
    """`home` holds the tiny models and data of models.py, `folder` is the attack's own."""

    def __init__(self, home: Path, folder: Path):
        self.home, self.folder = home, folder

    def use(self, *names: str) -> str:
        """Copy models or data from home. Returns the last one's name."""
        for name in names:
            if not (self.folder / name).exists():
                source = self.home / name
                (shutil.copytree if source.is_dir() else shutil.copyfile)(source, self.folder / name)
        return names[-1]

    def write(self, name: str | bytes, content: str | bytes) -> str:
        path = os.path.join(os.fsencode(self.folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
        return os.fsdecode(name)

    def config(self, model: str, **changes) -> str:
        """A model whose config.json has other fields; None: without the field."""
        self.use(model)
        path = self.folder / model / "config.json"
        config = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))
        return model

    def spoil(self, model: str, file: str, content: str | bytes | None) -> str:
        """A model with another file in the place of one; None: without it."""
        self.use(model)
        (self.folder / model / file).unlink(missing_ok=True)
        if content is not None:
            self.write(f"{model}/{file}", content)
        return model

    def without_tokenizer(self, model: str) -> str:
        for path in (self.folder / self.use(model)).iterdir():
            if path.name.startswith(("tokenizer", "vocab", "special_tokens", "added_tokens")):
                path.unlink()
        return model

    def data_of(self, recipe: str) -> str:
        return self.use(RECIPES[recipe][1])

    def recipe(self, recipe: str, **flags) -> Words:
        """A recipe on good data with these flags over it; None: left out."""
        words = [*RECIPES[recipe], *SHORT]
        given = dict(zip(words[::2], words[1::2], strict=True))
        given |= {f"--{name}": value for name, value in flags.items()}
        for name in ("--dataset", "--model"):
            if given.get(name) is not None and name[2:] not in flags:
                self.use(given[name])
        return ["recipe", recipe, *(str(one) for pair in given.items() if pair[1] is not None for one in pair)]

    def yaml(self, text: str | bytes, recipe: str = "classify_bert") -> Words:
        """A recipe with this config file alone."""
        self.use("good.csv", "bert")
        return ["recipe", recipe, self.write("run.yaml", text)]

    def resumed(self, damage: Callable[[Path], object], *flags: str) -> Words:
        """The run of home gone on with, after its newest checkpoint was damaged."""
        self.use("good.csv", "bert", "run")
        os.rename(self.folder / "run", self.folder / "out")
        damage(self.folder / "out" / "checkpoint-2")
        return [*self.recipe("classify_bert"), *flags]


def reseal(checkpoint: Path, change: Callable[[dict], object]) -> None:
    """Change the manifest, and write the seal that belongs to what it says now."""
    path = checkpoint / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest.pop("sha256")
    manifest = change(manifest) or manifest
    seal = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**manifest, "sha256": seal}))


def replace_file(checkpoint: Path, name: str, content: bytes) -> None:
    """Put another file into a checkpoint, and have its manifest say so."""
    (checkpoint / name).write_bytes(content)

    def change(manifest: dict) -> None:
        manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    reseal(checkpoint, change)
