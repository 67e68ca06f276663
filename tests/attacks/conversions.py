"""Attacks on `convert`: files of others' training code that are damaged, of something else, or hold code."""

import io
import os
import pickle
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
from place import Case, Place

ROOT = Path(__file__).parents[2]
NANO, GOOGLE = ROOT / "docs" / "examples", ROOT / "tests" / "conversion" / "files" / "chinese_L-2_H-8_A-2"


class Code:
    """Leaves a mark if it is ever unpickled."""

    def __reduce__(self):
        return (os.mkdir, ("was-run",))


@cache
def _nano() -> bytes:
    return (NANO / "ckpt.pt").read_bytes()


def _saved(change) -> bytes:
    held: Any = torch.load(NANO / "ckpt.pt", weights_only=True)
    box = io.BytesIO()
    torch.save(change(held), box)
    return box.getvalue()


def _args(**changes):
    return lambda: _saved(lambda held: held | {"model_args": held["model_args"] | changes})


CHECKPOINTS = {  # what lies as ckpt.pt, and what is said
    "nothing": (lambda: b"", "cut off|damaged"),
    "cut off": (lambda: _nano()[:9000], "cut off|damaged"),
    "a text": (lambda: b"hello\n" * 99, "cut off|damaged"),
    "zeros": (lambda: b"\0" * 9999, "cut off|damaged"),
    "a bare bomb": (lambda: pickle.dumps(Code()), "mkdir.*not run"),
    "a bomb in torch.save": (lambda: _saved(lambda held: held | {"config": Code()}), "mkdir.*not run"),
    "a list": (lambda: _saved(lambda held: [1]), "no 'model'"),
    "a tensor": (lambda: _saved(lambda held: torch.ones(3)), "no 'model'"),
    "no model_args": (lambda: _saved(lambda held: {"model": held["model"]}), "no model_args"),
    "model_args of nothing": (lambda: _saved(lambda held: held | {"model_args": {}}), "n_layer None"),
    "a model of texts": (lambda: _saved(lambda held: held | {"model": {"a": "b"}}), "lacks transformer.wte.weight"),
    "no blocks": (_args(n_layer=0), "n_layer 0"),
    "a billion blocks": (_args(n_layer=10**9), "lacks transformer.h.2"),
    "a width that heads don't share": (_args(n_head=3), "no multiple"),
    "a width of others": (_args(n_embd=16), r"\[11, 8\]"),
    "a truth for a size": (_args(n_head=True), "n_head True"),
    "a share of 3": (_args(dropout=3), "dropout 3"),
    "JoeyNMT's": (lambda: _saved(lambda held: {"model_state": {}, "optimizer_state": {}}), "JoeyNMT"),
}
METAS = {
    "nothing": (b"", "can't be read as a meta.pkl"),
    "a text": (b"hello", "can't be read as a meta.pkl"),
    "a bomb": (pickle.dumps(Code()), "mkdir.*not run"),
    "a list": (pickle.dumps([1]), "no stoi"),
    "words": (pickle.dumps({"stoi": {"word": 0}}), "no stoi"),
    "numbers with holes": (pickle.dumps({"stoi": {"a": 0, "b": 5}}), "no stoi"),
    "too many": (pickle.dumps({"stoi": {chr(40 + i): i for i in range(20)}}), "20 characters"),
}
TENSORFLOW = {  # file, its new bytes (None: it goes), and what is said
    "no config": ("bert_config.json", None, "no such config"),
    "a config of nothing": ("bert_config.json", b"{}", "hidden_size is None"),
    "a config that is a list": ("bert_config.json", b"[]", "bert_config.json"),
    "an index of nothing": ("bert_model.ckpt.index", b"", "no index of a TensorFlow"),
    "an index of text": ("bert_model.ckpt.index", b"hello\n" * 99, "no index of a TensorFlow"),
    "numbers of nothing": ("bert_model.ckpt.data-00000-of-00001", b"", "cut off"),
    "no numbers": ("bert_model.ckpt.data-00000-of-00001", None, "no such file"),
    "another's numbers": ("bert_model.ckpt.data-00000-of-00001", b"\xff" * 8368, "no finite numbers in"),
    "no words": ("vocab.txt", b"", "no line .PAD"),
}


def _tensorflow(p: Place, file: str, content: bytes | None) -> list[str]:
    shutil.copytree(GOOGLE, p.folder / "chinese")
    (p.folder / "chinese" / file).unlink()
    if content is not None:
        (p.folder / "chinese" / file).write_bytes(content)
    return ["convert", "chinese", "out"]


def _with_meta(p: Place, content: bytes) -> list[str]:
    p.write("ckpt.pt", _nano())
    return ["convert", "ckpt.pt", "out", "--tokenizer", p.write("meta.pkl", content)]


def conversions() -> Iterator[Case]:
    for name, (make, says) in CHECKPOINTS.items():
        yield Case(
            "conversions", f"ckpt.pt: {name}", lambda p, m=make: ["convert", p.write("ckpt.pt", m()), "out"], says
        )
    for name, (content, says) in METAS.items():
        yield Case("conversions", f"meta.pkl: {name}", lambda p, c=content: _with_meta(p, c), says)
    for name, (file, content, says) in TENSORFLOW.items():
        yield Case("conversions", f"TensorFlow: {name}", lambda p, f=file, c=content: _tensorflow(p, f, c), says)
    for name, code, says in (
        ("of nothing", "", "could not be run as nanoGPT's model.py"),
        ("that is no Python", "((", "could not be run as nanoGPT's model.py"),
        ("that ends the program", "import sys; sys.exit(0)", "could not be run as nanoGPT's model.py"),
    ):
        yield Case(
            "conversions",
            f"model.py {name}",
            lambda p, c=code: [
                *("convert", p.write("ckpt.pt", _nano()), "out", "--check", p.write("model.py", c)),
            ],
            says,
        )
    yield Case("conversions", "nothing there", lambda p: ["convert", "none", "out"], "no such checkpoint")
    yield Case(
        "conversions", "onto something", lambda p: ["convert", p.write("ckpt.pt", _nano()), "."], "is there already"
    )
    yield Case(
        "conversions", "a folder of safetensors", lambda p: ["convert", p.use("bert"), "out"], "nothing to convert"
    )
    yield Case(
        "conversions",
        "a bin with code",
        lambda p: [
            "convert",
            p.spoil(p.spoil("bert", "model.safetensors", None), "pytorch_model.bin", pickle.dumps(Code())),
            "out",
        ],
        "mkdir.*not run",
    )


CONVERSIONS = list(conversions())
