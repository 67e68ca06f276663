"""The command verify: every line holds for our classes; what stock's fail is shown, and a broken model found out."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from oracles import BERT_HEADS, KIN, KIN_SUFFIXES, kin_classes, tiny_stock

from hf_xfmr import verify
from hf_xfmr.errors import UserError
from hf_xfmr.verify import forward, generation, outcome, rows, saving, subject, training

OTHERS = ("GPT2LMHeadModel", "GPT2ForSequenceClassification", "GPT2ForTokenClassification", "MarianMTModel")
KIN_CLASSES = [kin_classes(family, suffix)[0].__name__ for family in KIN for suffix in KIN_SUFFIXES]
CLASSES = [stock.__name__ for stock, _ in BERT_HEADS.values()] + list(OTHERS) + KIN_CLASSES
QUICK = ("BertForSequenceClassification",)
SAVED = "saved, loaded in a new process = before"
PACKED, CUT, EVALUATED = (
    "packed = each row alone",
    "batch 8 x 1 = 1 x 8: gradients",
    "evaluation at batch 1 = at batch 8: loss",
)
# What transformers 5.23 gets wrong: packed rows leak; a loss that ignores num_items_in_batch; a mean of batch means.
STOCK_FAILS = {
    "BertForTokenClassification": {PACKED, CUT, EVALUATED},
    "BertForMaskedLM": {PACKED, CUT, EVALUATED},
    "BertForSequenceClassification": {PACKED, CUT, "padded on the left = each row alone"},
    "GPT2LMHeadModel": {PACKED, EVALUATED},
    "GPT2ForSequenceClassification": {PACKED, CUT},
    "MarianMTModel": {PACKED, CUT, EVALUATED, "padded on the left = each row alone"},
}


def table(capsys) -> dict[str, list[str]]:
    """The last table printed: the cells of each line by its name."""
    lines = capsys.readouterr().out.splitlines()
    return {
        one[: outcome.NAME].strip(): [
            one[start : start + outcome.COLUMN].strip() for start in range(outcome.NAME, len(one), outcome.COLUMN)
        ]
        for one in lines
        if one[: outcome.NAME].strip() in verify.CHECKS
    }


def saved(tmp_path: Path, name: str, **config) -> str:
    tiny_stock(getattr(transformers, name), **config).save_pretrained(tmp_path / name)
    return str(tmp_path / name)


@pytest.mark.parametrize(
    "name", [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in CLASSES]
)
def test_every_line_holds_for_our_class_and_stock_fails_where_it_is_wrong(name, tmp_path, monkeypatch, capsys):
    monkeypatch.delitem(verify.CHECKS, SAVED)  # it starts a process; tests below do
    assert verify.verify(saved(tmp_path, name), stock=True)
    cells = table(capsys)
    assert list(cells) == list(verify.CHECKS)
    assert {cell[0].split()[0] for cell in cells.values()} <= {"held", "-"}
    failed = {line for line, cell in cells.items() if len(cell) > 1 and cell[1].startswith("FAILS")}
    assert failed >= STOCK_FAILS.get(name, {PACKED})


@pytest.mark.parametrize(
    "config", [{"problem_type": "regression", "num_labels": 1}, {"problem_type": "multi_label_classification"}]
)
def test_kinds_of_labels(config, tmp_path, monkeypatch):
    monkeypatch.delitem(verify.CHECKS, SAVED)
    assert verify.verify(saved(tmp_path, "BertForSequenceClassification", **config))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["BertModel", "MarianMTModel"])
def test_the_command_prints_the_table_and_its_exit_code_says_that_all_held(family, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "hf_xfmr", "verify", saved(tmp_path, family)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"{SAVED:<42}held" in done.stdout
    assert "held" in done.stdout.splitlines()[-1]


def test_real_texts_and_our_own_format(tmp_path, monkeypatch, capsys):
    """A tokenizer and texts of the user's, and a folder that a run of ours left: bare names of tensors and kinds."""
    from hf_xfmr import XfmrGPT2Config, XfmrGPT2ForCausalLM, tokenizer
    from hf_xfmr.tasks.language_modeling import run as language_model

    monkeypatch.delitem(verify.CHECKS, SAVED)
    texts = tmp_path / "poems.txt"
    texts.write_text("\n".join(f"line {number} of a poem" + " and more" * number for number in range(9)))
    made = language_model.for_documents(tokenizer.train([texts.read_text()], "char", model_max_length=40))
    torch.manual_seed(0)
    model = XfmrGPT2ForCausalLM(
        XfmrGPT2Config(
            vocab_size=len(made), n_positions=40, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
        )
    )
    model.save_pretrained(tmp_path / "model")
    made.save_pretrained(tmp_path / "model")
    assert verify.verify(str(tmp_path / "model"), data=str(texts))
    said = capsys.readouterr().out
    assert "the first 9 texts of" in said
    assert "16 to 32 tokens (8 read to token 32)" in said  # 12 rows: three texts come twice


