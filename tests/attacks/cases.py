"""The table of attacks: an input, the command line that reads it, and what the one sentence says."""

import io
import json
import os
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

from conversions import CONVERSIONS
from distill_cases import distillations
from exports import exports
from more_cases import MORE
from place import Case, Place, replace_file, reseal
from question_cases import questions

DEEP = "[" * 10_000 + "]" * 10_000
ESCAPE = "\x1b]0;owned\x07\x1b[31m"
LONG = "n" * 300
RECIPES = ("classify_bert", "tag_bert", "answer_bert", "pretrain_bert", "finetune_gpt2", "translate")
READERS = {  # commands that read a model, each with what follows it
    "predict": ("bert", ["good film"]),
    "fill": ("masked", ["the [MASK]"]),
    "generate": ("gpt2", ["the cat"]),
    "translate": ("translator", ["the cat"]),
}
COMMANDS = ("check", "verify", "predict", "fill", "generate", "translate", "attention", "explain", "compare")
COMMANDS += ("search", "report", "decide", "push", "export", "consolidate", "convert", "adopt", "bench", "serve")


class Code:
    """Leaves a mark if it is ever unpickled."""

    def __reduce__(self):
        return (os.mkdir, ("was-run",))


def zipped(content: bytes) -> bytes:
    """As torch.save lays out a file."""
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as file:
        file.writestr("archive/data.pkl", content)
        file.writestr("archive/version", "3\n")
    return box.getvalue()


MALICE = zipped(pickle.dumps(Code()))


def jsonl(*rows: object) -> str:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def arguments() -> Iterator[Case]:
    for command in COMMANDS:
        if command not in ("bench", "explain"):
            yield Case("arguments", f"{command} without any", lambda p, c=command: [c], "required: .*--help")
        yield Case(
            "arguments", f"{command} with an unknown one", lambda p, c=command: [c, "--nonsense"], "--nonsense|required"
        )
    yield Case("arguments", "an unknown command", lambda p: ["preddict"], "'preddict'")
    yield Case("arguments", "not a number", lambda p: ["predict", "m", "--batch_size", "many"], "batch_size.*'many'")
    yield Case(
        "arguments", "a number of 5,000 digits", lambda p: ["predict", "m", "--batch_size", "9" * 5000], "batch_size"
    )
    yield Case("arguments", "a word shortened", lambda p: ["predict", "m", "--batch", "3"], "--batch")
    yield Case("arguments", "an escape sequence", lambda p: ["predict", f"./{ESCAPE}", "hi"], r"\\x1b\]0;owned")
    yield Case("arguments", "a byte that is not UTF-8", lambda p: ["predict", "./m\udcff", "hi"], r"m\\xff")
    for recipe in RECIPES:
        yield Case("arguments", f"recipe {recipe} without any", lambda p, r=recipe: ["recipe", r], "no output folder")
        yield Case(
            "arguments", f"{recipe}: an unknown one", lambda p, r=recipe: p.recipe(r, nonsense=1), "'--nonsense'"
        )
        yield Case(
            "arguments", f"{recipe}: no number", lambda p, r=recipe: p.recipe(r, max_steps="x"), "max_steps.*'x'"
        )
        yield Case(
            "arguments", f"{recipe}: a value lacks", lambda p, r=recipe: [*p.recipe(r), "--seed"], "seed: expected one"
        )
    for flag, value, says in (
        ("port", "70000", "65,535"),
        ("host", "no such host", "no address of this machine"),
        ("host", "192.0.2.1", "can't be had"),
        ("max_wait_ms", "-1", "at least 0"),
        ("max_wait_ms", "nan", "max_wait_ms is nan"),
        ("batch_size", "0", "at least 1"),
        ("max_texts", "5000", "--max_queue"),
        ("timeout", "inf", "above 0"),
        ("cors", "*", "an origin is like"),
        ("language", "fr", "--language zh"),
    ):
        yield Case(
            "arguments",
            f"serve: {flag} {value}",
            lambda p, f=flag, v=value: ["serve", p.use("bert"), f"--{f}", v],
            says,
        )
    yield Case("arguments", "train_tokenizer without any", lambda p: ["recipe", "train_tokenizer"], "no output folder")
    yield Case("arguments", "adopt: no such script", lambda p: ["adopt", "none.py"], "none.py")
    yield Case("arguments", "adopt: a folder", lambda p: ["adopt", "."], "a folder|directory")
    yield Case("arguments", "adopt: bytes", lambda p: ["adopt", p.write("s.py", b"\xff\xfe")], "UTF-8|utf-8")


def numbers() -> Iterator[Case]:
    """Numbers of commands that no machine counts to, or that float32 does not hold."""
    big, small = "9" * 30, "1e-308"
    for command, name, value, says in (
        ("predict", "batch_size", big, "at most 65,536"),
        ("predict", "temperature", small, "at least 0.001"),
        ("predict", "temperature", "1e308", "at most 1,000"),
        ("predict", "batch_size", "1.5", "'1.5' must be a whole number"),
        ("generate", "temperature", small, "at least 0.001"),
        ("generate", "temperature", "true", "'true' must be a number"),
        ("generate", "num_beams", big, "at most 1,000"),
        ("generate", "batch_size", big, "at most 65,536"),
        ("generate", "top_k", "9" * 400, "a number of 400 digits; it must be at most"),
        ("translate", "num_beams", big, "at most 1,000"),
        ("translate", "batch_size", big, "at most 65,536"),
        ("fill", "top_k", big, "at most the vocabulary's"),
    ):
        model, rest = READERS[command]
        yield Case(
            "numbers",
            f"{command} --{name} {value[:10]}",
            lambda p, c=command, m=model, r=rest, n=name, v=value: [c, p.use(m), *r, f"--{n}", v],
            f"{name}.*{says}",
        )


