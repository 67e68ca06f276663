"""Recipes and ready configurations by name, their help without an import, and what shells complete."""

import os
import re
import subprocess
import sys
from pathlib import Path

import answer_bert
import classify_bert
import distill
import finetune_gpt2
import pretrain_bert
import pytest
import tag_bert
import train_tokenizer
import translate
from places import RECIPES, ROOT

from hf_xfmr.commands import COMMANDS, parser_of
from hf_xfmr.errors import UserError
from hf_xfmr.run import completion, configs, console, flags, help, recipes, settings, source
from hf_xfmr.run.train import train
from hf_xfmr.tasks.translation.trainer import XfmrSeq2SeqArguments
from hf_xfmr.training.trainer import XfmrTrainingArguments

SCRIPTS = {
    "classify": (classify_bert, XfmrTrainingArguments),
    "tag": (tag_bert, XfmrTrainingArguments),
    "answer": (answer_bert, XfmrTrainingArguments),
    "distill": (distill, XfmrTrainingArguments),
    "translate": (translate, XfmrSeq2SeqArguments),
    "gpt2": (finetune_gpt2, XfmrTrainingArguments),
    "pretrain": (pretrain_bert, XfmrTrainingArguments),
    "tokenizer": (train_tokenizer, train_tokenizer.Arguments),
}


def test_every_recipe_has_a_name_and_the_scripts_lie_where_the_names_lead():
    assert sorted(recipes.NAMES.values()) == sorted(path.stem for path in RECIPES.glob("*.py"))
    for name, stem in recipes.NAMES.items():
        assert recipes.script(name) == recipes.script(stem) == RECIPES / f"{stem}.py"
    assert recipes.folder() == RECIPES


def test_every_configuration_is_found_and_told():
    files = [path for path in RECIPES.glob("configs/*/*.yaml") if path.parent.name != "accelerate"]
    known = recipes.configs()
    assert sorted(known.values()) == sorted(files)
    for name, path in known.items():
        assert recipes.find(name) == path
        assert len(configs.first_sentence(path)) > 20, path
    listed = configs.answer()
    assert all(re.search(rf"^{re.escape(name)}  +\w", listed, re.MULTILINE) for name in known)
    assert set(re.findall(r"^\w+/", configs.answer("list", "tag"), re.MULTILINE)) == {"tag/"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["clasify"], "'clasify' is nothing to train: did you mean 'classify'?"),
        (
            ["x"],
            "'x' is nothing to train: there is classify, tag, answer, distill, translate, gpt2, pretrain, tokenizer",
        ),
        (["classify", "--config"], "--config needs a file, or the name of a ready configuration; configs lists them"),
        (["classify", "--config", "--strict"], "--config needs a file, or the name of a ready configuration"),
        (["classify", "--config="], "--config needs a file, or the name of a ready configuration"),
        (["classify", "--config", "a.yaml", "b.yaml"], "two configurations are given"),
        (["tag", "b.yaml", "--config", "a.yaml"], "two configurations are given"),
        (["tag", "--config", "msra"], "'msra' is no file and no ready configuration; did you mean 'msra-ner'?"),
        (["tag", "zzz"], "'zzz' is no file and no ready configuration: there is msra-ner, wikiann-en"),
        (["tag", "--config", "movie-reviews"], "'movie-reviews' is no configuration of tag: train classify has it"),
    ],
)
def test_what_is_no_recipe_or_configuration_is_said(words, message):
    with pytest.raises(UserError) as caught:
        train(words[0], words[1:])
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "words",
    [
        ["--config", "movie-reviews", "--seed", "1"],
        ["--seed", "1", "--config=movie-reviews"],
        ["movie-reviews", "--seed", "1"],
        ["classify_bert/movie-reviews", "--seed", "1"],
        [str(RECIPES / "configs/classify_bert/movie-reviews.yaml"), "--seed", "1"],
    ],
)
def test_the_script_is_run_with_the_configuration_first(words, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["hf_xfmr", "train", "classify", *words])
    monkeypatch.setattr(
        recipes.runpy, "run_path", lambda script, run_name: ran.append((script, sys.argv, recipes.command()))
    )
    ran: list = []
    recipes.run("classify", words)
    script = str(RECIPES / "classify_bert.py")
    config = str(RECIPES / "configs/classify_bert/movie-reviews.yaml")
    assert ran == [(script, [script, config, "--seed", "1"], ["hf_xfmr", "train", "classify", *words])]
    assert recipes.command() == ["python", *sys.argv]