def test_a_broken_model_is_found_out(tmp_path, monkeypatch, capsys):
    """A model that looks at padding, and one whose loss forgets the accumulation steps."""
    from hf_xfmr.models.bert import XfmrBertModel

    forward_of = XfmrBertModel.forward
    monkeypatch.setattr(
        XfmrBertModel,
        "forward",
        lambda self, input_ids, attention_mask=None, *a, **k: forward_of(self, input_ids, None, *a, **k),
    )
    monkeypatch.delitem(verify.CHECKS, SAVED)
    assert not verify.verify(saved(tmp_path, "BertForTokenClassification"))
    cells = table(capsys)
    assert cells["padded on the right = each row alone"][0].startswith("FAILS")
    assert cells["stock class = ours: logits"][0].startswith("held")


def test_an_error_within_a_check_is_a_line_and_not_a_traceback(tmp_path, monkeypatch, capsys):
    def broken(*_):
        raise RuntimeError("no kernel\nand more")

    monkeypatch.setattr(verify, "CHECKS", {"packed = each row alone": broken})
    assert not verify.verify(saved(tmp_path, "BertForMaskedLM"))
    assert "FAILS  RuntimeError: no kernel\n" in capsys.readouterr().out


def test_what_has_no_room_is_left_out_with_the_reason(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(subject.machine, "free_memory", lambda: 400_000)  # the tiny model has 77 kB
    monkeypatch.setattr(verify, "CHECKS", {"r": training.resuming, "p": forward.right_padding})
    assert verify.verify(saved(tmp_path, "BertForMaskedLM"))
    said = capsys.readouterr().out
    assert "left out: memory for 0.0 GB of weights and gradients" in said
    assert "1 of 1 held" in said


def test_nan_does_not_hold():
    assert outcome.Outcome(outcome.difference([torch.tensor([float("nan")])], [torch.ones(1)]), 1.0).held is False
    assert outcome.Outcome(outcome.difference([torch.ones(2)], [torch.tensor([1.0, 2.0])]), 0.4).held is False


def test_a_checkpoint_of_another_kind_is_refused_in_a_sentence(tmp_path):
    transformers.T5Config().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="of kind 't5'"):
        verify.verify(str(tmp_path))
    with pytest.raises(UserError, match="there is no folder"):
        verify.verify(str(tmp_path / "nothing" / "there"))


def test_a_generation_that_miscounts_with_a_cache_is_found_out(tmp_path, tmp_path_factory, monkeypatch):
    from hf_xfmr.models.gpt2 import XfmrGPT2Model

    forward_of = XfmrGPT2Model.forward

    def miscount(self, input_ids, attention_mask=None, position_ids=None, *args, **kwargs):
        one = input_ids.size(1) == 1
        return forward_of(self, input_ids, attention_mask, position_ids * 0 if one else position_ids, *args, **kwargs)

    monkeypatch.setattr(XfmrGPT2Model, "forward", miscount)
    ours, _ = subject.find(saved(tmp_path, "GPT2LMHeadModel"), tmp_path_factory.mktemp("scratch"))
    assert generation.caching(ours, rows.built_in(ours)).held is False


def test_a_save_that_loses_bits_is_found_out(tmp_path, tmp_path_factory):
    ours, _ = subject.find(saved(tmp_path, "GPT2LMHeadModel"), tmp_path_factory.mktemp("scratch"))
    folder = ours.saved()
    with torch.no_grad():
        ours.model.transformer.word.weight.mul_(1.0001)
    assert folder.exists()
    assert not saving.fresh_process(ours, rows.built_in(ours)).held
