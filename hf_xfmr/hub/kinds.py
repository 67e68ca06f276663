"""What a config.json is of, where it does not say so: told by fields and names that only one architecture has."""

from typing import Any

ALIKE = {  # the class names that stock gives each, and fields that it alone has
    "bert": ("Bert", ("type_vocab_size", "hidden_act", "intermediate_size")),
    "roberta": ("Roberta", ()),  # whose fields are BERT's, and XLM-RoBERTa's and CamemBERT's too
    "xlm-roberta": ("XLMRoberta", ()),
    "camembert": ("Camembert", ()),
    "distilbert": ("DistilBert", ("n_heads", "hidden_dim", "dim")),
    "gpt2": ("GPT2", ("activation_function", "n_embd", "n_positions")),
    "marian": ("Marian", ("encoder_ffn_dim", "decoder_ffn_dim", "static_position_embeddings")),
}
GPT1 = (
    "is of a GPT-1 (OpenAI GPT), whose norms stand after the sublayers, and no GPT-2: hf_xfmr has no such model, so "
    "take transformers' OpenAIGPTLMHeadModel, or a Chinese GPT-2 such as uer/gpt2-chinese-cluecorpussmall"
)


def is_gpt1(config: dict[str, Any]) -> bool:
    """Whether a config is of the first GPT: `afn` is its word for the activation, which GPT-2 never used."""
    return config.get("model_type") == "openai-gpt" or ("afn" in config and "n_embd" in config)


def meant(config: dict[str, Any]) -> str | None:
    """The model_type of a config that has none, where its class or its fields leave no doubt; None: they do."""
    named = config.get("architectures")
    first = named[0] if isinstance(named, list) and named and isinstance(named[0], str) else None
    for kind, (prefix, fields) in ALIKE.items():
        if first is not None and first.startswith(
            tuple(f"{prefix}{part}" for part in ("For", "Model", "MT", "LMHead"))
        ):
            return kind
        if first is None and fields and all(name in config for name in fields):
            # One kind of segment is a RoBERTa's or one of its kin: which, no field says.
            return None if kind == "bert" and config["type_vocab_size"] == 1 else kind
    return None
