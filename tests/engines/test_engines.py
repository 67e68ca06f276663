"""One predictor, several engines: an exported folder answers as the run does, where torch can't be imported."""

import json
import shutil
from threading import current_thread

import numpy as np
import pytest
import small_checkpoints
import torch
from exported_runs import gpt2, transformer
from kin_checkpoints import make
from oracles import TINY, fresh_process
from transformers import BertTokenizer, pipeline

import hf_xfmr
from hf_xfmr import engines
from hf_xfmr.engines import manifest, onnx
from hf_xfmr.engines.batches import inputs
from hf_xfmr.errors import UserError
from hf_xfmr.export import export, readme
from hf_xfmr.predict import load
from hf_xfmr.tasks.language_modeling.generator import generate
from hf_xfmr.tasks.pretraining.filler import fill
from hf_xfmr.tasks.translation.translator import translate

pytest.importorskip("onnxruntime")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", "good", "bad", "film", "好"]
# What stands in for an installation without them: whoever imports one fails.
WITHOUT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ImportError(name + " is not to be imported here")
sys.meta_path.insert(0, Refuse())
"""
HEAVY = ("torch", "transformers", "datasets", "pyarrow", "sklearn", "scipy", "matplotlib", "accelerate", "peft")


def without(code: str, names=HEAVY) -> str:
    """What a process prints in which nothing of `names` can be imported."""
    return fresh_process(WITHOUT.format(names=names) + code)


def classifier(folder, *, labels, temperature=None):
    """A run's folder with a small BERT, as classify_bert.py leaves it."""
    BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)}, model_max_length=16).save_pretrained(folder)
    torch.manual_seed(0)
    config = hf_xfmr.XfmrBertConfig(
        **{**TINY["bert"], "vocab_size": len(WORDS)},
        id2label=dict(enumerate(labels)),
        label2id={name: number for number, name in enumerate(labels)},
        problem_type="single_label_classification",
        initializer_range=0.5,
    )
    config.text_window = {"max_length": 16, "over_long": "head", "overlap": None, "pair": False}
    config.calibration_temperature = temperature
    hf_xfmr.XfmrBertForSequenceClassification(config).save_pretrained(folder)
    return folder


def texts(count: int) -> list[str]:
    draw = np.random.default_rng(0)
    return [" ".join(draw.choice(WORDS[5:], draw.integers(1, 60))) for _ in range(count)]


def same(found: list[dict], expected: list[dict]) -> None:
    """The same answers, with probabilities to five places."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.keys() == b.keys()
        assert a.get("label") == b.get("label")
        assert a.get("value", 0) == pytest.approx(b.get("value", 0), abs=1e-4)
        assert a.get("probabilities", {}) == pytest.approx(b.get("probabilities", {}), abs=1e-5)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A run's folder, and its export; writing a graph takes seconds, so that one does for many tests."""
    run = classifier(tmp_path_factory.mktemp("both") / "run", labels=("a", "b", "c"), temperature=1.7)
    return run, export(run, "onnx")[0]


def told(folder, **config):
    """The folder with another config."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    manifest.renew(folder)
    return folder


WINDOW = {"max_length": 16, "over_long": "windows", "overlap": None, "pair": False}
KINDS = {
    "windows": {"text_window": WINDOW},
    "pairs": {"text_window": {**WINDOW, "pair": True, "over_long": "head+tail"}},
    "several": {"problem_type": "multi_label_classification"},
    "thresholds": {"decision_thresholds": {"a": 0.05, "b": 0.3}},
    "costs": {
        "decision_costs": {
            gold: {"a": 1.0 * (gold != "a"), "b": 3.0 * (gold != "b"), "c": 2.0 * (gold != "c"), "unsure": 0.4}
            for gold in "abc"
        }
    },
}
UNSURE = {"thresholds": 0.5, "several": 0.6, "windows": 0.58}  # below which these answer "unsure"


@pytest.mark.parametrize("kind", KINDS)
def test_an_onnx_folder_answers_as_the_run_without_torch(kind, both, tmp_path):
    run, out = (told(shutil.copytree(one, tmp_path / one.name), **KINDS[kind]) for one in both)
    rows, pairs = texts(40), texts(41)[1:] if kind == "pairs" else None
    limit = UNSURE.get(kind)
    said = without(
        f"""