def settings() -> Iterator[Case]:
    def case(name, text, says):
        return Case("settings", name, lambda p: p.yaml(text), says)

    base = "dataset: good.csv\nmodel: bert\noutput_dir: out\n"
    yield Case(
        "settings", "no such file", lambda p: ["recipe", "classify_bert", "no.yaml"], "no.yaml: there is no such config"
    )
    yield Case("settings", "a folder", lambda p: ["recipe", "classify_bert", "."], "is a folder")
    yield Case("settings", "a name too long", lambda p: ["recipe", "classify_bert", LONG], "nnn.*too long")
    yield Case("settings", "a device", lambda p: ["recipe", "classify_bert", "/dev/zero"], "is a device")

    def fifo(p: Place):
        os.mkfifo(p.folder / "run.yaml")
        return ["recipe", "classify_bert", "run.yaml"]

    yield Case("settings", "a pipe", fifo, "is a pipe")

    def loop(p: Place):
        (p.folder / "run.yaml").symlink_to("run.yaml")
        return ["recipe", "classify_bert", "run.yaml"]

    yield Case("settings", "a link to itself", loop, "run.yaml: can't be read")

    def dangling(p: Place):
        (p.folder / "run.yaml").symlink_to("gone")
        return ["recipe", "classify_bert", "run.yaml"]

    yield Case("settings", "a dangling link", dangling, "link to gone")
    yield case(
        "few labels from scratch", "dataset: good.csv\nfew_labels: true\noutput_dir: out\n", "needs a checkpoint"
    )
    yield case("few labels and LoRA", f"{base}few_labels: true\nlora_rank: 2\n", "few_labels and lora_rank exclude")
    yield case(
        "few labels and evaluations", f"{base}few_labels: true\neval_strategy: epoch\n", "leave eval_strategy out"
    )
    yield case("a label's rows", f"{base}rows_per_label: 0\n", "rows_per_label is 0; it must be at least 1")
    yield case("nested deep", f"{base}model_config: {DEEP}\n", "run.yaml is not YAML: .*more than 50")
    yield case("mappings nested deep", f"{base}model_config: {'{a: ' * 3000}1{'}' * 3000}\n", "more than 50")
    yield case("a key twice", f"{base}seed: 1\nseed: 2\n", "'seed' is there twice.*line 4")
    yield case("a key twice within", f"{base}model_config:\n  a: 1\n  a: 2\n", "'a' is there twice")
    yield case("a list for a number", f"{base}learning_rate: [1, 2]\n", r"learning_rate must be a number, not \[1, 2\]")
    yield case("a mapping for a number", f"{base}max_steps: {{a: 1}}\n", "max_steps must be a whole number")
    yield case("a list for a text", f"{base}text_column: [text]\n", "text_column must be")
    yield case("a number for a mapping", f"{base}model_config: 3\n", "model_config must be")
    yield case("a fraction for a whole number", f"{base}max_steps: 2.5\n", "max_steps must be a whole number")
    yield case("a word for a switch", f"{base}bf16: maybe\n", "bf16 must be true or false")
    yield case("a NUL in a name", 'dataset: "a\\0b.csv"\noutput_dir: out\n', "dataset holds a NUL")
    yield case("aliases that multiply", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "alias")
    yield case(
        "a tag that makes an object", "dataset: !!python/object/apply:os.mkdir [was-run]\n", "run.yaml is not YAML"
    )
    yield case("bytes", b"dataset: \xff\xfe\n", "not UTF-8")
    yield case("a NUL byte", b"dataset: \x00\n", "not YAML")
    yield case("a control character", "dataset: \x1b[31m\n", "not YAML")
    yield case("a key that is a list", "? [a, b]\n: 1\n", "run.yaml")
    yield case("a date that is none", f"{base}seed: 2026-99-99\n", "run.yaml")
    yield case("a list", "- a\n", "must hold")
    yield case("an unknown key with an escape", f'{base}"\\e[31mred": 1\n', r"unknown key '\\x1b")
    yield case("a number for a dataset", "dataset: 7\noutput_dir: out\n", "dataset")
    yield case("null for a dataset", "dataset: null\noutput_dir: out\n", "dataset")
    yield case("one seed twice", f"{base}seeds: [1, 1]\n", "seeds")
    for name, text, says in (
        ("a day for a number", "seed: 2020-01-01", "seed must be a whole number, not '2020-01-01'"),
        ("a day and an hour", "seed: !!timestamp 2001-12-14t21:59:43.10-05:00", "seed must be a whole number"),
        ("1e3 for a whole number", "seed: 1e3", "seed must be a whole number"),
        ("a word for 1e-4", "learning_rate: 1e-x", "learning_rate must be a number, not '1e-x'"),
        ("nothing for a whole number", "seed:", "seed must be a whole number, not null"),
        ("null for a number", "learning_rate: null", "learning_rate must be a number, not null"),
        ("true for a name", "text_column: yes", "text_column must be a text, not true: put it in quotes"),
        ("a number read by eights", "seed: 017", "017 is read in two ways.*line 4"),
        ("a number read by sixties", "seed: 1:30", "1:30 is read in two ways"),
        ("no number under its tag", "seed: !!int x", "'x' is no whole number.*line 4"),
        ("a number of 5,000 digits", "seed: " + "9" * 5000, "no whole number.*line 4"),
        ("a tag of bytes", "text_column: !!binary aGVsbG8=", "the tag binary"),
        ("a tag of a set", "model_config: !!set {a, b}", "the tag set"),
        ("a lone surrogate", 'text_column: "\\ud800"', "text_column holds half a character"),
        ("a fraction of a seed", "seeds: [-1, 2]", "seed is -1; it must be at least 0"),
        ("a list for an optimizer", "optim: [a]", "optim must be a text, not"),
        ("a mapping for machines", "parallelism_config: {a: 1}", "parallelism_config is for programs alone"),
        ("a day for a mapping", "lr_scheduler_kwargs: 2020-01-01", "lr_scheduler_kwargs is '2020-01-01'; it must be"),
        ("a model's label names a text", "model: null\nmodel_config: {id2label: x}", "twice|model_config: "),
    ):
        yield case(name, f"{base}{text}\n", says)
    for name, value, says in (
        ("learning_rate", "1e308", "learning_rate is 1e.308; it must be at most 100"),
        ("adam_epsilon", "1e308", "adam_epsilon is 1e.308; it must be at most 1"),
        ("adam_epsilon", "1e-50", "adam_epsilon is 1e-50; it must be at least 1e-30"),
        ("weight_decay", "1e300", "weight_decay is 1e.300; it must be at most 100"),
        (
            "per_device_train_batch_size",
            "9" * 30,
            "per_device_train_batch_size is [9,]+; it must be at most 65,536",
        ),
        ("max_steps", "9" * 400, "max_steps is a number of 400 digits; it must be at most"),
        ("num_train_epochs", "1e308", "num_train_epochs is 1e.308; it must be at most 1,000,000"),
        ("torch_compile_backend", "nope", "torch_compile_backend is 'NOPE'|torch_compile_backend is 'nope'"),
        ("torch_compile_mode", "nope", "torch_compile_mode is 'nope'"),
        ("dataloader_persistent_workers", "true", "add --dataloader_num_workers 1"),
        ("fsdp", "full_shard", "fsdp is for several processes"),
        ("ddp_backend", "nccl", "ddp_backend is for several processes"),
        ("lr_scheduler_kwargs", "[1]", "no {key: value"),
        ("lr_scheduler_kwargs", "{num_cycles: .inf}", "num_cycles is inf; it must be a finite number"),
        ("gradient_checkpointing_kwargs", "{a", "no {key: value"),
        ("lr_scheduler_type", "nope", "lr_scheduler_type: 'nope' is none of its choices, linear"),
        ("optim", "adamw_apex_fused", "none of its 41 choices; did you mean 'adamw_torch_fused'"),
        ("optim_args", "betas", "optim adamw_torch.* with optim_args 'betas' can't be used"),
        ("metric_for_best_model", "", "metric_for_best_model is ''; give the name"),
    ):
        yield Case(
            "settings", f"--{name} {value[:20]}", lambda p, n=name, v=value: p.recipe("classify_bert", **{n: v}), says
        )
    yield Case(
        "settings",
        "not one whole batch",
        lambda p: p.recipe("classify_bert", dataloader_drop_last="true", per_device_train_batch_size=1000),
        "lower per_device_train_batch_size",
    )
    yield Case("settings", "check: a folder", lambda p: ["check", "."], "folder|no such config")
    yield Case("settings", "check: a device", lambda p: ["check", "/dev/zero"], "device|no such config")
    yield Case(
        "settings", "check: no recipe named", lambda p: ["check", p.write("r.yaml", "a: 1")], "first line must name"
    )
    yield Case(
        "settings", "one row of train", lambda p: p.recipe("classify_bert", max_train_rows=1, baseline="true"), "train"
    )
    yield Case("settings", "no row of train", lambda p: p.recipe("classify_bert", max_train_rows=0), "max_train_rows")
    yield Case(
        "settings",
        "output folder is a file",
        lambda p: p.recipe("classify_bert", output_dir=p.use("good.csv")),
        "good.csv can't be written",
    )
    yield Case(
        "settings", "output folder too long", lambda p: p.recipe("classify_bert", output_dir=LONG), "can't be written"
    )
    yield Case("settings", "a package that is absent", lambda p: p.recipe("classify_bert", report_to="wandb"), "wandb")
    yield Case(
        "settings",
        "deepspeed, absent",
        lambda p: p.recipe("classify_bert", deepspeed=p.write("ds.json", "{}")),
        "[Dd]eep[Ss]peed",
    )


