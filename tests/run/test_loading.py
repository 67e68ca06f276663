"""Checkpoints that are not what their config says, or not what a command is for: an error, never random weights."""

import importlib
import json
import pty
import shutil
from pathlib import Path

import classify_bert
import finetune_gpt2
import pretrain_bert
import pytest
import tag_bert
import torch
import translate
from oracles import same_to_rounding
from safetensors.torch import load_file, save_file
from small_checkpoints import CLASSES, WORDS, make, said

import hf_xfmr
from hf_xfmr.errors import UserError
from hf_xfmr.models.stock import CheckpointError
from hf_xfmr.tasks.language_modeling.generator import generate
from hf_xfmr.tasks.pretraining.filler import fill
from hf_xfmr.tasks.translation.translator import translate as translated


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("checkpoints"))


def changed(folder: Path, into: Path, tensors=None, **config) -> str:
    """A copy of a checkpoint with other fields in its config, or with the tensors that `tensors` makes of its own."""
    shutil.copytree(folder, into)
    fields = json.loads((into / "config.json").read_text())
    (into / "config.json").write_text(json.dumps(fields | config))
    if tensors:
        save_file(tensors(load_file(into / "model.safetensors")), into / "model.safetensors", {"format": "pt"})
    return str(into)


def data(folder: Path, module) -> list[str]:
    """Flags with which a recipe trains in a second."""
    rows = [f"{'good' if i % 2 else 'bad'} film {WORDS[5 + i % 26]} {WORDS[5 + i // 26]}" for i in range(60)]
    if module is classify_bert:
        (folder / "rows.csv").write_text("text,label\n" + "".join(f"{row},{row[:1]}\n" for row in rows))
    elif module is tag_bert:
        lines = ({"tokens": row.split(), "tags": ["B-X", "O", "O", "O"]} for row in rows)
        (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    elif module is translate:
        (folder / "rows.tsv").write_text("a\tb\n" + "".join(f"{row}\t{row}\n" for row in rows))
    else:
        (folder / "rows.txt").write_text("\n\n".join(rows))
    (file,) = folder.glob("rows.*")
    flags = ["--dataset", str(file), "--output_dir", str(folder / "run"), "--max_steps", "1", "--report_to", "none"]
    flags += ["--nsp", "false"] if module is pretrain_bert else []
    return flags + (
        ["--source_lang", "a", "--target_lang", "b", "--learning_rate", "1e-3", "--max_length", "16"]
        if module is translate
        else []
    )


RECIPES = [
    (classify_bert, "base"),
    (classify_bert, "classifier"),
    (tag_bert, "tagger"),
    (pretrain_bert, "masked"),
    (finetune_gpt2, "gpt2"),
    (translate, "transformer"),
]
SIZES = {"gpt2": ("n_embd", 32), "transformer": ("d_model", 32)}
LAYERS = {"gpt2": "n_layer", "transformer": "encoder_layers"}
DAMAGES = {
    "another width": lambda name: {"config": dict([SIZES.get(name, ("hidden_size", 32))])},
    "a resized vocabulary": lambda name: {"config": {"vocab_size": len(WORDS) + 7}},
    "more layers": lambda name: {"config": {LAYERS.get(name, "num_hidden_layers"): 3}},
    "most tensors missing": lambda name: {"tensors": lambda all_: dict(sorted(all_.items())[:3])},
    "an untied table that is not there": lambda name: {"config": {"tie_word_embeddings": False}},
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("module", "name"), RECIPES, ids=lambda one: getattr(one, "__name__", one))
def test_a_checkpoint_that_does_not_fit_its_config_is_not_trained(checkpoints, tmp_path, capsys, module, name, damage):
    if damage.startswith("an untied") and name in ("base", "classifier", "tagger"):
        pytest.skip("these have one table of words")
    how = DAMAGES[damage](name)
    model = changed(checkpoints / name, tmp_path / "bad", how.get("tensors"), **how.get("config", {}))
    line = said(capsys, lambda: module.main([*data(tmp_path, module), "--model", model]))
    assert line.startswith("error: ")
    assert model in line
    assert any(word in line for word in ("bias", "weight", "word"))  # a tensor, by its name
    assert not (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize(("module", "name"), [(classify_bert, "tagger"), (tag_bert, "base")])
def test_a_head_for_other_labels_begins_anew_as_before(checkpoints, tmp_path, module, name):
    options = ["--bf16", "false", "--eval_strategy", "no", "--baseline", "false" if module is classify_bert else "none"]
    module.main([*data(tmp_path, module), "--model", str(checkpoints / name), *options])
    assert (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize(("module", "name"), RECIPES, ids=lambda one: getattr(one, "__name__", one))
def test_an_adapter_s_folder_is_called_what_it_is(checkpoints, tmp_path, capsys, module, name):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "elsewhere"}))
    line = said(capsys, lambda: module.main([*data(tmp_path, module), "--model", str(tmp_path / "adapter")]))
    assert "holds an adapter (adapter_config.json), not a model" in line


