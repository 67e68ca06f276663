"""GPT-2 (Radford et al., 2019): the decoder of the Transformer alone, trained to predict the next word. The layer norms
stand at the input of each sublayer, and one more after the last block."""

import math

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache
from transformers.core_model_loading import Chunk, Transpose, WeightConverter
from transformers.masking_utils import create_causal_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import (
    BaseModelOutputWithPast,
    CausalLMOutputWithPast,
    SequenceClassifierOutputWithPast,
    TokenClassifierOutput,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder

from .blocks import Attention, FeedForward, check_positions, either
from .decoding import FastGenerationMixin, PackedPrefill, grows, is_prefill, is_step, step_mask
from .dropout import Dropout
from .linear import project
from .losses import cross_entropy, next_tokens, sequence_classification_loss
from .packing import Packing, Spans, is_filled, is_packable, packed_rows, positions, within
from .recording import recorded, records
from .steps import is_stepping
from .stock import StockConfig, StockModel, register, renamings
from .tied import look_up, one_matrix
from .versions import CACHE, CACHE_NAMES, slice_logits_to_keep, takes_cache
from .vocabulary import vocabulary_loss


@strict
class XfmrGPT2Config(StockConfig, PreTrainedConfig):
    """Fields are named as in `transformers.GPT2Config`, so any GPT-2 `config.json` on the Hub loads unchanged.

    `summary_…` belong to a head that is not here and are kept for the way back. `reorder_and_upcast_attn` changes
    nothing: fused attention sums in float32 anyway. Stock has no field for the two last ones: `classifier_dropout`
    (None: 0.1) acts before `XfmrGPT2ForTokenClassification`'s head, and `class_weights`, one number per label, weight
    the loss of `XfmrGPT2ForSequenceClassification`.
    """

    model_type = "xfmr_gpt2"
    stock_model_type = "gpt2"
    keys_to_ignore_at_inference = CACHE_NAMES
    attribute_map = {
        "hidden_size": "n_embd",
        "max_position_embeddings": "n_positions",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    }

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None
    activation_function: str = "gelu_new"
    resid_pdrop: float | int = 0.1
    embd_pdrop: float | int = 0.1
    attn_pdrop: float | int = 0.1
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02
    summary_type: str = "cls_index"
    summary_use_proj: bool = True
    summary_activation: str | None = None
    summary_proj_to_labels: bool = True
    summary_first_dropout: float | int = 0.1
    scale_attn_weights: bool = True
    use_cache: bool = True
    bos_token_id: int | None = 50256
    eos_token_id: int | list[int] | None = 50256
    pad_token_id: int | None = None
    scale_attn_by_inverse_layer_idx: bool = False
    reorder_and_upcast_attn: bool = False
    add_cross_attention: bool = False
    tie_word_embeddings: bool = True
    classifier_dropout: float | int | None = None
    class_weights: list[float] | None = None

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        if self.add_cross_attention:
            raise ValueError(
                "add_cross_attention makes GPT-2 the decoder of another model, which XfmrGPT2 is not: use "
                "transformers' GPT2LMHeadModel for such a checkpoint"
            )


class Block(GradientCheckpointingLayer):
    """Pre-norm decoder layer: the input is normed, and the sublayer's output is added to it."""

    def __init__(self, config: XfmrGPT2Config, layer_idx: int):
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.attention = Attention(config, config.n_embd, config.n_head, config.attn_pdrop, layer_idx, is_causal=True)
        self.feed_forward_norm = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.feed_forward = FeedForward(config.n_embd, config.n_inner or 4 * config.n_embd, config.activation_function)
        self.dropout = Dropout(config.resid_pdrop)
        self.attention.out.joins_residual = self.feed_forward.down.joins_residual = True
        if not config.scale_attn_weights:
            self.attention.scaling = 1.0
        if config.scale_attn_by_inverse_layer_idx:
            self.attention.scaling /= layer_idx + 1

    def forward(self, x: Tensor, mask: Tensor | Spans | None, cache: Cache | None, **kwargs) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), mask, cache=cache, **kwargs)[0])
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))

    def step(self, x: Tensor, mask: Tensor | None, past: CacheLayerMixin) -> Tensor:
        """`forward` for one more word of each row, (B, E): see steps.py."""
        x = x + self.attention.step(self.attention_norm(x), mask, past)
        return x + self.feed_forward.step(self.feed_forward_norm(x))


