"""More of the table of attacks: names, standard input, the environment, options that nothing reads, packed files."""

import bz2
import gzip
import io
import json
import os
import zipfile
from collections.abc import Iterator

from place import Case, Place

NAMES = {  # nothing is written to, nor read from
    "a line break": "a\nb",
    "an escape": "a\x1b]0;owned\x07b",
    "the other way round": "a\u202eb",
    "bytes": "a\udcffb",
    "an address": "https://me:geheim@host/x",
    "a file's address": "file:///etc/passwd",
    "another's home": "~nobody-of-this-name/x",
    "nothing": " ",
}
UTF16 = "good film\n".encode("utf-16-be")


def names() -> Iterator[Case]:
    says = "^(?!.*geheim)error: .*(address|no terminal shows|no such user|no name|is written as)"
    for name, text in NAMES.items():
        for what, make in {
            "output_dir": lambda p, t: p.recipe("classify_bert", output_dir=t),
            "export --out": lambda p, t: ["export", p.use("gpt2"), "--out", t],
            "explain --out": lambda p, t: ["explain", "--out", t],
            "consolidate --out": lambda p, t: ["consolidate", p.use("bert"), "--like", "bert", "--out", t],
            "convert to --out": lambda p, t: ["convert", p.use("bert"), t],
            "attention --out": lambda p, t: ["attention", p.use("bert"), "the cat", "--out", f"{t}.png"],
            "predict --out": lambda p, t: ["predict", p.use("bert"), "good", "--out", f"{t}.csv"],
        }.items():
            if name != "nothing" or what[-5:] != "--out":
                yield Case("names", f"{what} {name}", lambda p, m=make, t=text: m(p, t), says)
    for recipe in ("classify_bert", "tag_bert", "translate"):
        yield Case(
            "names",
            f"{recipe}: a home of nobody",
            lambda p, r=recipe: p.recipe(r, dataset="~nobody-of-this-name"),
            "no such user",
        )
    yield Case(
        "names",
        "a picture of no kind",
        lambda p: ["attention", p.use("bert"), "the cat", "--out", "a b"],
        "ends in .html, .svg, .png",
    )


def inputs() -> Iterator[Case]:
    """Standard input."""
    for command, model in (("predict", "bert"), ("fill", "masked"), ("translate", "translator")):
        for name, stdin, says in (
            ("empty", b"", "standard input.*(texts|rows)"),
            ("UTF-16", UTF16, "line 1 holds a NUL.*iconv"),
            ("UTF-16 with its mark", b"\xfe\xff" + UTF16, "not UTF-8"),
        ):
            yield Case("inputs", f"{command}: {name}", lambda p, c=command, m=model: [c, p.use(m)], says, stdin=stdin)
    for name, more, stdin, says in (
        ("a table without rows", ["--format", "csv"], b"text\n", "has no rows"),
        ("lines without objects", ["--format", "jsonl"], b"\n\n", "has no rows"),
        ("empty, to a file", ["--out", "o.csv"], b"", "has no rows"),
        ("bytes, to a file", ["--out", "o.csv"], b"\x80\xff\n", "not UTF-8"),
    ):
        yield Case("inputs", name, lambda p, m=more: ["predict", p.use("bert"), *m], says, stdin=stdin)
    yield Case("inputs", "a text of nothing", lambda p: ["predict", p.use("bert"), " "], "1 row has an .error.*no text")


def environment() -> Iterator[Case]:
    for name, value, says in (
        ("WORLD_SIZE", "x", "no whole number: unset WORLD_SIZE RANK"),
        ("WORLD_SIZE", "-7", "no whole number"),
        ("WORLD_SIZE", "2", "without RANK"),
        ("WORLD_SIZE", "0", "can't be"),
        ("RANK", "", "no whole number"),
        ("RANK", "3", "can't be"),
        ("LOCAL_RANK", "x", "no whole number"),
        ("LOCAL_RANK", "0", "without WORLD_SIZE"),
        ("MASTER_PORT", "x", "no whole number"),
    ):
        yield Case("environment", f"{name}={value}", lambda p: p.recipe("classify_bert"), says, env={name: value})
    yield Case("environment", "predict RANK=x", lambda p: ["predict", p.use("bert"), "a"], "RANK", env={"RANK": "x"})
    for name, value in (
        ("ACCELERATE_MIXED_PRECISION", "nope"),
        ("ACCELERATE_USE_CPU", "maybe"),
        ("ACCELERATE_DYNAMO_BACKEND", "nope"),
    ):
        yield Case(
            "environment", f"{name}={value}", lambda p: p.recipe("classify_bert"), f"unset {name}", env={name: value}
        )


def options() -> Iterator[Case]:
    """What Trainer would take, and do nothing with."""
    for name, value, says in (
        ("optim_args", "foo=bar", "reads no 'foo'"),
        ("gradient_checkpointing_kwargs", "{nope: 1}", "has no use alone"),
        ("label_names", "x", "for programs alone"),
        ("liger_kernel_config", "{a: 1}", "has no use alone"),
        ("optim_target_modules", "x", "GaLore"),
        ("include_for_metrics", "x", "can hold inputs and loss"),
        ("fsdp_config", "{nope: 1}", "for several processes"),
        ("accelerator_config", "{nope: 1}", "nope"),
    ):
        yield Case("options", f"{name} {value}", lambda p, n=name, v=value: p.recipe("classify_bert", **{n: v}), says)
    for value, says in (("{nope: 1}", "has no 'nope'"), ("{use_reentrant: 3}", "must be true or false")):
        yield Case(
            "options",
            f"checkpointing {value}",
            lambda p, v=value: p.recipe(
                "classify_bert", gradient_checkpointing="true", gradient_checkpointing_kwargs=v
            ),
            says,
        )


