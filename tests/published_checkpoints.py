"""Chinese checkpoints by name: the fields of their published config.json, and folders as they lie on the Hub.

The fields and the layout of the vocabularies are those published, as far as docs/how-to/chinese-checkpoints.md says
that they were compared; the weights are random, and `folder` makes widths and depths small. What is shrunk is named in
SMALL and nothing else is touched.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers

_BERT = {
    "architectures": ["BertForMaskedLM"],
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 0,
    "type_vocab_size": 2,
    "vocab_size": 21128,
}
_POOLER = {
    "directionality": "bidi",
    "pooler_fc_size": 768,
    "pooler_num_attention_heads": 12,
    "pooler_num_fc_layers": 3,
    "pooler_size_per_head": 128,
    "pooler_type": "first_token_transform",
}
_LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24}
_ROBERTA = _BERT | _POOLER | {"bos_token_id": 0, "eos_token_id": 2, "output_past": True}  # HFL's, and what grew of it
_LATER = {"classifier_dropout": None, "position_embedding_type": "absolute", "use_cache": True}
_ENCODER = {"architectures": ["BertModel"], "torch_dtype": "float32"}
_GPT2 = {
    "activation_function": "gelu_new",
    "architectures": ["GPT2LMHeadModel"],
    "attn_pdrop": 0.1,
    "embd_pdrop": 0.1,
    "gradient_checkpointing": False,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "model_type": "gpt2",
    "n_ctx": 1024,
    "n_embd": 768,
    "n_head": 12,
    "n_inner": None,
    "n_layer": 12,
    "n_positions": 1024,
    "output_past": True,
    "resid_pdrop": 0.1,
    "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 320}},
    "tokenizer_class": "BertTokenizer",
    "vocab_size": 21128,
}
_MARIAN = {
    "_num_labels": 3,
    "activation_dropout": 0.0,
    "activation_function": "swish",
    "add_bias_logits": False,
    "add_final_layer_norm": False,
    "architectures": ["MarianMTModel"],
    "attention_dropout": 0.0,
    "bad_words_ids": [[65000]],
    "bos_token_id": 0,
    "classif_dropout": 0.0,
    "classifier_dropout": 0.0,
    "d_model": 512,
    "decoder_attention_heads": 8,
    "decoder_ffn_dim": 2048,
    "decoder_layerdrop": 0.0,
    "decoder_layers": 6,
    "decoder_start_token_id": 65000,
    "dropout": 0.1,
    "encoder_attention_heads": 8,
    "encoder_ffn_dim": 2048,
    "encoder_layerdrop": 0.0,
    "encoder_layers": 6,
    "eos_token_id": 0,
    "extra_pos_embeddings": 65001,
    "forced_eos_token_id": 0,
    "gradient_checkpointing": False,
    "id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"},
    "init_std": 0.02,
    "is_encoder_decoder": True,
    "label2id": {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2},
    "max_length": 512,
    "max_position_embeddings": 512,
    "model_type": "marian",
    "normalize_before": False,
    "normalize_embedding": False,
    "num_beams": 6,
    "num_hidden_layers": 6,
    "pad_token_id": 65000,
    "scale_embedding": True,
    "static_position_embeddings": True,
    "use_cache": True,
    "vocab_size": 65001,
}
_EN_ZH = {
    "do_blenderbot_90_layernorm": False,
    "extra_pos_embeddings": 0,
    "force_bos_token_to_be_generated": False,
    "num_beams": 4,
}
_GPT1 = {  # without model_type and architectures
    "afn": "gelu",
    "attn_pdrop": 0.1,
    "embd_pdrop": 0.1,
    "finetuning_task": None,
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
    "initializer_range": 0.02,
    "is_decoder": False,
    "label2id": {"LABEL_0": 0, "LABEL_1": 1},
    "layer_norm_epsilon": 1e-05,
    "n_ctx": 512,
    "n_embd": 768,
    "n_head": 12,
    "n_layer": 12,
    "n_positions": 513,
    "n_special": 0,
    "num_labels": 2,
    "output_attentions": False,
    "output_hidden_states": False,
    "output_past": True,
    "predict_special_tokens": True,
    "pruned_heads": {},
    "resid_pdrop": 0.1,
    "summary_activation": None,
    "summary_first_dropout": 0.1,
    "summary_proj_to_labels": True,
    "summary_type": "cls_index",
    "summary_use_proj": True,
    "torchscript": False,
    "use_bfloat16": False,
    "vocab_size": 13088,
}
SMALL = {
    "bert": {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2, "num_hidden_layers": 2},
    "gpt2": {"n_embd": 32, "n_head": 2, "n_layer": 2},
    "marian": {
        **{"d_model": 32, "num_hidden_layers": 1},
        **{f"{side}_{what}": n for side in ("encoder", "decoder") for what, n in (("layers", 1), ("ffn_dim", 48))},
        **{f"{side}_attention_heads": 2 for side in ("encoder", "decoder")},
    },
}
SENTENCE = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "1_Pooling/config.json")


@dataclass(frozen=True)
class Published:
    """`config` its fields; `saved` the stock class whose tensors the file holds; `weights` how they lie there, as
    safetensors or bin; `old` names norms gamma and beta; `extra` files that say nothing to a model."""

    config: dict[str, Any]
    saved: str = "BertForMaskedLM"
    weights: str = "bin"
    old: bool = False
    extra: tuple[str, ...] = field(default=())


def _bert(**changes: Any) -> dict[str, Any]:
    return _BERT | changes


def _uer(layers: int, width: int) -> Published:
    sizes = {"hidden_size": width, "num_hidden_layers": layers}
    return Published(
        _bert(**sizes, intermediate_size=4 * width, num_attention_heads=width // 64, gradient_checkpointing=False)
    )


def _sentence(config: dict[str, Any], weights: str = "safetensors") -> Published:
    return Published(config | _LATER | _ENCODER, "BertModel", weights, extra=SENTENCE)


_ONE_LABEL = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
_BGE = _ROBERTA | _ONE_LABEL
_BGE_SMALL = {"hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8, "num_hidden_layers": 4}

PUBLISHED = {
    "google-bert/bert-base-chinese": Published(_BERT | _POOLER, "BertForPreTraining", "safetensors", old=True),
    "hfl/chinese-bert-wwm-ext": Published(_BERT | _POOLER | {"output_past": True}, "BertForPreTraining", old=True),
    "hfl/chinese-roberta-wwm-ext": Published(_ROBERTA, "BertForPreTraining", old=True),
    "hfl/chinese-roberta-wwm-ext before March 2022": Published(
        _ROBERTA | {"pad_token_id": 1}, "BertForPreTraining", old=True
    ),
    "hfl/chinese-roberta-wwm-ext-large": Published(_ROBERTA | _LARGE, "BertForPreTraining", old=True),
    "hfl/chinese-macbert-base": Published(
        _BERT | _POOLER | {"gradient_checkpointing": False}, "BertForPreTraining", old=True
    ),
    "hfl/rbt3": Published(_BERT | _POOLER | {"num_hidden_layers": 3, "output_past": True}, "BertForPreTraining"),
    "hfl/rbt6": Published(_BERT | _POOLER | {"num_hidden_layers": 6, "output_past": True}, "BertForPreTraining"),
    "uer/chinese_roberta_L-2_H-128": _uer(2, 128),
    "uer/chinese_roberta_L-4_H-512": _uer(4, 512),
    "uer/chinese_roberta_L-12_H-768": _uer(12, 768),
    "IDEA-CCNL/Erlangshen-Roberta-110M-Sentiment": Published(
        _ROBERTA | _LATER | {"architectures": ["BertForSequenceClassification"]}, "BertForSequenceClassification"
    ),
    "IDEA-CCNL/Erlangshen-Roberta-330M-Sentiment": Published(
        _ROBERTA | _LARGE | _LATER | {"architectures": ["BertForSequenceClassification"]},
        "BertForSequenceClassification",
    ),
    "shibing624/text2vec-base-chinese": _sentence(_BERT | _POOLER | {"gradient_checkpointing": False}),
    "moka-ai/m3e-base": _sentence(_ROBERTA | {"uniem_embedding_strategy": "last_mean"}),
    "BAAI/bge-base-zh-v1.5": _sentence(_BGE),
    "BAAI/bge-large-zh-v1.5": _sentence(_BGE | _LARGE),
    "BAAI/bge-small-zh-v1.5": _sentence(_BERT | _ONE_LABEL | _BGE_SMALL | {"gradient_checkpointing": False}),
    "uer/gpt2-chinese-cluecorpussmall": Published(_GPT2, "GPT2LMHeadModel"),
    "uer/gpt2-chinese-poem": Published(_GPT2 | {"vocab_size": 22557}, "GPT2LMHeadModel"),
    "uer/gpt2-chinese-poem, saved again": Published(
        _GPT2 | {"vocab_size": 22557, "bos_token_id": 50256, "eos_token_id": 50256}, "GPT2LMHeadModel"
    ),
    "Helsinki-NLP/opus-mt-zh-en": Published(_MARIAN, "MarianMTModel"),
    "Helsinki-NLP/opus-mt-en-zh": Published(_MARIAN | _EN_ZH, "MarianMTModel"),
}
CDIAL_GPT = _GPT1  # thu-coai/CDial-GPT_LCCC-base
TEXTS = ["这个产品很好用", "质量太差了", "价格便宜", "不好用"]
_CHARACTERS = sorted({one for text in TEXTS for one in text})


def words(size: int) -> list[str]:
    """A vocabulary with the layout of Google's Chinese one: [PAD], 99 unused rows, [UNK] at 100 to [MASK] at 103."""
    special = ["[PAD]", *(f"[unused{i}]" for i in range(1, 100)), "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<S>", "<T>"]
    known = [*special, *_CHARACTERS, *"abcdefghijklmnopqrstuvwxyz,.!?，。！？"]
    return known + [f"##filler{i}" for i in range(size - len(known))]