def data() -> Iterator[Case]:
    def on(recipe, name, file, content, says, **flags):
        return Case("data", name, lambda p: p.recipe(recipe, dataset=p.write(file, content), **flags), says)

    rows = [{"text": f"good film {n}", "label": "pos" if n % 2 else "neg"} for n in range(40)]
    yield on(
        "classify_bert",
        "labels of 1e300",
        "d.jsonl",
        jsonl(*[{**row, "label": 1e300} for row in rows]),
        "label",
        problem_type="regression",
    )
    yield on(
        "classify_bert",
        "some labels of 1e300",
        "d.csv",
        "text,label\n" + "".join(f"good {n},{'1e300' if n % 2 else n}\n" for n in range(60)),
        "beyond 1e",
        problem_type="regression",
    )
    yield on(
        "classify_bert",
        "a lone surrogate",
        "d.jsonl",
        jsonl(*rows, '{"text": "a \\ud800 b", "label": "pos"}'),
        r"d.jsonl.*surrogate",
    )
    yield on(
        "classify_bert",
        "a lone surrogate as a name",
        "d.jsonl",
        jsonl(*rows, '{"te\\udfffxt": "a", "text": "b", "label": "pos"}'),
        "surrogate",
    )
    yield on(
        "classify_bert", "JSON nested deep", "d.jsonl", jsonl(*rows, f'{{"text": {DEEP}}}'), "d.jsonl: line 41.*nested"
    )
    yield on("classify_bert", "JSON nested deep, a list", "d.json", DEEP, "d.json: .*nested")
    yield on(
        "classify_bert",
        "a NUL in a column's name",
        "d.csv",
        "te\0xt,label\n" + "a,b\n" * 30,
        "text_column|NUL|line|control character",
    )
    yield on("classify_bert", "bytes in a column's name", "d.csv", b"te\xffxt,label\na,b\n", "not UTF-8|too few")
    yield on("classify_bert", "no rows", "d.csv", "text,label\n", "has no rows")
    yield on("classify_bert", "empty", "d.csv", "", "empty")
    yield on("classify_bert", "escape in a label", "d.csv", "text,label\n" + f"good,{ESCAPE}\n" * 60, r"too few|label")
    yield on("classify_bert", "escape in a column", "d.csv", f"{ESCAPE},b\nx,y\n", r"\\x1b")
    yield on("classify_bert", "Parquet that is none", "d.parquet", b"PAR1nonsense", "Parquet")
    yield on(
        "classify_bert",
        "a number of 5,000 digits",
        "d.jsonl",
        jsonl(*rows, '{"text": "a", "label": ' + "9" * 5000 + "}"),
        "d.jsonl",
    )
    yield on(
        "classify_bert", "JSON with NaN", "d.jsonl", jsonl(*[{**row, "label": float("nan")} for row in rows]), "label"
    )
    yield on("tag_bert", "JSON nested deep, tags", "d.jsonl", f'{{"tokens": {DEEP}, "ner_tags": []}}\n', "nested")
    yield on("translate", "JSON nested deep, pairs", "d.jsonl", f'{{"en": {DEEP}}}\n', "nested")
    parts = '[{"type": "text"}]'
    talk = '{"messages": [{"role": "user", "content": %s}, {"role": "assistant", "content": "a"}]}\n'
    zero = {"validation_fraction": "0", "eval_strategy": "no"}
    asked = '{"prompt": "a", "completion": "b"}\n' * 40
    for name, content, says, told in (
        ("messages nested deep", talk % DEEP, "nested", {}),
        ("a message in parts", talk.replace('"a"', parts) % parts * 40, "content that is a text", {}),
        ("a role that nobody has", talk.replace("user", "tool") % '"a"' * 40, "a role is tool", {}),
        ("answers of nothing", '{"prompt": "a", "completion": " "}\n' * 40, "a prompt and an answer", {}),
        ("answers longer than any model", asked.replace("b", "b" * 999), "--over_long leave_out", {}),
        ("a template that is a folder", asked, "template is", {"template": "."}),
        ("a template that is none", asked, "template is", {"template": ESCAPE}),
        ("a template that is the data", asked, "no chat template", {"template": "d.jsonl"}),
    ):
        yield on("finetune_gpt2", f"conversations: {name}", "d.jsonl", content, says, separator=None, **zero, **told)
    for name, content, says in (
        ("bytes", b"\xff\xfe\xff", "UTF-8|UTF-16"),
        ("nothing", "", "words.txt: the file is empty"),
        ("a sentence", "a word and more\n", "line 1 is .*not one word"),
        ("a word of 1 MB", "x" * 10**6, "line 1 is .*not one word"),
        ("a bell", "\x07\n", "the tokenizer leaves nothing of the word"),
    ):
        yield Case(
            "data",
            f"words of {name}",
            lambda p, c=content: p.recipe(
                "pretrain_bert",
                model=p.use("masked"),
                nsp="false",
                separator=None,
                lines="true",
                add_words=p.write("words.txt", c),
                dataset=p.write("d.txt", "\n".join(f"a cat sat {n}" for n in range(40))),
            ),
            says,
        )
    for recipe in ("pretrain_bert", "finetune_gpt2"):
        yield on(recipe, f"{recipe}: bytes", "d.txt", b"\xff\xfea", "not UTF-16", separator=None)
        yield on(recipe, f"{recipe}: empty", "d.txt", "", "empty", separator=None)
        yield on(
            recipe,
            f"{recipe}: streamed bytes",
            "d.txt",
            b"abc\n\xff\n" * 40,
            "not UTF-8",
            separator=None,
            lines="true",
            streaming="true",
        )

    for recipe in RECIPES:
        end = ".txt" if recipe in ("pretrain_bert", "finetune_gpt2") else ".csv"

        def place(p: Place, kind: str, recipe=recipe, end=end):
            path = p.folder / f"d{end}"
            if kind == "a pipe":
                os.mkfifo(path)
            elif kind == "a dangling link":
                path.symlink_to("gone")
            elif kind == "a link to itself":
                path.symlink_to(path.name)
            elif kind == "a folder called as a file":
                path.mkdir()
            elif kind == "a link to a device":
                path.symlink_to("/dev/zero")
            return p.recipe(recipe, dataset=path.name)

        for kind, says in {
            "a pipe": "is a pipe",
            "a dangling link": "link to gone|no such",
            "a link to itself": "can't be read|no such",
            "a folder called as a file": "folder",
            "a link to a device": "is a device",
        }.items():
            yield Case("data", f"{recipe}: {kind}", lambda p, k=kind, f=place: f(p, k), says)
        yield Case(
            "data", f"{recipe}: a name too long", lambda p, r=recipe, e=end: p.recipe(r, dataset=LONG + e), "nnn"
        )
        yield Case(
            "data", f"{recipe}: a name of bytes", lambda p, r=recipe, e=end: p.recipe(r, dataset=f"\udcff{e}"), r"\\xff"
        )
        yield Case(
            "data",
            f"{recipe}: an address with a password",
            lambda p, r=recipe: p.recipe(r, dataset="https://me:geheim@host/d.csv"),
            "^(?!.*geheim)error: ",
        )

    def train_pipe(p: Place):
        (p.folder / "d").mkdir()
        os.mkfifo(p.folder / "d" / "train.csv")
        return p.recipe("classify_bert", dataset="d")

    yield Case("data", "a pipe in a folder of data", train_pipe, "is a pipe")
    saved = {"dataset_dict.json": DEEP, "state.json": "[]"}
    for file, content in saved.items():
        yield Case(
            "data",
            f"a saved dataset whose {file} is odd",
            lambda p, f=file, c=content: p.recipe("classify_bert", dataset=os.path.dirname(p.write(f"d/{f}", c))),
            "saved dataset",
        )