class XfmrGPT2PreTrainedModel(StockModel, PreTrainedModel):
    config: XfmrGPT2Config
    base_model_prefix = "transformer"
    _no_split_modules = ["Block"]
    _skip_keys_device_placement = CACHE_NAMES
    _can_record_outputs = {"hidden_states": Block, "attentions": OutputRecorder(Attention, index=1)}
    _keys_to_ignore_on_load_unexpected = [r"\.attn\.(masked_)?bias$"]  # causal masks, which old files carry
    heads = ("lm_head", "score", "classifier", "qa_outputs", "multiple_choice_head")

    @torch.no_grad()
    def _init_weights(self, module):
        """Section 2.3: projections back into the residual stream start smaller, by the root of how many there are."""
        super()._init_weights(module)
        if getattr(module, "joins_residual", False):
            init.normal_(module.weight, std=self.config.initializer_range / math.sqrt(2 * self.config.n_layer))


class XfmrGPT2Model(XfmrGPT2PreTrainedModel):
    """The decoder without a head.

    Args of forward: input_ids, attention_mask, position_ids, token_type_ids (B, T) int64, or inputs_embeds (B, T, E) in
    place of the ids. token_type_ids are words of the vocabulary whose vectors are added, as in stock classes; a BERT
    tokenizer's zeros would add word 0 everywhere. Positions count from 0, or from the cache's length, padding included.

    A row whose position_ids restart at 0 (or which cu_seq_lens_q cuts) holds several sequences; none sees another, and
    no cache is made, since none could continue them. With past_key_values given a row is always one sequence.
    `pack=False` computes the padding too, as stock classes do; the real tokens come out the same. Returns
    last_hidden_state (B, T, E), zeros at padding unless it was computed: with a cache it is, so pass `use_cache=False`
    where no text is generated.
    """

    def __init__(self, config: XfmrGPT2Config):
        super().__init__(config)
        self.word = nn.Embedding(config.vocab_size, config.n_embd)
        self.position = nn.Embedding(config.n_positions, config.n_embd)
        self.dropout = Dropout(config.embd_pdrop)
        self.blocks = nn.ModuleList(Block(config, i) for i in range(config.n_layer))
        self.final_norm = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.post_init()

    @takes_cache
    @merge_with_config_defaults
    @records
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        use_cache: bool | None = None,
        pack: bool = True,
        **kwargs,
    ) -> BaseModelOutputWithPast:
        given = either(input_ids, inputs_embeds)
        cache = kwargs.pop("cache", past_key_values)  # continuous batching brings one of its own kind
        rows, packing = None, None
        if cache is None:
            rows = packed_rows(given.shape[:2], position_ids, attention_mask, kwargs.get("cu_seq_lens_q"))
            if use_cache and rows is None:
                cache = past_key_values = DynamicCache(config=self.config)
            elif pack and is_packable(self, kwargs, attention_mask):
                packing = Packing.of(attention_mask, rows, is_filled(self, kwargs))
        elif pack and is_prefill(cache, attention_mask) and is_packable(self, kwargs, attention_mask):
            packing = Packing.of(attention_mask, rows, is_filled(self, kwargs))
            cache = cache if packing is None else PackedPrefill(cache, packing)
        if position_ids is None:
            past = 0 if past_key_values is None else past_key_values.get_seq_length()
            position_ids = positions(given, rows, past)

        if packing is not None:
            given, position_ids = packing.pack(given), packing.pack(position_ids)  # (1, N) each
            token_type_ids = packing.pack(token_type_ids)
        check_positions(position_ids, self.config.n_positions)
        words = given if given.is_floating_point() else look_up(self.word, given)
        x = words + self.position(position_ids)
        if token_type_ids is not None:
            x = x + self.word(token_type_ids)
        x = self.dropout(x)  # (B, T, E), or packed (1, N, E)
        if packing is not None:
            mask = packing.spans()
        elif grows(cache) and is_step(self, attention_mask, x, cache.get_seq_length() + 1):
            mask = step_mask(attention_mask, x)
        else:
            mask = create_causal_mask(self.config, x, attention_mask, past_key_values, and_mask_function=within(rows))
        if is_stepping(self, cache, x, kwargs):
            x = x.squeeze(1)  # (B, E)
            for block, past in zip(self.blocks, cache.layers, strict=False):
                x = block.step(x, mask, past)  # type: ignore[operator]
            x = x.unsqueeze(1)
        else:
            for block in self.blocks:
                x = block(x, mask, cache, position_ids=position_ids, **kwargs)
        x = self.final_norm(x)
        if packing is not None:
            x = packing.unpack(x)  # (B, T, E)
        return recorded(BaseModelOutputWithPast(x, past_key_values if use_cache else None), packing)