def files() -> Iterator[Case]:
    row = b'{"text": "good", "label": "pos", "label": "neg"}\n'
    members = io.BytesIO()
    with zipfile.ZipFile(members, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"\0" * 2**28)
    zeros, bomb = bytes(2**26), "no table does|--header true"  # a stream of zeros may not be read to its end
    for name, file, content, says in (
        ("a key twice", "d.jsonl", row * 40, "line 1 can't be read.*'label' is there twice"),
        ("a key twice in a list", "d.json", b"[" + row + b"]", "'label' is there twice"),
        ("a bomb of gzip", "d.csv.gz", lambda: gzip.compress(zeros, 1) * 5, bomb),
        ("a bomb of bzip2", "d.csv.bz2", lambda: bz2.compress(zeros) * 5, bomb),
        ("a bomb of a workbook", "d.xlsx", members.getvalue(), "no table does"),
        ("a database that is none", "d.sqlite", b"junk", "not a readable database"),
        ("a workbook of nothing", "d.xlsx", zip_of_nothing(), "not a readable workbook"),
        ("a list of lists", "d.json", json.dumps([["good", 1]] * 40).encode(), "not an object"),
        ("no table", "d.csv", b"\x7fELF" + bytes(500), "d.csv"),
        ("only a header", "d.csv", b"text,label\n", "has no rows"),
    ):
        for what, make in {
            "check": lambda p, path: ["check", path],
            "predict": lambda p, path: ["predict", p.use("bert"), "--file", path],
        }.items():
            if what == "check" or not name.startswith(("a key twice", "no table")):
                yield Case("files", f"{what}: {name}", lambda p, m=make, f=file, c=content: m(p, put(p, f, c)), says)
    for field in ("config.json", "tokenizer.json"):
        yield Case(
            "files",
            f"a key twice in {field}",
            lambda p, f=field: ["predict", doubled(p, f), "good"],
            f"{field}.*is there twice",
        )
    for flags, says in (
        (["--nonsense", "1"], "nonsense"),
        (["--label_column"], "label_column"),
        (["--text_column", "x"], "no such column"),
        (["--encoding", "nope"], "nope"),
        (["--sheet", "1"], "--sheet"),
    ):
        yield Case("files", f"check {' '.join(flags)}", lambda p, f=flags: ["check", p.use("good.csv"), *f], says)


def zip_of_nothing() -> bytes:
    box = io.BytesIO()
    zipfile.ZipFile(box, "w").close()
    return box.getvalue()


def put(p: Place, file: str, content) -> str:
    return p.write(file, content() if callable(content) else content)


def doubled(p: Place, file: str) -> str:
    """A model whose file has its first key twice."""
    text = (p.folder / p.use("bert") / file).read_text()
    name = next(iter(json.loads(text)))
    p.write(os.path.join("bert", file), text.replace("{", f'{{"{name}": null, ', 1))
    return "bert"


def corrections() -> Iterator[Case]:
    """Folds, and the file of labels that were put right."""
    for name, flags, says in (
        ("one fold", {"folds": 1}, "folds is 1; it must be a whole number from 2 to 50"),
        ("folds of a word", {"folds": "five"}, "folds.*(whole number|invalid int)"),
    ):
        yield Case("corrections", name, lambda p, f=flags: p.recipe("classify_bert", **f), says)
    few = b"text,label\ngood a,pos\nbad b,neg\ngood c,pos\nbad d,neg\n"
    yield Case(
        "corrections",
        "more folds than texts",
        lambda p: p.recipe("classify_bert", dataset=p.write("few.csv", few), folds=9),
        "folds is 9, but the data have only 4 different texts",
    )
    for name, words_of, says in (
        ("a curve of no classification", ["gpt2"], "a curve is of a classification"),
        ("a curve of nothing", ["nothing-of-this-name"], "no file of settings and no ready configuration"),
        ("a curve of folds", ["classify", "--folds", "5"], "folds is given, but a curve chooses it itself"),
        ("a curve without repeats", ["classify", "--repeats", "0"], "--repeats is 0"),
        ("a curve of words", ["classify", "--sizes", "many"], "--sizes.*many"),
    ):
        yield Case("corrections", name, lambda p, w=words_of: ["curve", *w], says)
    for name, table, says in (
        ("no file", None, "fixed.csv"),
        ("no such column", b"id,label\n1,pos\n", "has no column .fixed_label"),
        ("nothing filled in", b"id,fixed_label\n1,\n", "is empty in every row"),
        ("no way to know a row", b"fixed_label,x\npos,1\n", "neither the column id nor text"),
        ("an unknown row", b"id,fixed_label\n999999,pos\n", "row 1: no row of the dataset has the id"),
        ("an unknown label", b"id,fixed_label\n1,\x1b[31mnone\n", "row 1: fixed_label is .*no row of the dataset has"),
        ("bytes", b"\x00\x01\x02", "fixed.csv"),
    ):

        def words(p: Place, content: bytes | None = table) -> list[str]:
            name = "fixed.csv" if content is None else p.write("fixed.csv", content)
            return p.recipe("classify_bert", fixed_labels=name)

        yield Case("corrections", name, words, says)


MORE = [*names(), *corrections(), *inputs(), *environment(), *options(), *files()]
