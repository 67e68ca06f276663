"""Settings from a file and flags, as a user meets them."""

import dataclasses
import sys

import pytest
import torch

from hf_xfmr.data.documents import DocumentSettings
from hf_xfmr.errors import UserError
from hf_xfmr.run import program
from hf_xfmr.run.settings import parse
from hf_xfmr.run.training import precision
from hf_xfmr.training import XfmrTrainingArguments, fast_bf16


@dataclasses.dataclass(kw_only=True)
class Settings:
    """Settings of a recipe made for these tests."""

    dataset: str
    max_length: int | None = None
    share: float = 0.5
    sizes: dict | None = None


def parsed(tmp_path, yaml: str, *flags: str):
    (tmp_path / "run.yaml").write_text(yaml, encoding="utf-8")
    return parse(Settings, argv=[str(tmp_path / "run.yaml"), "--output_dir", str(tmp_path / "out"), *flags])


def test_flags_override_the_file_and_the_rest_keeps_its_defaults(tmp_path):
    settings, args = parsed(tmp_path, "dataset: a.csv\nlearning_rate: 1e-4\nmax_length: 64\n", "--max_length", "32")
    assert settings == Settings(dataset="a.csv", max_length=32)
    assert args.learning_rate == 1e-4  # which YAML itself reads as text
    assert args.num_train_epochs == 3.0


@pytest.mark.parametrize("null", [["--max_length", "null"], ["--max_length=null"], ["--max-length", "null"]])
def test_null_takes_back_what_the_file_says(tmp_path, null):
    yaml = "dataset: a.csv\nmax_length: 64\nsizes: {rate: 1}\n"
    settings, args = parsed(tmp_path, yaml, *null, "--learning_rate", "1e-3", "--sizes", "null")
    assert settings == Settings(dataset="a.csv", max_length=None, sizes=None)
    assert args.learning_rate == 1e-3


def test_yaml_s_own_ideas_of_numbers_and_of_no_do_not_get_in_the_way(tmp_path):
    settings, args = parsed(tmp_path, "dataset: a\nsizes: {rate: 1e-4, layers: 2}\neval_strategy: no\n")
    assert settings.sizes == {"rate": 1e-4, "layers": 2}
    assert args.eval_strategy == "no"
    assert not args.load_best_model_at_end
    settings, _ = parsed(tmp_path, "dataset: a\n", "--sizes", "{rate: 1e-3, layers: 3}")
    assert settings.sizes == {"rate": 1e-3, "layers": 3}


def test_the_output_folder_is_named_after_the_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-run.yaml").write_text("dataset: a.csv\n")
    _, args = parse(Settings, argv=["my-run.yaml"])
    assert args.output_dir == "runs/my-run"


@pytest.mark.parametrize(
    ("yaml", "flags", "message"),
    [
        ("dataset: a\nlearning_rat: 1\n", [], r"run\.yaml: unknown key 'learning_rat'; did you mean 'learning_rate'\?"),
        ("dataset: a\n", ["--max_lenght", "3"], r"unknown option '--max_lenght'; did you mean 'max_length'\?"),
        ("dataset: a\nlearning_rate: fast\n", [], r"run\.yaml: learning_rate must be a number, not 'fast'"),
        ("dataset: a\nshare: true\n", [], r"run\.yaml: share must be a number, not true"),
        ("dataset: a\n", ["--epochs", "3"], "unknown option '--epochs'; did you mean 'num_train_epochs'"),
        ("dataset: a\n", ["--lr", "3"], "unknown option '--lr'; did you mean 'learning_rate'"),
        ("dataset: a\n", ["--batch_size", "3"], "did you mean 'per_device_train_batch_size'"),
        ("dataset: a\n", ["--max_length", "long"], "max_length: 'long' must be a whole number"),
        ("dataset: a\n", ["--sizes", "big"], r"'big' is no \{key: value, …\}"),
        (
            "dataset: a\nsave_strategy: steps\neval_strategy: epoch\n",
            [],
            r"save_strategy steps, .*load_best_model_at_end",
        ),
        ("max_length: 3\n", [], "dataset is not given: put it into the config file or add --dataset"),
        ("- dataset\n", [], r"run\.yaml must hold `key: value` lines"),
        ("dataset: [a\n", [], r"run\.yaml is not YAML: .*line"),
    ],
)
def test_a_mistake_in_the_settings_is_one_sentence(tmp_path, yaml, flags, message):
    with pytest.raises(UserError, match=message) as caught:
        parsed(tmp_path, yaml, *flags)
    assert "\n" not in str(caught.value)


