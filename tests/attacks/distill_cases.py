"""More of the table of attacks: teachers and students that can't be."""

from collections.abc import Iterator

from place import Case, Place

SHORT = ["--output_dir", "out", "--max_steps", "2", "--report_to", "none", "--disable_tqdm", "true", "--bf16", "false"]
SHORT += ["--eval_strategy", "no"]


def words(p: Place, *flags: str, teacher: str = "bert", dataset: str = "good.csv") -> list:
    """A distillation of good rows; the teacher has a block, so that a student is made of another checkpoint."""
    base = [] if "--model" in flags or "--student_layers" in flags else ["--model", p.use("bert")]
    return ["recipe", "distill", "--teacher", teacher, "--dataset", p.use(dataset), *base, *SHORT, *flags]


def distillations() -> Iterator[Case]:
    def case(name: str, make, says: str) -> Case:
        return Case("distillations", name, make, says)

    for name, says in (
        ("masked", "teacher: masked lacks .*not trained for this"),
        ("answers", "teacher: answers lacks .*not trained for this"),
        ("translator", "teacher: translator can't be loaded.*another kind"),
        ("tagger", "tags|label"),
        ("gpt2", "bert is a checkpoint of kind"),
    ):
        yield case(f"a teacher that is {name}", lambda p, n=name: words(p, teacher=p.use(n)), says)
    for name, teacher, says in (
        ("no teacher", None, "teacher is not given.*--teacher"),
        ("an empty teacher", lambda p: "", "teacher: no name is given"),
        ("a teacher that is nowhere", lambda p: "./nowhere", "there is no folder"),
        ("a teacher that is a file", lambda p: "good.csv", "good.csv"),
        ("a teacher without weights", lambda p: p.spoil("bert", "model.safetensors", None), "bert"),
        ("a teacher with half its weights", lambda p: p.spoil("bert", "model.safetensors", b"\0" * 99), "bert"),
        ("a teacher with a damaged config", lambda p: p.spoil("bert", "config.json", "{"), "config.json"),
        ("a teacher without words", lambda p: p.without_tokenizer("bert"), "tokenizer"),
        (
            "a teacher of no kind",
            lambda p: p.config("bert", problem_type="nope"),
            "bert.*problem type 'nope', which is none",
        ),
        (
            "a teacher of several labels",
            lambda p: p.config("bert", problem_type="multi_label_classification"),
            "any number of labels a row, and the data have one label a row",
        ),
        ("a teacher of ratings", lambda p: p.config("bert", problem_type="regression"), "a rating of each row"),
        (
            "a teacher of other labels",
            lambda p: p.config("bert", id2label={"0": "a", "1": "b"}, label2id={"a": 0, "b": 1}),
            "answers with .*a.*b.*, and the data have .*neg.*pos",
        ),
    ):

        def made(p: Place, teacher=teacher) -> list:
            found = words(p, teacher="bert" if teacher is None else teacher(p))
            return found if teacher is not None else [*found[:2], *found[4:]]

        yield case(name, made, says)
    for name, flags, says in (
        ("hidden_weight below 0", ["--hidden_weight", "-1"], "hidden_weight is -1.0; it must be at least 0"),
        ("hidden_weight of NaN", ["--hidden_weight", "nan"], "hidden_weight"),
        ("hidden_weight without end", ["--hidden_weight", "inf"], "hidden_weight"),
        ("temperature of 0", ["--temperature", "0"], "temperature is 0.0; it must be above 0"),
        ("temperature without end", ["--temperature", "inf"], "temperature"),
        ("temperature of a word", ["--temperature", "hot"], "temperature.*hot"),
        ("label_share above 1", ["--label_share", "1.5"], "label_share is 1.5; it must be from 0 to 1"),
        ("more layers than the teacher", ["--student_layers", "9"], "the teacher has one block.*--model"),
        ("no layers", ["--student_layers", "0"], "student_layers is 0"),
        ("layers and a model", ["--student_layers", "1", "--model", "bert"], "student_layers.*leave one of them out"),
        ("smoothed labels", ["--label_smoothing_factor", "0.1"], "has no label_smoothing_factor"),
        ("folds", ["--folds", "3"], "distill has no folds"),
        ("LoRA", ["--lora_rank", "2"], "distill has no lora_rank"),
        ("a model that is nowhere", ["--model", "./nowhere"], "there is no folder"),
        ("a model of another task", ["--model", "gpt2"], "model"),
    ):

        def told(p: Place, flags=flags) -> list:
            p.use("bert", "gpt2")
            return words(p, *flags)

        yield case(name, told, says)
    for name, content, says in (
        ("absent", None, "more.csv"),
        ("empty", b"", "more.csv"),
        ("a header alone", b"text\n", "has no rows"),
        ("without a column of texts", b"a,b\n1,2\n3,4\n", "unlabelled.*text"),
        ("of texts that are empty", b'text,x\n" ",1\n" ",2\n', "no text that the data do not have|no text"),
        ("bytes", b"\x00\x01\x02", "more.csv"),
    ):

        def more(p: Place, content=content) -> list:
            p.use("bert")
            name = "more.csv" if content is None else p.write("more.csv", content)
            return words(p, "--unlabelled", name)

        yield case(f"unlabelled: {name}", more, says)
    yield case(
        "unlabelled: of a GPT-2",
        lambda p: words(p, "--unlabelled", "good.csv", "--model", p.use("gpt2"), teacher="gpt2", dataset="corpus.txt"),
        "unlabelled",
    )