def models() -> Iterator[Case]:
    """Model folders that are odd, for the command and the recipe that read each."""
    bits = {"bert": "classify_bert", "masked": "pretrain_bert", "gpt2": "finetune_gpt2", "translator": "translate"}
    size = {"bert": "hidden_size", "masked": "hidden_size", "gpt2": "n_embd", "translator": "d_model"}
    heads = {
        "bert": "num_attention_heads",
        "masked": "num_attention_heads",
        "gpt2": "n_head",
        "translator": "encoder_attention_heads",
    }
    drop = {
        "bert": "hidden_dropout_prob",
        "masked": "hidden_dropout_prob",
        "gpt2": "resid_pdrop",
        "translator": "dropout",
    }

    def file(name, content):
        return lambda p, m: p.spoil(m, name, content)

    def field(**changes):
        return lambda p, m: p.config(m, **changes)

    def pipe(name):
        def make(p: Place, m: str):
            p.spoil(m, name, None)
            os.mkfifo(p.folder / m / name)
            return m

        return make

    def link(name, to):
        def make(p: Place, m: str):
            p.spoil(m, name, None)
            (p.folder / m / name).symlink_to(to)
            return m

        return make

    def ids_beyond(p: Place, m: str):
        p.use(m)
        path = p.folder / m / "tokenizer.json"
        value = json.loads(path.read_text())
        value["added_tokens"].append({**value["added_tokens"][0], "id": 5000, "content": "film"})
        vocab = value["model"]["vocab"]
        for place, word in enumerate([word for word in vocab if word.isalpha() and word.islower()]):
            vocab[word] = 1000 + place
        value["added_tokens"].pop()
        path.write_text(json.dumps(value))
        return m

    for model, recipe in bits.items():
        attacks = {
            "config.json a list": (file("config.json", "[]"), "config.json"),
            "config.json cut off": (file("config.json", '{"a'), "config.json"),
            "config.json nested deep": (file("config.json", DEEP), "config.json"),
            "config.json bytes": (file("config.json", b"\xff\xfe"), "config.json"),
            "no config.json": (file("config.json", None), "config.json"),
            "config.json a pipe": (pipe("config.json"), "config.json.*pipe"),
            "config.json a dangling link": (link("config.json", "gone"), "config.json.*link"),
            "config.json a link to a device": (link("config.json", "/dev/zero"), "config.json.*device"),
            "no model_type": (field(model_type=None, architectures=None), "model_type"),
            "an unknown model_type": (field(model_type="x\x1b[31m"), "model_type|kind"),
            "a model_type of another library": (
                field(model_type="deepseek_v9", auto_map={"AutoConfig": "a.B"}),
                "^(?!.*trust_remote_code=True)error: .*deepseek_v9",
            ),
            "a size in quotes": (field(**{size[model]: "64"}), size[model]),
            "a size below 0": (field(**{size[model]: -64}), size[model]),
            "a size of 2**40": (field(**{size[model]: 2**40}), f"{size[model]}|memory|GB|GiB"),
            "a vocabulary of 2**50": (field(vocab_size=2**50), "vocab_size|memory|GB|GiB"),
            "dropout 5": (field(**{drop[model]: 5}), drop[model]),
            "no heads": (field(**{heads[model]: 0}), heads[model]),
            "no tokenizer": (
                lambda p, m: p.without_tokenizer(m),
                "tokenizer",
            ),
            "tokenizer cut off": (file("tokenizer.json", '{"version": "1.0", "trunc'), "tokenizer"),
            "tokenizer nested deep": (file("tokenizer.json", DEEP), "tokenizer"),
            "tokenizer a pipe": (pipe("tokenizer.json"), "tokenizer.json.*pipe"),
            "tokenizer_config a list": (file("tokenizer_config.json", "[]"), "tokenizer_config.json"),
            "tokenizer ids beyond the embedding": (ids_beyond, "id|embedding|rows"),
            "weights cut off": (file("model.safetensors", b"\x00" * 20), "cut off or damaged"),
            "weights a pipe": (pipe("model.safetensors"), "model.safetensors.*pipe"),
            "no weights": (file("model.safetensors", None), "model.safetensors|weights|tensors"),
            "weights that hold code": (
                lambda p, m: [p.spoil(m, "model.safetensors", None), p.write(f"{m}/pytorch_model.bin", MALICE)] and m,
                "holds code.*not run",
            ),
        }
        command, (_, rest) = next((c, found) for c, found in READERS.items() if found[0] == model)
        for name, (make, says) in attacks.items():
            yield Case(
                "models", f"{command}: {name}", lambda p, mk=make, m=model, c=command, r=rest: [c, mk(p, m), *r], says
            )
            yield Case(
                "models",
                f"recipe {recipe}: {name}",
                lambda p, mk=make, m=model, r=recipe: p.recipe(
                    r,
                    model=mk(p, m),
                    dataset=p.data_of(r),
                ),
                says,
            )

    for command, (_, rest) in READERS.items():
        yield Case(
            "models", f"{command}: a file", lambda p, c=command, r=rest: [c, f"./{p.use('good.csv')}", *r], "good.csv"
        )
        yield Case("models", f"{command}: a device", lambda p, c=command, r=rest: [c, "/dev/null", *r], "/dev/null")
        yield Case(
            "models",
            f"{command}: an empty folder",
            lambda p, c=command, r=rest: [c, os.path.dirname(p.write("e/x", "")), *r],
            "e.*config.json|config.json",
        )
        yield Case("models", f"{command}: a name too long", lambda p, c=command, r=rest: [c, f"./{LONG}", *r], "nnn")
        yield Case("models", f"{command}: no name", lambda p, c=command, r=rest: [c, "", *r], "model")
        yield Case(
            "models",
            f"{command}: not UTF-8 on standard input",
            lambda p, c=command: [c, p.use(READERS[c][0]), *(["--file", "-"] if c == "generate" else [])],
            "standard input|such file|UTF-8",
            stdin=b"good \xff film\n",
        )
    yield Case("models", "generate with a BERT", lambda p: ["generate", p.use("bert"), "the"], "bert")
    yield Case("models", "translate with a BERT", lambda p: ["translate", p.use("bert"), "the"], "bert")
    yield Case("models", "serve nothing", lambda p: ["serve", "none-here"], "none-here")
    yield Case("models", "fill with a GPT-2", lambda p: ["fill", p.use("gpt2"), "the"], "gpt2")
    yield Case("models", "predict with a GPT-2 that writes", lambda p: ["predict", p.use("gpt2"), "the"], "gpt2")
    for command in ("verify", "push", "export", "attention"):
        rest = {"push": ["me/it"], "attention": ["the cat", "--out", "a.png"]}.get(command, [])
        for name, make, says in (
            ("config.json a list", lambda p: p.spoil("bert", "config.json", "[]"), "config.json"),
            ("config.json nested deep", lambda p: p.spoil("bert", "config.json", DEEP), "config.json"),
            ("no model_type", lambda p: p.config("bert", model_type=None), "model_type|model"),
            ("a size below 0", lambda p: p.config("bert", hidden_size=-64), "hidden_size"),
            ("a size of 2**40", lambda p: p.config("bert", hidden_size=2**40), "hidden_size|memory"),
            ("a file", lambda p: f"./{p.use('good.csv')}", "good.csv"),
            ("architectures a number", lambda p: p.config("bert", architectures=7), "architectures"),
        ):
            if command != "push" or name not in ("a size below 0", "a size of 2**40"):
                yield Case("models", f"{command}: {name}", lambda p, mk=make, c=command, r=rest: [c, mk(p), *r], says)
    yield Case(
        "models",
        "export of 3 answers to a question",
        lambda p: ["export", p.use("qa3")],
        "qa3|QuestionAnswering|num_labels",
    )
    yield Case(
        "models",
        "export of 3 answers to ONNX",
        lambda p: ["export", p.use("qa3"), "--to", "onnx"],
        "qa3|QuestionAnswering|num_labels",
    )
    yield Case(
        "models",
        "export of a GPT-2 classifier to CTranslate2",
        lambda p: ["export", p.use("gpt2-classifier"), "--to", "ctranslate2"],
        "CTranslate2 takes",
    )

    def no_end(p: Place):
        p.use("gpt2")
        path = p.folder / "gpt2" / "tokenizer_config.json"
        value = json.loads(path.read_text())
        for name in ("eos_token", "bos_token", "unk_token"):
            value.pop(name, None)
        path.write_text(json.dumps(value))
        (p.folder / "gpt2" / "special_tokens_map.json").unlink(missing_ok=True)
        return ["export", "gpt2", "--to", "ctranslate2"]

    yield Case("models", "CTranslate2 without end-of-text", no_end, "end-of-text")

    def weights(p: Place, change) -> str:
        from safetensors.torch import load_file, save_file

        path = p.folder / p.use("gpt2") / "model.safetensors"
        save_file({name: change(name, one) for name, one in load_file(path).items()}, path, metadata={"format": "pt"})
        return "gpt2"

    for name, change, says in (
        ("whole numbers", lambda name, one: one.long(), "as whole numbers.*I64"),
        ("NaN", lambda name, one: one * float("nan"), "not finite"),
        ("numbers without dimensions", lambda name, one: one.sum(), "dimensions|sizes"),
    ):
        for command, rest in (("generate", ["the"]), ("export", [])):
            yield Case(
                "models",
                f"{command}: weights that are {name}",
                lambda p, f=change, c=command, r=rest: [c, weights(p, f), *r],
                says if command == "generate" else f"{says}|differs by nan",
            )
    part = "model-00001-of-00001.safetensors"
    for name, index, says in (
        ("a list", [], "holds a list"),
        ("without a table", {"metadata": {}}, "has no weight_map"),
        ("whose table is a list", {"weight_map": []}, "has no weight_map"),
        ("that names numbers", {"weight_map": {"a": 3}}, "has no weight_map"),
        ("that names a device", {"weight_map": {"a": "/dev/zero"}}, "names '/dev/zero', which is no file beside it"),
        ("that names a file outside", {"weight_map": {"a": "../x"}}, "which is no file beside it"),
        ("that names a NUL", {"weight_map": {"a": "a\0b"}}, "which is no file beside it"),
        ("that names a file that is absent", {"weight_map": {"a": part}}, f"{part}: there is no such"),
    ):
        yield Case(
            "models",
            f"an index of weights {name}",
            lambda p, i=index: [
                "predict",
                p.spoil(p.spoil("bert", "model.safetensors", None), "model.safetensors.index.json", json.dumps(i)),
                "good",
            ],
            says,
        )
    for name, fields, says in (
        ("of other numbers", {"id2label": {"5": "a", "9": "b"}}, "count them from 0"),
        ("of one name twice", {"id2label": {"0": "x", "1": "x"}}, "names 'x' twice"),
        ("of null", {"id2label": {"0": None, "1": "x"}}, "names a label null"),
        ("that are none", {"id2label": {}}, "id2label"),
        ("of another number", {"num_labels": -1}, "num_labels is -1"),
        ("and a window that is a number", {"text_window": 7}, "text_window is 7"),
        ("and a window of words", {"text_window": {"max_length": "x"}}, "text_window is"),
        ("and answers without names", {"return_dict": False}, "return_dict is false"),
        ("of a model of another kind", {"model_type": "t5"}, "bert"),
        ("and an activation that is none", {"hidden_act": "nope"}, "'nope'"),
        ("and quantized by a list", {"quantization_config": []}, "another kind than belongs there"),
    ):
        yield Case(
            "models", f"labels {name}", lambda p, f=fields: ["predict", p.config("bert", **f), "good film"], says
        )
    yield Case(
        "models",
        "tokenizer.json of nothing",
        lambda p: ["predict", p.spoil("bert", "tokenizer.json", "{}"), "a"],
        "lacks",
    )