import json
from hf_xfmr.predict import load
rows, pairs = json.loads({json.dumps(json.dumps([rows, pairs]))})
print(json.dumps([[list(load({str(out)!r}, temperature)(rows, pairs, batch_size=8)) for temperature in (None, 1, 3)],
                  load({str(out)!r}).columns,
                  list(load({str(out)!r}, abstain_below={limit})(rows, pairs, batch_size=8))]))
"""
    )
    found, columns, unsure = json.loads(said.splitlines()[-1])
    same(unsure, list(load(str(run), abstain_below=limit)(rows, pairs, batch_size=8)))
    if limit or kind == "costs":
        assert 0 < sum(one["label"] == "unsure" for one in unsure) < len(unsure)
    for answers, temperature in zip(found, (None, 1, 3), strict=True):
        ours = load(str(run), temperature)
        same(answers, list(ours(rows, pairs, batch_size=8)))
        assert columns == ours.columns


def test_the_folder_says_what_it_is_and_a_run_s_export_beside_it_is_found(both, tmp_path):
    run, out = (shutil.copytree(one, tmp_path / one.name) for one in both)
    assert engines.find(str(run)).engine == "torch"
    checkpoint = shutil.copytree(run, tmp_path / "checkpoint-1")
    (checkpoint / "manifest.json").write_text('{"step": 1, "files": {}, "sha256": "0"}')  # as a run's checkpoints have
    assert engines.find(str(checkpoint)).engine == "torch"
    assert engines.find(str(run), "onnx").model == str(out) == str(tmp_path / "run-onnx")
    assert engines.find(str(out)).engine == "onnx"
    with pytest.raises(UserError, match="was exported for the engine onnx, and torch is asked for"):
        engines.find(str(out), "torch")
    with pytest.raises(UserError, match="engine is 'tf'; it can be torch, onnx, ctranslate2"):
        engines.find(str(run), "tf")
    found = hf_xfmr.load_run(out).predict(["good film", "bad"])
    assert found["label"].tolist() == [one["label"] for one in load(str(run))(["good film", "bad"])]
    model = hf_xfmr.XfmrBertForSequenceClassification.from_pretrained(run)
    with torch.no_grad():
        model.classifier.bias += 1
    model.save_pretrained(run)
    with pytest.raises(UserError, match="was written from other weights than"):
        engines.find(str(run), "onnx")
    shutil.rmtree(out)
    with pytest.raises(UserError, match=r"write it with hf_xfmr export .*run --to onnx"):
        engines.find(str(run), "onnx")


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def edit(path):
    path.write_text(path.read_text().replace('"a"', '"z"'))


def write_list(path):
    path.write_text("[1]")


def renewed(change):
    def both(path):
        change(path)
        manifest.renew(path.parent)

    return both


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("model.onnx", lambda path: path.unlink(), "lacks model.onnx, which its manifest.json names"),
        ("tokenizer.json", lambda path: path.unlink(), "lacks tokenizer.json"),
        ("model.onnx", truncate, r"model.onnx is not the file that was exported, by its hash"),
        ("config.json", edit, r"config.json is not the file that was exported, by its hash"),
        ("model.onnx", renewed(truncate), "can't be read by ONNX Runtime"),
        ("tokenizer.json", renewed(truncate), "tokenizer.json can't be read"),
        ("manifest.json", write_list, "holds a list, not an object"),
        ("manifest.json", lambda path: path.write_text('{"engine": "tf"}'), "engine is"),
        (
            "manifest.json",
            lambda path: path.write_text('{"engine": "onnx", "files": []}'),
            "which export does not write",
        ),
    ],
)
def test_a_damaged_folder_is_one_sentence(file, damage, said, both, tmp_path):
    folder = shutil.copytree(both[1], tmp_path / "damaged")
    damage(folder / file)
    with pytest.raises(UserError, match=said) as caught:
        load(str(folder))
    assert "\n" not in str(caught.value)


def example(folder) -> str:
    """The example in a folder's README."""
    return (folder / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]


