"""What the page has, in the order of the papers. What it says stands in en.yaml and zh.yaml, under the same names."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A step of a chapter.

    `code` names what is shown of the package (see `code.find`), `shapes` modules of the chapter's model whose tensors
    are told, `pictures` functions of pictures.py or tables.py. Formulas of formulas.py stand under the part's name.
    """

    name: str
    code: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    whole: bool = False  # whether the code is shown with its caches and packed rows, which are the part's subject


_ENCODER, _DECODER = "model.encoder.blocks.0", "model.decoder.blocks.0"
_BERT, _GPT2 = "bert.blocks.0", "transformer.blocks.0"

CHAPTERS: dict[str, tuple[Part, ...]] = {
    "transformer": (
        Part("figure_1", pictures=("figure_1",)),
        Part(
            "words_and_positions",
            code=("models.transformer:Embeddings.forward", "models.blocks:sinusoids"),
            shapes=("model.encoder.embeddings.word", "model.encoder.embeddings"),
            pictures=("sinusoids",),
        ),
        Part("scaled_dot_product", code=("models.blocks:eager_attention",), pictures=("attention_by_hand",)),
        Part(
            "multi_head",
            code=(
                "models.blocks:Attention.__init__",
                "models.blocks:Attention.forward",
                "models.blocks:Attention.heads",
            ),
            shapes=tuple(f"{_ENCODER}.attention{part}" for part in (".query", ".key", ".value", ".out", "")),
            pictures=("encoder_heads",),
        ),
        Part(
            "masks",
            code=(
                "models.transformer:Encoder.forward@create_bidirectional_mask(",
                "models.transformer:Decoder.forward@create_causal_mask(",
                "models.transformer:Decoder.forward@encoder_hidden_states=memory",
            ),
            pictures=("masks",),
        ),
        Part(
            "add_and_norm",
            code=("models.transformer:EncoderBlock.forward@self.attention_norm(",),
            shapes=(f"{_ENCODER}.attention_norm",),
            pictures=("norms",),
        ),
        Part(
            "feed_forward",
            code=("models.blocks:FeedForward",),
            shapes=tuple(f"{_ENCODER}.feed_forward{part}" for part in (".up", ".down", "")),
            pictures=("activations",),
        ),
        Part(
            "encoder_block",
            code=("models.transformer:EncoderBlock",),
            shapes=(_ENCODER, "model.encoder.blocks.1"),
        ),
        Part(
            "decoder_block",
            code=("models.transformer:DecoderBlock",),
            shapes=(f"{_DECODER}.attention", f"{_DECODER}.cross_attention", _DECODER),
            pictures=("cross_heads",),
        ),
        Part(
            "learning_and_writing",
            code=(
                "models.transformer:XfmrForConditionalGeneration.prepare_decoder_input_ids_from_labels",
                "models.transformer:XfmrForConditionalGeneration.forward@project(self.lm_head, x)",
                "explain.small:fit",
            ),
            shapes=("lm_head",),
            pictures=("backwards",),
        ),
    ),
    "bert": (
        Part(
            "learned_positions",
            code=("models.bert:Embeddings",),
            shapes=("bert.embeddings.word", "bert.embeddings.position", "bert.embeddings.segment", "bert.embeddings"),
            pictures=("positions_alike",),
        ),
        Part("encoder_only", code=("models.bert:Block.forward",), shapes=(f"{_BERT}.attention", _BERT)),
        Part(
            "both_ways",
            code=("models.bert:XfmrBertModel.forward@create_bidirectional_mask(",),
            pictures=("antecedent_first", "antecedent_second", "antecedent_heads", "bert_word", "bert_heads"),
        ),
        Part(
            "masked_words",
            code=("tasks.pretraining.masking:Masker.__call__", "models.bert:MaskedLMHead"),
            shapes=("mlm_head",),
            pictures=("masking", "filling"),
        ),
        Part(
            "next_sentence",
            code=(
                "tasks.pretraining.sentence_pairs:partners",
                "models.bert:XfmrBertForPreTraining.forward@self.nsp_head(",
            ),
            shapes=("nsp_head",),
            pictures=("segments", "following"),
        ),
        Part(
            "reading_cls",
            code=(
                "models.bert:first_token",
                "models.bert:XfmrBertModel.forward@self.pooler(first_token",
                "models.bert:XfmrBertForSequenceClassification.head",
            ),
            shapes=("bert.pooler",),
        ),
        Part(
            "kin",
            code=(
                "models.roberta:Embeddings.places",
                "models.roberta:ClassificationHead.forward",
                "models.distilbert:Block.forward",
            ),
        ),
    ),
    "gpt2": (
        Part("bytes", code=("tokenizer.kinds:_bpe",), pictures=("pieces",)),
        Part(
            "decoder_only",
            code=("models.gpt2:Block.forward", "models.gpt2:XfmrGPT2Model.forward@self.position(position_ids)"),
            shapes=("transformer.word", "transformer.position", f"{_GPT2}.attention_norm", _GPT2),
        ),
        Part(
            "only_backwards",
            code=("models.gpt2:XfmrGPT2Model.forward@create_causal_mask(",),
            pictures=("gpt2_heads",),
        ),
        Part(
            "next_word",
            code=("models.losses:next_tokens", "models.gpt2:XfmrGPT2ForCausalLM.forward@next_tokens("),
            shapes=("transformer.final_norm", "lm_head"),
            pictures=("next_words",),
        ),
        Part(
            "writing_on",
            code=(
                "engines.pytorch:generated",
                "models.blocks:Attention.forward@= cache.update(k",
            ),
            pictures=("continuation",),
            whole=True,
        ),
    ),
    "together": (Part("side_by_side", pictures=("three_masks",)),),
}

SIDE_BY_SIDE = {
    "encoder_only": ("models.bert:Block.forward", "models.bert:XfmrBertModel.forward@create_bidirectional_mask("),
    "decoder_only": ("models.gpt2:Block.forward", "models.gpt2:XfmrGPT2Model.forward@create_causal_mask("),
    "both": (
        "models.transformer:DecoderBlock.forward",
        "models.transformer:Decoder.forward@create_causal_mask(",
        "models.transformer:Decoder.forward@encoder_hidden_states=memory",
    ),
}