def rows() -> Iterator[Case]:
    """Files that `predict` reads."""

    def case(name, file, content, says, *more, code=2):
        return Case(
            "rows", name, lambda p: ["predict", p.use("bert"), "--file", p.write(file, content), *more], says, code=code
        )

    yield case("bytes", "d.txt", b"\xff\xfe\x00", "not UTF-16")
    yield case("bytes in CSV", "d.csv", b"text\n\xff\n", "not UTF-8")
    yield case("quotes", "d.csv", 'text\n"a\n', "quotes")
    yield case("empty CSV", "d.csv", "", "empty")
    yield case("an escape in a column", "d.csv", f"{ESCAPE},b\nx,y\n", r"\\x1b")
    yield case("an unknown kind", "d.xlsx", b"PK", "xlsx")
    yield Case(
        "rows",
        "a folder",
        lambda p: ["predict", p.use("bert"), "--file", p.use("bert"), "--format", "txt"],
        "is a folder",
    )
    yield Case(
        "rows",
        "a device",
        lambda p: ["predict", p.use("bert"), "--file", "/dev/zero", "--format", "txt"],
        "is a device",
    )
    yield Case("rows", "no such file", lambda p: ["predict", p.use("bert"), "--file", "no.csv"], "no.csv")
    yield Case("rows", "a name too long", lambda p: ["predict", p.use("bert"), "--file", LONG + ".csv"], "too long")

    def pipe(p: Place):
        os.mkfifo(p.folder / "d.csv")
        return ["predict", p.use("bert"), "--file", "d.csv"]

    yield Case("rows", "a pipe", pipe, "is a pipe")
    for name, out in (
        ("a folder", "o.csv"),
        ("in a file", "good.csv/o.csv"),
        ("too long", LONG + ".csv"),
        ("of another kind", "o.txt"),
    ):

        def make(p: Place, out=out):
            p.use("good.csv")
            if out == "o.csv":
                (p.folder / out).mkdir()
            return ["predict", p.use("bert"), "good film", "--out", out]

        yield Case("rows", f"--out {name}", make, "out|nnn|good.csv")
    for name, state in (
        ("cut off", "{"),
        ("a list", "[]"),
        ("of other fields", "{}"),
        ("nested deep", DEEP),
        ("of other types", '{"by": 3, "bytes": "x", "rows": []}'),
    ):

        def begun(p: Place, state=state):
            p.write("o.csv.partial", "id,text\n")
            p.write("o.csv.state", state)
            return ["predict", p.use("bert"), "good film", "--out", "o.csv"]

        yield Case("rows", f"a state {name}", begun, "o.csv.state")
    yield Case(
        "rows",
        "--id_column with texts",
        lambda p: ["predict", p.use("bert"), "--file", p.use("good.csv"), "--id_column", "nn"],
        "nn",
    )


