"""A tiny checkpoint of each kind of model, as our classes save them, and the one line of a program's error."""

from pathlib import Path

import pytest
import torch
from transformers import BertTokenizer

import hf_xfmr
from hf_xfmr.run import program

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "good", "bad", "film"]
BERT = {
    "vocab_size": len(WORDS),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}
GPT2 = {"vocab_size": len(WORDS), "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32}
XFMR = {
    "vocab_size": len(WORDS),
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
    "eos_token_id": 3,
    "decoder_start_token_id": 0,
}
CLASSES = {
    "base": "XfmrBertModel",
    "classifier": "XfmrBertForSequenceClassification",
    "tagger": "XfmrBertForTokenClassification",
    "masked": "XfmrBertForMaskedLM",
    "pretrained": "XfmrBertForPreTraining",
    "questions": "XfmrBertForQuestionAnswering",
    "gpt2": "XfmrGPT2ForCausalLM",
    "transformer": "XfmrForConditionalGeneration",
}


def make(root: Path) -> Path:
    """A folder for each of CLASSES, with one tokenizer in all of them."""
    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)}, model_max_length=32, eos_token="[SEP]")
    torch.manual_seed(0)  # else the weights, and what the model writes, would go by the tests before
    for name, class_name in CLASSES.items():
        model_class = getattr(hf_xfmr, class_name)
        sizes = {"gpt2": GPT2, "transformer": XFMR}.get(name, BERT)
        model_class(model_class.config_class(**sizes)).save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
    return root


def said(capsys, call) -> str:
    """The one line of the error that a program ends with."""
    with pytest.raises(SystemExit) as end:
        program.run(call)
    assert end.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]