def test_a_configuration_is_copied_with_its_command_and_never_over_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert configs.answer("copy", "poems").startswith("written: poems.yaml")
    lines = (tmp_path / "poems.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# hf_xfmr train gpt2 --config poems.yaml --dataset poems.txt"
    assert lines[1:] == (RECIPES / "configs/finetune_gpt2/poems.yaml").read_text(encoding="utf-8").splitlines()[1:]
    with pytest.raises(UserError, match=r"poems\.yaml is there already: remove it, or say where to: --out FILE\.yaml"):
        configs.answer("copy", "poems")
    configs.answer("copy", "gpt2/reviews-zh", "my own.yaml")
    first = (tmp_path / "my own.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# hf_xfmr train gpt2 --config 'my own.yaml'"
    assert configs.answer("copy", "accelerate/ddp").startswith("written: ddp.yaml")
    configs.answer("copy", "accelerate/two-machines", "mine.yaml")
    assert (
        (tmp_path / "mine.yaml").read_text(encoding="utf-8").startswith("# accelerate launch --config_file mine.yaml ")
    )
    for words, message in {
        ("copy", "poem"): "'poem' is no ready configuration; did you mean 'gpt2/poems'?",
        ("copy", "reviews-zh"): "'reviews-zh' is the name of 2 configurations: say classify/reviews-zh or gpt2/",
        ("copy", "poems", "poems.txt"): "poems.txt is no folder and no name of a configuration: end it in .yaml",
        ("copy",): "configs copy needs the name of a configuration",
        ("list", None, "x"): "--out is for configs copy NAME",
    }.items():
        with pytest.raises(UserError) as caught:
            configs.answer(*words)
        assert str(caught.value).startswith(message)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ddp.yaml", "mine.yaml", "my own.yaml", "poems.yaml"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_flags_read_from_the_source_are_those_of_the_classes(name):
    script, arguments = SCRIPTS[name]
    read, description = source.of_script(recipes.script(name))
    real = flags.of_classes(script.Settings, arguments)
    assert description.strip() == script.__doc__.strip()
    assert len(real) > 20
    assert [one.name for one in read] == [one.name for one in real]
    for one, other in zip(read, real, strict=True):
        assert (one.help, one.takes, one.group) == (other.help, other.takes, other.group), one.name
        assert one.default == other.default or one.default is flags.UNKNOWN, one.name
    assert sum(one.default is flags.UNKNOWN for one in read) < 12  # those that are made as a class is


def helps(capsys, name: str, *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        train(name, words)
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", recipes.NAMES)
def test_help_is_a_page_of_what_people_set(capsys, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    page = helps(capsys, name, "--help")
    assert len(page.splitlines()) < 44
    assert max(map(len, page.splitlines())) <= 80
    assert helps(capsys, name, "--config", "movie-reviews", "-h") == page
    listed = re.findall(r"^  --(\w+)", page, re.MULTILINE)
    assert listed[0] == "dataset"
    assert "output_dir" in listed
    script, arguments = SCRIPTS[name]
    assert set(listed) <= {one.name for one in flags.of_classes(script.Settings, arguments)}
    if name != "tokenizer":
        assert {"model", "learning_rate", "num_train_epochs", "seed"} <= set(listed)
        assert re.search(r"--seed N .*\(\d+\)", page)  # a default


def test_a_first_page_names_flags_that_there_are():
    known = {one.name for script, arguments in SCRIPTS.values() for one in flags.of_classes(script.Settings, arguments)}
    assert {name for briefs in help.FIRST.values() for name in briefs} <= known


def test_help_says_all_of_a_group_and_of_everything(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    everything = helps(capsys, "classify", "--help", "all")
    known = {one.name for one in flags.of_classes(classify_bert.Settings, XfmrTrainingArguments)}
    assert set(re.findall(r"^  --(\w+)", everything, re.MULTILINE)) == known
    assert re.findall(r"^(\w[\w ]+):$", everything, re.MULTILINE) == list(flags.GROUPS.values())
    of_groups = [
        re.findall(r"^  --(\w+)", helps(capsys, "classify", "--help", one), re.MULTILINE) for one in flags.GROUPS
    ]
    assert sorted(name for group in of_groups for name in group) == sorted(known)
    assert helps(capsys, "classify", "--help=data") == helps(capsys, "classify", "--help", "data")
    with pytest.raises(UserError, match=r"--help=dat: it says more of data, model, check, training, output, or all"):
        train("classify", ["--help=dat"])


def test_a_script_says_the_same_as_the_command(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["hf_xfmr"])
    with pytest.raises(SystemExit):
        train("tokenizer", ["--help"])
    of_command = capsys.readouterr().out
    with pytest.raises(SystemExit):
        train_tokenizer.main(["--help"])
    assert of_command.splitlines()[1:] == capsys.readouterr().out.splitlines()[1:]


@pytest.mark.parametrize("name", recipes.NAMES)
def test_a_script_answers_help_before_it_imports_what_takes_seconds(name):
    script = recipes.script(name)
    words = [sys.executable, "-X", "importtime", str(script), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "COLUMNS": "80"})
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: {script.name} [CONFIG.yaml]")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "hf_xfmr.run.early" in imported
    assert {"torch", "transformers", "datasets", "numpy"}.isdisjoint(imported)


def test_a_recipe_that_is_not_understood_is_asked_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "of_script", lambda script: (_ for _ in ()).throw(source.NotUnderstood("new")))
    monkeypatch.setattr(recipes.runpy, "run_path", lambda script, run_name: ran.append(sys.argv[1:]))
    monkeypatch.setattr(sys, "argv", [])
    ran: list = []
    train("tag", ["--help"])
    assert ran == [["--help"]]


def test_help_of_a_recipe_imports_neither_torch_nor_transformers():
    code = "import sys; from hf_xfmr.__main__ import main; sys.argv = ['hf_xfmr', 'train', 'translate', '--help']\n"
    code += "try: main()\nexcept SystemExit: pass\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    modules = set(done.stdout.splitlines()[-1].split())
    assert "hf_xfmr.run.source" in modules
    assert {"torch", "transformers", "datasets", "numpy", "yaml"}.isdisjoint(modules)
    assert "--tokens_per_batch N" in done.stdout


def test_a_run_without_a_configuration_is_called_after_its_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for dataset, stem in {
        "data/my reviews.csv.gz": "my-reviews",
        "sample:movie-reviews": "movie-reviews",
        "nyu-mll/glue": "glue",
        "影评.csv": "影评",
        "...": "run",
    }.items():
        _, args = settings.parse(train_tokenizer.Settings, train_tokenizer.Arguments, argv=[
            *("--dataset", dataset, "--kind", "char", "--model_max_length", "8"),
        ])  # fmt: skip
        assert Path(args.output_dir) == Path("runs", stem)
        settings.lock.release(args.output_dir)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_flags_and_configurations(shell):
    pytest.importorskip("shtab")
    script = completion.script(shell, parser_of(*COMMANDS, called="hf_xfmr"))
    for word in (*COMMANDS, *recipes.NAMES, "text_column", "movie-reviews", "tokens_per_batch", "learning_rate"):
        assert word in script, word


def test_bash_completes_what_is_begun(tmp_path):
    pytest.importorskip("shtab")
    (tmp_path / "complete").write_text(completion.script("bash", parser_of(*COMMANDS, called="hf_xfmr")))
    for words, found in {
        ("tr",): {"train", "translate"},
        ("train", "cl"): {"classify"},
        ("train", "classify", "--text_c"): {"--text_column"},
        ("train", "tag", "--config", ""): {"msra-ner", "wikiann-en"},
        ("train", "tag", "--strict", ""): {"true", "false"},
        ("explain", "--language", ""): {"en", "zh"},
    }.items():
        line = " ".join(["hf_xfmr", *words])
        asked = (
            f"source {tmp_path}/complete; COMP_WORDS=(hf_xfmr {' '.join(word or chr(34) * 2 for word in words)}); "
            f"COMP_CWORD={len(words)}; COMP_LINE='{line}'; _shtab_hf_xfmr hf_xfmr; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, cwd=tmp_path)
        assert set(done.stdout.split()) == found, (words, done.stderr)


def test_a_command_to_paste_is_this_installations(tmp_path, monkeypatch):
    """Another environment's `hf_xfmr` on the PATH is not meant; this one's is, through a link too."""
    monkeypatch.chdir(ROOT)
    other, scripts, links = (tmp_path / name for name in ("other", "scripts", "links"))
    for folder in (other, scripts, links):
        folder.mkdir()
    for folder in (other, scripts):
        (folder / "hf_xfmr").touch(0o755)
    (links / "hf_xfmr").symlink_to(scripts / "hf_xfmr")
    monkeypatch.setattr(console.sysconfig, "get_path", lambda name, scheme=None: str(scripts))
    for folder, words in {scripts: ["hf_xfmr"], links: ["hf_xfmr"]}.items():
        monkeypatch.setenv("PATH", str(folder))
        assert console.this_program() == words
    for folder in (other, tmp_path):
        monkeypatch.setenv("PATH", str(folder))
        assert console.this_program()[1:] == ["-m", "hf_xfmr"]
        assert Path(console.this_program()[0]).samefile(sys.executable)


def test_a_command_is_spelled_one_way_however_it_was_called():
    here, more = console.this_program(), ["--model", "a b"]
    script = str(recipes.script("classify"))
    for given in (
        ["hf_xfmr", "train", "classify"],
        ["python", "-m", "hf_xfmr", "train", "classify"],
        ["python", script],
    ):
        assert recipes.pasted([*given, *more]) == [*here, "train", "classify", *more]
    assert recipes.pasted(["python", "mine.py", *more]) == ["python", "mine.py", *more]