@pytest.mark.parametrize("kind", [*KINDS, "single"])
def test_the_readme_of_an_onnx_folder_gives_our_probabilities_without_hf_xfmr(kind, both, tmp_path):
    run, out = (told(shutil.copytree(one, tmp_path / one.name), **KINDS.get(kind, {})) for one in both)
    kept = json.loads((out / "config.json").read_text())
    code = readme.example_of("onnx", "AutoModelForSequenceClassification", kept, longest=16, mask=None, target="")
    if kind == "single":
        assert code.rstrip() == example(out).rstrip()
    assert len(code.splitlines()) <= 22
    pair = ["a second text"] if kind == "pairs" else None
    (expected,) = load(str(run))(["a first text"], pair)
    refused = ("torch", "transformers")
    found = eval(fresh_process(f"import os; os.chdir({str(out)!r})\n" + WITHOUT.format(names=refused) + code,
                               without_package=True))  # fmt: skip
    assert found == pytest.approx(expected["probabilities"], abs=1e-5)


def test_a_stock_folder_is_calibrated(both, tmp_path):
    """transformers' own pipeline gives the probabilities of `predict`, which divides by nothing again."""
    run, _ = both
    stock, notes = export(run, "stock", out=tmp_path / "stock")
    assert any("the temperature 1.7 is in the weights" in note for note in notes)
    config = json.loads((stock / "config.json").read_text())
    assert (config["calibration_temperature"], config["calibration_folded"]) == (1.0, 1.7)
    found = pipeline("text-classification", str(stock), top_k=None)(["good film a"])[0]
    (expected,) = load(str(run))(["good film a"])
    assert {one["label"]: one["score"] for one in found} == pytest.approx(expected["probabilities"], abs=1e-5)
    same(list(load(str(stock))(["good film a"])), [expected])
    same(list(load(str(stock), 1.0)(["good film a"])), list(load(str(run), 1.0)(["good film a"])))
    assert json.loads((stock / "tokenizer_config.json").read_text())["model_max_length"] == 16
    assert manifest.read(stock).engine == "torch"


def test_entities_and_masked_words_of_an_onnx_folder_are_those_of_the_run(tmp_path):
    """A tagger's graph and a masked model's, in one process without torch; long texts are read in windows."""
    given = ["good film a", "bad " * 60, "", "好 b c d"]
    masked = ["a [MASK] film", "[MASK] [MASK]"]
    folders = small_checkpoints.make(tmp_path)
    outs = [export(folders / name, "onnx")[0] for name in ("tagger", "masked")]
    said = without(
        f"""
import json
from hf_xfmr.predict import load
from hf_xfmr.tasks.pretraining.filler import fill
print(json.dumps([list(load({str(outs[0])!r})({given!r})), list(fill({str(outs[1])!r}, {masked!r}))]))
"""
    )
    entities, filled = json.loads(said.splitlines()[-1])
    expected = list(load(str(folders / "tagger"))(given))
    assert sum(len(one["entities"]) for one in expected) > 3
    for a, b in zip(entities, expected, strict=True):
        assert [{**one, "probability": 0} for one in a["entities"]] == [
            {**one, "probability": 0} for one in b["entities"]
        ]
    words = [[one["token"] for one in mask] for answer in filled for mask in answer["masks"]]
    ours = list(fill(str(folders / "masked"), masked))
    assert words == [[one["token"] for one in mask] for answer in ours for mask in answer["masks"]]
    assert [one["filled"] for one in filled] == [one["filled"] for one in ours]