TABLES = {  # both names of what is one where the config says so
    "gpt2": ("generate", "transformer.wte.weight", "lm_head.weight"),
    "masked": ("fill", "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
    "transformer": ("translate", "model.shared.weight", "lm_head.weight"),
}


@pytest.mark.parametrize("name", TABLES)
def test_two_tables_that_the_config_says_are_one_are_one_or_an_error_or_two_where_it_says_so(
    checkpoints, tmp_path, capsys, name
):
    command, table, twin = TABLES[name]
    same = changed(checkpoints / name, tmp_path / "same", lambda all_: {**all_, twin: all_[table].clone()})
    assert COMMANDS[command](same)

    def differ(all_):
        bias = {"cls.predictions.decoder.bias": all_["cls.predictions.bias"].clone()} if name == "masked" else {}
        return {**all_, **bias, twin: all_[table] + torch.eye(*all_[table].shape)}

    other = changed(checkpoints / name, tmp_path / "other", differ)
    line = said(capsys, lambda: COMMANDS[command](other))
    assert f"{other} holds " in line
    assert table in line
    assert twin in line
    assert 'set "tie_word_embeddings": false' in line
    if name != "transformer":  # whose other tables are then asked for too
        assert COMMANDS[command](changed(checkpoints / name, tmp_path / "two", differ, tie_word_embeddings=False))
    loaded = getattr(hf_xfmr, CLASSES[name]).from_pretrained(checkpoints / name)
    with pytest.raises(CheckpointError, match="which differ"):
        loaded.load_state_dict(load_file(tmp_path / "other" / "model.safetensors"), strict=False)


@pytest.fixture(scope="module")
def adapter(checkpoints, tmp_path_factory) -> Path:
    """An adapter of the tiny GPT-2, with what both compute beside it."""
    peft = pytest.importorskip("peft")
    folder = tmp_path_factory.mktemp("adapter")
    base = hf_xfmr.XfmrGPT2ForCausalLM.from_pretrained(checkpoints / "gpt2")
    options = peft.LoraConfig(r=2, target_modules=["query", "value"], init_lora_weights=False)
    tuned = peft.get_peft_model(base, options).eval()
    tuned.save_pretrained(folder)
    with torch.no_grad():
        torch.save(tuned(input_ids=torch.arange(5, 12)[None]).logits, folder / "logits.pt")
    return folder


def of_adapter(adapter: Path, into: Path, tensors=lambda all_: all_, base: str | None = None):
    """What our class makes of a copy of it, with other tensors or another base model."""
    shutil.copytree(adapter, into)
    fields = json.loads((into / "adapter_config.json").read_text())
    (into / "adapter_config.json").write_text(json.dumps(fields | ({"base_model_name_or_path": base} if base else {})))
    file = into / "adapter_model.safetensors"
    save_file(tensors(load_file(file)), file, {"format": "pt"})
    return hf_xfmr.XfmrGPT2ForCausalLM.from_pretrained(into).eval()


def test_an_adapter_loads_on_its_base_model_or_is_an_error_that_names_the_tensor(checkpoints, adapter, tmp_path):
    with torch.no_grad():
        logits = of_adapter(adapter, tmp_path / "right")(input_ids=torch.arange(5, 12)[None]).logits
    same_to_rounding(logits, torch.load(adapter / "logits.pt"))  # on disk query and value are parts of one matrix
    wide = hf_xfmr.XfmrGPT2Config.from_pretrained(checkpoints / "gpt2", n_embd=32)
    hf_xfmr.XfmrGPT2ForCausalLM(wide).save_pretrained(tmp_path / "wide")
    thin = changed(
        checkpoints / "gpt2", tmp_path / "thin", lambda all_: {k: v for k, v in all_.items() if "h.1.attn" not in k}
    )
    odd = {"base_model.model.nothing.lora_A.weight": torch.zeros(2, 3)}
    for number, (options, message) in enumerate(
        [
            (
                {"tensors": lambda all_: dict(list(all_.items())[1:])},
                r"lacks transformer\.blocks\.0\.\S*lora_A\S* and 2 more",
            ),
            ({"tensors": lambda all_: all_ | odd}, r"holds nothing\.lora_A\S*, which nothing"),
            (
                {"base": str(tmp_path / "wide")},
                r"lora_\S* is \[.*The adapter was trained on a base model of other sizes",
            ),
            ({"base": thin}, r"thin lacks transformer\.blocks\.1\.attention\.\S+ \(on disk transformer\.h\.1\.attn"),
        ]
    ):
        with pytest.raises(CheckpointError, match=message):
            of_adapter(adapter, tmp_path / str(number), **options)


@pytest.mark.parametrize("damage", ["another base", "no base", "tensors missing", "nested deep"])
def test_a_damaged_adapter_is_one_sentence_and_never_answers(checkpoints, adapter, tmp_path, capsys, damage):
    folder = tmp_path / "adapter"
    shutil.copytree(adapter, folder)
    fields = json.loads((folder / "adapter_config.json").read_text())
    if damage == "tensors missing":
        (folder / "adapter_model.safetensors").unlink()
    if damage == "nested deep":
        (folder / "adapter_config.json").write_text("[" * 100_000)
    if "base" in damage:
        base = str(checkpoints / "masked") if damage == "another base" else str(tmp_path / "nowhere")
        (folder / "adapter_config.json").write_text(json.dumps(fields | {"base_model_name_or_path": base}))
    for call in COMMANDS.values():
        assert said(capsys, lambda call=call: call(str(folder))).startswith("error: ")


def test_an_adapter_answers_by_its_folder_and_is_no_model_where_a_model_is_needed(checkpoints, adapter, capsys):
    """As PEFT saves it, with neither config nor tokenizer beside it."""
    assert COMMANDS["generate"](str(adapter))
    assert "can't use: run " in said(capsys, lambda: COMMANDS["predict"](str(adapter)))
    for name in ("export", "verify"):
        call = getattr(importlib.import_module(f"hf_xfmr.{name}"), name)
        line = said(capsys, lambda call=call: call(str(adapter)))
        assert f"{adapter} holds an adapter (adapter_config.json), not a model" in line, name


def test_an_adapter_on_the_hub_answers_too(adapter, tmp_path, monkeypatch):
    """As it lies in the cache, so that no hub is asked."""
    commit = "0" * 40
    repository = tmp_path / "hub" / "models--someone--tuned"
    shutil.copytree(adapter, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (far,), (near,) = COMMANDS["generate"]("someone/tuned"), COMMANDS["generate"](str(adapter))
    assert far == near


def predicted(model: str) -> list:
    predict = importlib.import_module("hf_xfmr.predict").predict
    config = Path(model, "config.json")
    made = json.loads(config.read_text())["architectures"] if config.is_file() else [""]
    if made[0].endswith("ForQuestionAnswering"):
        return list(predict(model, question="a film?", context="good film"))
    return list(predict(model, ["good film"]))


COMMANDS = {
    "predict": predicted,
    "fill": lambda model: list(fill(model, ["good [MASK]"])),
    "generate": lambda model: list(generate(model, ["good"], max_new_tokens=2)),
    "translate": lambda model: list(translated(model, ["good film"])),
}
USED_BY = {
    "classifier": "predict",
    "tagger": "predict",
    "questions": "predict",
    "masked": "fill",
    "pretrained": "fill",
    "gpt2": "generate",
    "transformer": "translate",
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", CLASSES)
def test_a_command_answers_with_models_trained_for_it_and_names_the_one_for_others(checkpoints, capsys, command, name):
    model = str(checkpoints / name)
    if USED_BY.get(name) == command:
        assert COMMANDS[command](model)
        return
    line = said(capsys, lambda: COMMANDS[command](model))
    assert CLASSES[name] in line
    if name in USED_BY:
        assert line.endswith(f" {USED_BY[name]} {model}")
        assert "can't use: run " in line
    else:
        assert f"no head that {command} could use" in line
        assert f"--model {model}" in line


@pytest.mark.parametrize("name", USED_BY)
def test_a_head_that_is_named_but_not_there_does_not_answer(checkpoints, tmp_path, capsys, name):
    """The config says what the class is; a head that is not among the tensors would be random."""
    head = ("classifier", "cls.", "lm_head", "qa_outputs", "model.decoder.layers.0.fc1", "wte", "transformer.wte")
    model = changed(
        checkpoints / name,
        tmp_path / "bad",
        lambda all_: {key: value.clone() for key, value in all_.items() if not key.startswith(head)},
    )
    line = said(capsys, lambda: COMMANDS[USED_BY[name]](model))
    assert f"{model} lacks " in line


@pytest.mark.parametrize("command", ["export", "verify"])
def test_nothing_is_exported_or_verified_with_a_random_head(checkpoints, tmp_path, capsys, command):
    bad = changed(
        checkpoints / "classifier",
        tmp_path / "bad",
        lambda all_: {key: value for key, value in all_.items() if "classifier" not in key},
    )
    function = getattr(importlib.import_module(f"hf_xfmr.{command}"), command)
    assert "lacks classifier.bias" in said(capsys, lambda: function(bad))


def test_code_in_a_folder_is_neither_run_nor_asked_about(checkpoints, tmp_path, capsys, monkeypatch):
    """Standard input is a terminal on which somebody says yes."""
    model = changed(
        checkpoints / "classifier",
        tmp_path / "code",
        model_type="mine",
        auto_map={"AutoConfig": "mine.Config", "AutoModelForSequenceClassification": "mine.Model"},
    )
    Path(model, "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    keyboard, terminal = pty.openpty()
    with open(keyboard, "w") as typed, open(terminal) as standard_input:
        typed.write("y\n")
        typed.flush()
        monkeypatch.setattr("sys.stdin", standard_input)
        for call in COMMANDS.values():
            line = said(capsys, lambda call=call: call(model))
            assert "code that comes with a checkpoint (auto_map) is not run" in line
    assert not (tmp_path / "ran").exists()


def test_a_sized_right_head_that_is_cut_in_rows_is_an_error_too(checkpoints, tmp_path):
    bad = changed(
        checkpoints / "classifier",
        tmp_path / "bad",
        lambda all_: {**all_, "classifier.weight": torch.zeros(5, 16), "classifier.bias": torch.zeros(5)},
    )
    with pytest.raises(UserError, match=r"classifier\.bias is \[5\] and not \[2\]"):
        COMMANDS["predict"](bad)