def checkpoints() -> Iterator[Case]:
    """Checkpoints to go on from. The older one is whole: where the newest is skipped by name, the run ends well."""

    def skipped(name, damage, says="skipped out/checkpoint-2 .*resumed from out/checkpoint-1"):
        return Case("checkpoints", name, lambda p: p.resumed(damage), f"(?s){says}", code=0)

    def odd(**changes):
        def change(manifest: dict):
            manifest.update(changes)
            return {name: value for name, value in manifest.items() if value != "gone"}

        return lambda folder: reseal(folder, change)

    for name in ("run", "step", "best", "scheduled", "seconds", "data", "files", "saved"):
        if name != "best":
            yield skipped(f"a manifest without {name}", odd(**{name: "gone"}))
        yield skipped(f"a manifest whose {name} is a list", odd(**{name: [1]}))
    for name in ("data", "files"):
        yield skipped(f"a manifest whose {name} is a text", odd(**{name: "x"}))
    yield skipped("a manifest whose data is empty", odd(data={}))
    yield skipped("a manifest whose files have no sizes", odd(files={"model.safetensors": {}}))
    yield skipped("a manifest that names a file elsewhere", odd(files={"../../x": {"bytes": 1, "sha256": "x"}}))
    yield skipped("a manifest of a step below 0", odd(step=-2))
    yield skipped("a manifest whose time is a word", odd(seconds="x"))
    yield skipped("a manifest that is a list", lambda f: (f / "manifest.json").write_text("[]"))
    yield skipped("a manifest nested deep", lambda f: (f / "manifest.json").write_text(DEEP))
    yield skipped("a manifest of bytes", lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe"))

    def pipe(name):
        def make(folder: Path):
            (folder / name).unlink()
            os.mkfifo(folder / name)

        return make

    yield skipped("a manifest that is a pipe", pipe("manifest.json"))
    yield skipped("weights that are a pipe", pipe("model.safetensors"))
    yield skipped("an optimizer that is a pipe", pipe("optimizer.pt"))
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        yield skipped(f"{name} of malice", lambda f, n=name: replace_file(f, n, MALICE))
        yield skipped(f"{name} damaged, and sealed", lambda f, n=name: replace_file(f, n, b"nonsense" * 20))
        yield skipped(
            f"{name} an empty archive, and sealed", lambda f, n=name: replace_file(f, n, zipped(pickle.dumps({})))
        )
    yield skipped("trainer_state.json a list, and sealed", lambda f: replace_file(f, "trainer_state.json", b"[]"))
    yield skipped(
        "trainer_state.json nested deep, and sealed", lambda f: replace_file(f, "trainer_state.json", DEEP.encode())
    )
    yield skipped("trainer_state.json of bytes, and sealed", lambda f: replace_file(f, "trainer_state.json", b"\xff"))

    def no_folder(p: Place, name: str):
        path = p.folder / "out" / "checkpoint-2"
        import shutil

        shutil.rmtree(path)
        {
            "file": lambda: path.write_text("x"),
            "loop": lambda: path.symlink_to(path.name),
            "pipe": lambda: os.mkfifo(path),
        }[name]()

    for name in ("file", "loop", "pipe"):
        yield Case(
            "checkpoints",
            f"a {name} in its place",
            lambda p, n=name: [p.resumed(lambda f: None), no_folder(p, n)][0],
            "(?s)resumed from out/checkpoint-1",
            code=0,
        )
    for name, given in (
        ("that is not there", "out/checkpoint-9"),
        ("that is a file", "good.csv"),
        ("that is a device", "/dev/null"),
    ):
        yield Case(
            "checkpoints",
            f"one asked for {name}",
            lambda p, g=given: p.recipe("classify_bert", resume_from_checkpoint=g),
            given,
        )
    for command in ("consolidate",):
        yield Case(
            "checkpoints",
            f"{command}: a file",
            lambda p, c=command: [c, p.use("good.csv"), "--like", p.use("bert"), "--out", "o"],
            "good.csv",
        )
        yield Case(
            "checkpoints",
            f"{command}: no such folder",
            lambda p, c=command: [c, "gone", "--like", p.use("bert"), "--out", "o"],
            "gone",
        )
        yield Case(
            "checkpoints",
            f"{command}: without pieces",
            lambda p, c=command: [c, p.use("bert"), "--like", p.use("bert"), "--out", "o"],
            "bert",
        )
        yield Case(
            "checkpoints",
            f"{command}: pieces of malice",
            lambda p, c=command: [
                c,
                os.path.dirname(p.write("s/.metadata", pickle.dumps(Code()))),
                "--like",
                p.use("bert"),
                "--out",
                "o",
            ],
            "s",
        )


def runs() -> Iterator[Case]:
    """Folders of runs that `compare` and `report` read."""
    yield Case("runs", "report: no such folder", lambda p: ["report", "a"], "a holds no run.json")
    yield Case("runs", "report: a file", lambda p: ["report", p.use("good.csv")], "good.csv")
    yield Case("runs", "report: a language", lambda p: ["report", "a", "--language", "xx"], "language.*en, zh")
    for name, record in {
        "a list": "[]",
        "cut off": "{",
        "metrics a number": {"metrics": 3},
        "samples a number": {"samples": 4},
        "a log of texts": {"log_history": [{"step": "a", "loss": "b"}, {"step": "c", "loss": "d"}]},
        "checks without a limit": {"checks": {"lengths": 3}},
        "a verdict of another kind": {"verdict": {"level": "x", "claim": None, "warnings": [{"kind": "nonsense"}]}},
    }.items():
        text = record if isinstance(record, str) else json.dumps({"recipe": "classify_bert", **record})
        yield Case(
            "runs",
            f"report: run.json {name}",
            lambda p, t=text: ["report", os.path.dirname(p.write("a/run.json", t))],
            "run.json.*(again|JSON)",
        )
    yield Case("runs", "decide: no such folder", lambda p: ["decide", "a", "--best_f1"], "a holds no run.json")
    yield Case("runs", "decide: nothing", lambda p: ["decide", "a"], "one of the arguments .*best_f1")
    yield Case("runs", "decide: two things", lambda p: ["decide", "a", "--best_f1", "--likeliest"], "not allowed with")
    for name, record in {
        "a list": "[]",
        "cut off": "{",
        "empty": "{}",
        "no predictions": {},
        "calibration a number": {"calibration": 3},
    }.items():
        text = record if isinstance(record, str) else json.dumps({"recipe": "classify_bert", **record})
        yield Case(
            "runs",
            f"decide: run.json {name}",
            lambda p, t=text: ["decide", os.path.dirname(p.write("a/run.json", t)), "--target_precision", "0.9"],
            "run.json|has no predictions-validation.csv",
        )
    for number in ("nan", "-1", "1e9"):
        yield Case(
            "runs",
            f"decide: a precision of {number}",
            lambda p, n=number: [
                "decide",
                os.path.dirname(p.write("a/run.json", '{"recipe": "classify_bert"}')),
                f"--target_precision={n}",
            ],
            "target_precision is",
        )
    yield Case("runs", "compare: no such folder", lambda p: ["compare", "a", "b"], "a")
    yield Case("runs", "compare: files", lambda p: ["compare", p.use("good.csv"), "good.csv"], "good.csv")
    for name, text in (("a list", "[]"), ("nested deep", DEEP), ("cut off", "{"), ("empty", "{}"), ("bytes", b"\xff")):
        yield Case(
            "runs",
            f"compare: run.json {name}",
            lambda p, t=text: ["compare", *[os.path.dirname(p.write(f"{d}/run.json", t)) for d in "ab"]],
            "run.json|predictions|a ",
        )
    for name in ("metrics", "settings", "arguments"):
        yield Case(
            "runs",
            f"compare: {name} a number",
            lambda p, n=name: [
                "compare",
                *[os.path.dirname(p.write(f"{d}/run.json", json.dumps({"recipe": "x", n: 3}))) for d in "ab"],
            ],
            f"run.json: {name} is no object",
        )
    yield Case("runs", "explain: no such chapter", lambda p: ["explain", "nonsense"], "nonsense")
    yield Case("runs", "explain: into a file", lambda p: ["explain", "bert", "--out", p.use("good.csv")], "good.csv")
    yield Case(
        "runs",
        "bench: into a file",
        lambda p: ["bench", "--only", "nonsense", "--out", p.use("good.csv")],
        "nonsense|good.csv",
    )
    for name, more, said in (
        ("an unknown picture", ["--out", "a.xyz"], "xyz"),
        ("into a file", ["--out", "good.csv/a.png"], "good.csv"),
        ("an unknown label", ["--label", "nonsense"], "nonsense"),
        ("no words", ["--label", "LABEL_0"], "no words"),
        ("gradients of an absent engine", ["--engine", "onnx"], "onnx"),
    ):
        text = " . " if said == "no words" else "the cat"
        more = [one.replace("good.csv", "{csv}") for one in more]
        yield Case(
            "runs",
            f"why: {name}",
            lambda p, text=text, more=more: [
                "why",
                p.use("bert"),
                text,
                *(x.format(csv=p.use("good.csv")) for x in more),
            ],
            said,
        )
    yield Case(
        "runs",
        "attention: an unknown picture",
        lambda p: ["attention", p.use("bert"), "the cat", "--word", "cat", "--out", "a.xyz"],
        "xyz",
    )
    yield Case(
        "runs",
        "attention: into a file",
        lambda p: ["attention", p.use("bert"), "the cat", "--word", "cat", "--out", f"{p.use('good.csv')}/a.png"],
        "good.csv",
    )


CASES = [
    *arguments(),
    *numbers(),
    *settings(),
    *data(),
    *models(),
    *rows(),
    *checkpoints(),
    *runs(),
    *exports(),
    *questions(),
    *distillations(),
    *MORE,
    *CONVERSIONS,
]