def folder(where: Path, published: Published, **changes: Any) -> Path:
    """A folder as the published one, with small sizes; `changes` of its config."""
    kind = published.config["model_type"]
    config = published.config | SMALL[kind] | changes
    torch.manual_seed(0)
    stock_class = getattr(transformers, published.saved)
    fields = {name: value for name, value in config.items() if name not in ("model_type", "architectures")}
    model = stock_class(stock_class.config_class(**fields))
    model.save_pretrained(where)
    tensors = model.state_dict()
    if kind == "bert":
        prefix = "" if published.saved == "BertModel" else "bert."
        tensors[f"{prefix}embeddings.position_ids"] = torch.arange(512).unsqueeze(0)
    if published.old:
        tensors = {_old(name): tensor for name, tensor in tensors.items()}
    write(where, tensors, published.weights)
    (where / "generation_config.json").unlink(missing_ok=True)
    (where / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    if kind != "marian":
        (where / "vocab.txt").write_text("\n".join(words(config["vocab_size"])) + "\n", encoding="utf-8")
    for name in published.extra:
        (where / name).parent.mkdir(exist_ok=True)
        (where / name).write_text("[]" if name == "modules.json" else "{}", encoding="utf-8")
    return where


def _old(name: str) -> str:
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


def write(where: Path, tensors: dict[str, torch.Tensor], kind: str, shards: int = 1) -> None:
    """The tensors as safetensors or as torch.save's pytorch_model.bin, in one file or in shards with an index."""
    from safetensors.torch import save_file

    for file in where.glob("*.safetensors"):
        file.unlink()
    stem, ending = ("model", "safetensors") if kind == "safetensors" else ("pytorch_model", "bin")
    names = list(tensors)
    places = {}
    for i in range(shards):
        file = f"{stem}.{ending}" if shards == 1 else f"{stem}-{i + 1:05}-of-{shards:05}.{ending}"
        part = {name: tensors[name].contiguous().clone() for name in names[i::shards]}
        places |= dict.fromkeys(part, file)
        if kind == "safetensors":
            save_file(part, where / file, metadata={"format": "pt"})
        else:
            torch.save(part, where / file)
    if shards > 1:
        index = {"metadata": {}, "weight_map": places}
        (where / f"{stem}.{ending}.index.json").write_text(json.dumps(index), encoding="utf-8")