def test_texts_by_ctranslate2_are_those_of_the_run(tmp_path, capsys):
    """Greedy ones and beams, in batches of unlike lengths, streamed, and by the README; without torch."""
    pytest.importorskip("ctranslate2")
    runs = {"gpt2": gpt2(tmp_path / "gpt2"), "mt": transformer(tmp_path / "mt", shared=False)}
    outs = {name: export(run, "ctranslate2")[0] for name, run in runs.items()}
    calls = """
prompts, texts = ["the quick", "a", "pack my box"], ["the quick fox", "", "lazy"]
found = [list(generate(FOLDERS["gpt2"], prompts, temperature=0, max_new_tokens=8)),
         list(generate(FOLDERS["gpt2"], prompts, num_beams=3, max_new_tokens=8)),
         list(translate(FOLDERS["mt"], texts)), list(translate(FOLDERS["mt"], texts, num_beams=4))]
"""
    code = """
import json
from hf_xfmr.tasks.language_modeling.generator import generate
from hf_xfmr.tasks.translation.translator import translate
FOLDERS = {folders}
{calls}
print(json.dumps(found))
drawn = [list(generate(FOLDERS["gpt2"], prompts, seed=seed, max_new_tokens=8)) for seed in (1, 1, 2)]
assert drawn[0] == drawn[1] != drawn[2]
list(generate(FOLDERS["gpt2"], ["the quick"], temperature=0, max_new_tokens=8, streamed=True))
"""
    said = without(code.format(folders={name: str(out) for name, out in outs.items()}, calls=calls))
    first, _, streamed = said.partition("\n")
    names = {"generate": generate, "translate": translate, "FOLDERS": {name: str(run) for name, run in runs.items()}}
    exec(calls, names)
    assert json.loads(first) == names["found"]
    capsys.readouterr()
    list(generate(str(runs["gpt2"]), ["the quick"], temperature=0, max_new_tokens=8, streamed=True))
    assert streamed == capsys.readouterr().out
    for name, out in outs.items():
        code = f"import os; os.chdir({str(out)!r})\n" + WITHOUT.format(names=("torch", "transformers")) + example(out)
        assert fresh_process(code, without_package=True).strip() or name == "gpt2"
    with pytest.raises(UserError, match="writes texts and reads no rows"):
        engines.rows(str(outs["gpt2"]), "AutoModelForMaskedLM")


def test_a_roberta_reads_two_tokens_less_than_it_has_positions(tmp_path):
    folder = make(tmp_path / "model", "Roberta", ["one film more", "two films less"])  # of 64 positions
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"model_max_length": 1000}), encoding="utf-8")
    text = f"{'7' * 59}<mask>"  # a token each, and two around them
    assert len(next(iter(fill(str(folder), [text], top_k=1)))["masks"]) == 1
    with pytest.raises(UserError, match="63 tokens, and the model reads 62: shorten it"):
        list(fill(str(folder), [f"7{text}"], top_k=1))


def test_each_thread_computes_rows_of_its_own_and_they_come_in_their_order(both, monkeypatch):
    out = str(both[1])
    rows = texts(200)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    expected = list(load(out)(rows, batch_size=64))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    model = load(out)
    monkeypatch.setattr(onnx, "LEAST", 8)
    monkeypatch.setattr(onnx, "TOGETHER", 32)
    computed = []
    monkeypatch.setattr(onnx, "inputs", lambda *given: computed.append(current_thread().name) or inputs(*given))
    same(list(model(rows, batch_size=64)), expected)
    assert len(set(computed)) > 1
    with pytest.raises(Exception, match="indices element out of data bounds"):  # of one row among many
        model.engine([[1, 2]] * 50 + [[10**6]] + [[1, 2]] * 50)
    monkeypatch.setattr(onnx, "LONG", 8)
    same(list(model(rows[:1])), expected[:1])
    assert "together" in vars(model.engine)  # one long row: the threads share its operations


def test_the_readme_of_a_stock_folder_gives_our_answers_in_a_fresh_process(both, tmp_path):
    """All examples in one process, which loads transformers once."""
    fields = {"single": {}, "pairs": KINDS["pairs"], "several": KINDS["several"], "rating": {}}
    code, expected = "", []
    for kind, changes in fields.items():
        run = told(shutil.copytree(both[0], tmp_path / kind), **changes)
        if kind == "rating":
            config = hf_xfmr.XfmrBertConfig.from_pretrained(run, num_labels=1, problem_type="regression")
            hf_xfmr.XfmrBertForSequenceClassification(config).save_pretrained(run)
        out, _ = export(run, "stock")
        code += f"os.chdir({str(out)!r})\n{example(out)}"
        (answer,) = load(str(run))(["a first text"], ["a second text"] if kind == "pairs" else None)
        expected.append(answer.get("probabilities", {"LABEL_0": answer.get("value")}))
    said = fresh_process(f"import os\n{code}", without_package=True).splitlines()
    assert len(said) == len(expected)
    for line, shares in zip(said, expected, strict=True):
        found = eval(line)
        answers = found if isinstance(found[0], dict) else found[0]
        assert {one["label"]: one["score"] for one in answers} == pytest.approx(shares, abs=1e-4)