@dataclasses.dataclass(kw_only=True)
class Texts(DocumentSettings):
    dataset: str = "corpus.txt"
    label_separator: str | None = None
    words: list[str] | None = dataclasses.field(default=None)


@pytest.mark.parametrize("value", ["---", "--", "-", "-- ", "-1", "-1st", "- one", "--two words", "—", "---=", "-x=1"])
@pytest.mark.parametrize("name", ["separator", "join", "label_separator"])
def test_a_value_may_begin_with_dashes(tmp_path, name, value):
    for flags in ([f"--{name}", value], [f"--{name}={value}"], [f"--{name}", "x", f"--{name}", value]):
        settings, args = parse(Texts, argv=["--output_dir", str(tmp_path), *flags, "--seed", "5"])
        assert (getattr(settings, name), args.seed) == (value, 5)


def test_what_is_written_as_an_option_is_one(tmp_path):
    flags = ["--output_dir", str(tmp_path)]
    assert parse(Texts, argv=[*flags, "--words", "-", "---", "a"])[0].words == ["-", "---", "a"]
    assert parse(Texts, argv=[*flags, "--separator=--lines"])[0].separator == "--lines"
    assert parse(Texts, argv=[*flags, "--separator", "---", "--separator", "null"])[0].separator is None
    for words, message in (
        (["--separator", "--lines", "true"], "argument --separator: expected one argument"),
        (
            ["--separator", "--lins"],
            "unknown option '--lins' (as the value of --separator: --separator=--lins); did you",
        ),
        (["-x", "1"], "unrecognized arguments: -x 1"),
    ):
        with pytest.raises(UserError) as caught:
            parse(Texts, argv=[*flags, *words])
        assert message in str(caught.value)


def test_a_text_of_a_command_may_begin_with_dashes():
    parser = program.Parser()
    parser.add_argument("texts", nargs="*")
    parser.add_argument("--file")
    assert parser.parse_args(["---", "-bad", "- so so", "--", "--file"]).texts == ["---", "-bad", "- so so", "--file"]
    with pytest.raises(UserError, match=r"--fil .*a text that begins with dashes stands behind --"):
        parser.parse_args(["--fil", "x"])


def test_an_output_folder_that_cannot_be_written_is_found_before_anything_runs(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"the output folder .*file/out can't be written \(.*\): give another"):
        parsed(tmp_path, "dataset: a\n", "--output_dir", str(tmp_path / "file" / "out"))


def test_seeds_are_set_before_any_model_is_made(tmp_path):
    draws = []
    for _ in range(2):
        torch.manual_seed(torch.seed())
        parsed(tmp_path, "dataset: a\nseed: 7\n")
        draws.append(torch.rand(3))
    assert torch.equal(*draws)


@pytest.mark.parametrize("fast", [True, False])
def test_bf16_is_chosen_where_it_is_fast_and_said(tmp_path, monkeypatch, fast):
    monkeypatch.setattr(sys.modules[XfmrTrainingArguments.__module__], "fast_bf16", lambda: fast)
    _, args = parsed(tmp_path, "dataset: a\n")
    assert args.bf16 == fast
    assert ("chosen" in precision(args)) == fast
    _, args = parsed(tmp_path, "dataset: a\nbf16: false\n")
    assert precision(args) == "float32"


@pytest.mark.parametrize("has", ["_is_amx_tile_supported", "_is_avx512_bf16_supported", None])
def test_a_processor_is_fast_at_bf16_if_it_has_instructions_for_it(monkeypatch, has):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda name=name: name == has)
    assert fast_bf16() == (has is not None)
