"""Attacks on exported folders: what is missing, damaged, or another than its manifest says."""

import hashlib
import json
from collections.abc import Callable, Iterator

from place import Case, Place


def manifest(p: Place, change: Callable[[dict], object] | None = None, text: str | bytes | None = None) -> str:
    """The exported folder with another manifest."""
    path = p.folder / p.use("graph") / "manifest.json"
    told = json.loads(path.read_text())
    if change is not None:
        change(told)
    content = json.dumps(told) if text is None else text
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return "graph"


def another(p: Place, file: str, content: str | bytes) -> str:
    """The exported folder with another file, which its manifest knows of."""
    content = content if isinstance(content, bytes) else content.encode()
    p.use("graph")
    p.write(f"graph/{file}", content)
    return manifest(p, lambda told: told["files"].update({file: hashlib.sha256(content).hexdigest()}))


def config(p: Place, **fields) -> str:
    told = json.loads((p.folder / p.use("graph") / "config.json").read_text())
    return another(p, "config.json", json.dumps({**told, **fields}))


def exports() -> Iterator[Case]:
    def case(name: str, make: Callable[[Place], str], says: str, command: str = "predict", *flags: str) -> Case:
        return Case("exports", f"{command}: {name}", lambda p: [command, make(p), "good film", *flags], says)

    for file in ("model.onnx", "tokenizer.json", "config.json"):
        yield case(f"no {file}", lambda p, f=file: p.spoil("graph", f, None), f"lacks {file}.*export")
        yield case(f"another {file}", lambda p, f=file: p.spoil("graph", f, "x"), f"{file} is not the file that was")
    for name, text in (("cut off", "{"), ("a list", "[1]"), ("empty", ""), ("bytes", b"\xff\xfe"), ("{}", "{}")):
        yield case(f"a manifest that is {name}", lambda p, t=text: manifest(p, text=t), "manifest.json")
    for name, field, value in (
        ("an unknown engine", "engine", "tf"),
        ("an engine that is a list", "engine", ["onnx"]),
        ("files that are a list", "files", ["model.onnx"]),
        ("a file outside of the folder", "files", {"../secret": "0" * 64}),
        ("a hash that is a number", "files", {"model.onnx": 3}),
        ("a head that is null", "head", None),
    ):
        yield case(
            f"a manifest with {name}", lambda p, f=field, v=value: manifest(p, lambda t: t.update({f: v})), field
        )
    yield case("a graph that is none", lambda p: p.use("graph"), "model.onnx can't be read by ONNX Runtime.*again")
    yield case(
        "a tokenizer of another kind", lambda p: another(p, "tokenizer.json", "{}"), "tokenizer.json can't be read"
    )
    yield case("a config that is a list", lambda p: another(p, "config.json", "[]"), "config.json holds a list")
    for name, value in (("id2label", 5), ("id2label", {"a": "b"}), ("text_window", [1]), ("calibration_folded", "x")):
        yield case(f"{name} {value!r}", lambda p, n=name, v=value: config(p, **{n: v}), f"config.json: {name} is")
    yield case(
        "another engine than its own", lambda p: p.use("graph"), "for the engine onnx", "predict", "--engine=torch"
    )
    yield case("a run that was not exported", lambda p: p.use("bert"), "--to onnx", "predict", "--engine=onnx")
    yield case("a classifier", lambda p: p.use("graph"), "which generate can't use", "generate")
    yield case("texts by ONNX", lambda p: p.use("gpt2"), "--to ctranslate2", "generate", "--engine=ctranslate2")
    yield case("no such engine", lambda p: p.use("graph"), "'tf' is none of its choices", "predict", "--engine=tf")
    yield from roundings()


def roundings() -> Iterator[Case]:
    """Attacks on `export --int8`."""

    def case(name: str, model: str, says: str, *flags: str, to: str = "onnx", rows: tuple[str, object] | None = None):
        def words(p: Place) -> list:
            file = [] if rows is None else ["--file", p.write(rows[0], str(rows[1]))]
            return ["export", p.use(model), "--to", to, "--int8", *flags, *file]

        return Case("exports", f"export --int8: {name}", words, says)

    def table(name: str, model: str, file: str, content: str, says: str, to: str = "onnx") -> Case:
        return case(name, model, says, to=to, rows=(file, content))

    yield case("to stock", "bert", "int8 is for --to onnx", to="stock")
    yield case("without rows", "bert", "no validation rows.*--file, a .csv")
    yield case(
        "word vectors of CTranslate2", "gpt2", "leave --int8_embeddings out", "--int8_embeddings", to="ctranslate2"
    )
    yield case("of what has no task", "masked", "answers to rows can't be compared")
    for loss in ("-1", "nan", "inf", "101"):
        yield case(f"max_loss {loss}", "bert", "max_loss is .*from 0 to 100", f"--max_loss={loss}")
    yield case("max_loss that is no number", "bert", "max_loss.*'much'", "--max_loss=much")
    yield case("no such file", "bert", "none.csv is no file", "--file=none.csv")
    yield case("a folder for a file", "bert", "bert is no file", "--file=bert")
    for name, content, says in (
        ("without gold", "text,label\ngood film,pos\n", "row 1, has no gold"),
        ("that is empty", "", "has no rows"),
        ("with a header alone", "text,gold\n", "has no rows"),
        ("with a short row", "text,gold\ngood film,pos\nbad film\n", "row 2, has no gold"),
        ("with a long row", "text,gold\ngood film,pos,pos\n", "row 1, has more cells"),
        ("with an open quote", 'text,gold\n"good film,pos\n', "rows.csv can't be read"),
    ):
        yield table(f"rows {name}", "bert", "rows.csv", content, says)
    for name, content, says in (
        ("that are no JSON", "{", "rows.jsonl can't be read"),
        ("that are lists", "[1]\n", "row 1, has no tokens"),
        ("of other lengths", '{"tokens": ["a", "b"], "gold": ["O"]}\n', "not as many words and tags"),
        ("of numbers", '{"tokens": [1], "gold": [2]}\n', "not as many words and tags"),
    ):
        yield table(f"tags {name}", "tagger", "rows.jsonl", content, says)
    pairs = ("rows.tsv", "source\treference\nthe cat\tle chat\n")
    yield case("a translation in ONNX", "translator", "give --to ctranslate2", rows=pairs)
    yield table(
        "a translation without one", "translator", "rows.tsv", "source\nthe cat\n", "no reference", "ctranslate2"
    )
    yield case(
        "a label that the model has not", "bert", "rows.csv.*gold", rows=("rows.csv", "text,gold\ngood film,great\n")
    )