class XfmrGPT2ForCausalLM(XfmrGPT2PreTrainedModel, FastGenerationMixin):
    """Predicts the next word; the output matrix is the word embedding's."""

    _tied_weights_keys = {"lm_head.weight": "transformer.word.weight"}

    def __init__(self, config: XfmrGPT2Config):
        super().__init__(config)
        self.transformer = XfmrGPT2Model(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.post_init()

    @takes_cache
    @can_return_tuple
    @one_matrix
    def forward(  # `generate` reads this signature: what it should prepare has to be named here
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs,
    ) -> CausalLMOutputWithPast:
        """labels (B, T): input_ids themselves, for they are shifted here, with -100 where there is nothing to learn (as
        at the first word of each sequence of a packed row); padding is never predicted. Among the further arguments,
        shift_labels (B, T) in their place are taken as they are, the word after each position, and label_smoothing is
        a share from 0 to 1.

        With labels, no cache is made unless `use_cache=True` asks for one. In training the logits are then None: only
        the labelled words are scored. logits_to_keep chooses positions for the logits, not for the loss.
        """
        # Not in the signature, where Trainer would take both for columns that every batch has to have.
        shift_labels, label_smoothing = kwargs.pop("shift_labels", None), kwargs.pop("label_smoothing", 0.0)
        if shift_labels is None and labels is not None:
            shift_labels = next_tokens(labels, attention_mask)
        if shift_labels is not None and use_cache is None:
            use_cache = False
        out = self.transformer(
            input_ids,
            attention_mask,
            position_ids,
            past_key_values,
            inputs_embeds,
            token_type_ids,
            use_cache=use_cache,
            **kwargs,
        )
        x, loss, logits = out.last_hidden_state, None, None
        if shift_labels is None:
            logits = project(self.lm_head, slice_logits_to_keep(x, logits_to_keep))  # (B, T, vocab)
        elif self.training:
            loss = vocabulary_loss(x, shift_labels, self.lm_head, num_items_in_batch, label_smoothing=label_smoothing)
        else:
            scores = project(self.lm_head, x)
            loss = cross_entropy(scores, shift_labels, num_items_in_batch, label_smoothing=label_smoothing)
            logits = slice_logits_to_keep(scores, logits_to_keep)
        return CausalLMOutputWithPast(loss, logits, getattr(out, CACHE), out.hidden_states, out.attentions)


class XfmrGPT2ForSequenceClassification(XfmrGPT2PreTrainedModel):
    """A linear layer on the last real word of each row, the only one that has seen the whole text."""

    def __init__(self, config: XfmrGPT2Config):
        super().__init__(config)
        self.transformer = XfmrGPT2Model(config)
        self.score = nn.Linear(config.n_embd, config.num_labels, bias=False)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool = False,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs,
    ) -> SequenceClassifierOutputWithPast:
        """labels (B,) int64, (B, num_labels) float for several labels at once, or (B,) float for regression.

        The attention_mask alone says what is padding, on either side; stock classes go by config.pad_token_id.
        """
        out = self.transformer(
            input_ids,
            attention_mask,
            position_ids,
            inputs_embeds=inputs_embeds,
            token_type_ids=token_type_ids,
            use_cache=use_cache,
            **kwargs,
        )
        logits = self.score(last_token(out.last_hidden_state, attention_mask))  # (B, num_labels)
        loss = None if labels is None else sequence_classification_loss(logits, labels, self.config, num_items_in_batch)
        return SequenceClassifierOutputWithPast(loss, logits, getattr(out, CACHE), out.hidden_states, out.attentions)


def last_token(x: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The vector of the last token that is not padding: (B, T, E) to (B, E)."""
    if attention_mask is None or attention_mask.dim() != 2:
        return x[:, -1]
    places = torch.arange(x.size(1), device=x.device)
    last = (places * (attention_mask[:, -x.size(1) :] != 0)).argmax(1)
    return x.gather(1, last[:, None, None].expand(-1, 1, x.size(2))).squeeze(1)


class XfmrGPT2ForTokenClassification(XfmrGPT2PreTrainedModel):
    """A label for each token, from the text up to it."""

    def __init__(self, config: XfmrGPT2Config):
        super().__init__(config)
        self.transformer = XfmrGPT2Model(config)
        own = getattr(config, "classifier_dropout", None)  # stock's config has no such field
        self.dropout = Dropout(0.1 if own is None else own)
        self.classifier = nn.Linear(config.n_embd, config.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool = False,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs,
    ) -> TokenClassifierOutput:
        """labels (B, T): -100 where there is none. logits (B, T, num_labels)."""
        out = self.transformer(
            input_ids,
            attention_mask,
            position_ids,
            inputs_embeds=inputs_embeds,
            token_type_ids=token_type_ids,
            use_cache=use_cache,
            **kwargs,
        )
        logits = self.classifier(self.dropout(out.last_hidden_state))
        loss = None if labels is None else cross_entropy(logits, labels, num_items_in_batch)
        return TokenClassifierOutput(loss, logits, out.hidden_states, out.attentions)


# On disk the tensors keep the names `transformers` gives them, and OpenAI's layout: projections transposed, query, key
# and value fused. Applied on load, undone on save; each rule must hold on its own in both directions.
_QKV = ["attention.query", "attention.key", "attention.value"]
_GPT2_MATRICES = [
    WeightConverter("attn.c_attn.weight", [f"{name}.weight" for name in _QKV], [Transpose(), Chunk(dim=0)]),
    WeightConverter("attn.c_attn.bias", [f"{name}.bias" for name in _QKV], [Chunk(dim=0)]),
    WeightConverter("attn.c_proj.weight", "attention.out.weight", [Transpose()]),
    WeightConverter("mlp.c_fc.weight", "feed_forward.up.weight", [Transpose()]),
    WeightConverter("mlp.c_proj.weight", "feed_forward.down.weight", [Transpose()]),
]
_GPT2_NAMES = {
    "attn.c_proj.bias": "attention.out.bias",
    "mlp.c_fc.bias": "feed_forward.up.bias",
    "mlp.c_proj.bias": "feed_forward.down.bias",
    "wte.": "word.",
    "wpe.": "position.",
    "ln_1.": "attention_norm.",
    "ln_2.": "feed_forward_norm.",
    "ln_f.": "final_norm.",
    "(?<![a-z])h.": "blocks.",
}

# Trainer's label smoothing shifts the labels of the classes that stand here only.
MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[XfmrGPT2Config.model_type] = XfmrGPT2ForCausalLM.__name__

register(
    XfmrGPT2Config,
    [*_GPT2_MATRICES, *renamings(_GPT2_NAMES)],
    AutoModel=XfmrGPT2Model,
    AutoModelForCausalLM=XfmrGPT2ForCausalLM,
    AutoModelForSequenceClassification=XfmrGPT2ForSequenceClassification,
    AutoModelForTokenClassification=XfmrGPT2ForTokenClassification,
)
