"""The Transformer (Vaswani et al., 2017): an encoder reads the source, a causal decoder attends to it and writes the
target. Post-norm, sinusoidal positions, one embedding matrix for source, target and output. Marian's models, more than
a thousand language pairs on the Hub, are of this architecture."""

import math
from typing import Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import MarianConfig, PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.cache_utils import CacheLayerMixin, DynamicCache, EncoderDecoderCache
from transformers.masking_utils import create_bidirectional_mask, create_causal_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import (
    BaseModelOutput,
    BaseModelOutputWithPastAndCrossAttentions,
    Seq2SeqLMOutput,
    Seq2SeqModelOutput,
)
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder

from .blocks import Attention, FeedForward, check_positions, either, sinusoids
from .decoding import FastGenerationMixin, grows, is_step, step_mask
from .dropout import Dropout
from .linear import project
from .losses import IGNORE, cross_entropy
from .packing import (
    Packing,
    Spans,
    check_pairs,
    is_filled,
    is_packable,
    packed_rows,
    positions,
    sequence_starts,
    within,
)
from .recording import recorded, records
from .steps import is_stepping
from .stock import StockConfig, StockModel, register, renamings
from .tied import look_up, one_matrix
from .versions import CACHE, CACHE_NAMES, takes_cache
from .vocabulary import vocabulary_loss


@strict
class XfmrConfig(StockConfig, PreTrainedConfig):
    """The base model of table 3. Fields are named as in `transformers.MarianConfig`, so any Marian `config.json` on the
    Hub loads unchanged, with Marian's defaults for the fields it leaves out.

    `position_layout` is "interleaved" as in section 3.5, or "halves", sines before cosines, if the config is Marian's.
    `label_smoothing` (section 5.4) acts in training only. Stock has neither field. `tie_word_embeddings=False` gives
    source, target and output a matrix each, whatever `share_encoder_decoder_embeddings` says, as in stock.
    """

    model_type = "xfmr"
    stock_model_type = "marian"
    stock_defaults = {
        **{name: getattr(MarianConfig, name) for name in MarianConfig.__annotations__},
        "position_layout": "halves",
    }
    keys_to_ignore_at_inference = CACHE_NAMES
    attribute_map = {
        "hidden_size": "d_model",
        "num_attention_heads": "encoder_attention_heads",
        "num_hidden_layers": "encoder_layers",
    }

    vocab_size: int = 37000
    decoder_vocab_size: int | None = None
    share_encoder_decoder_embeddings: bool = True
    tie_word_embeddings: bool = True
    scale_embedding: bool = True
    position_layout: Literal["interleaved", "halves"] | None = None
    max_position_embeddings: int = 1024
    d_model: int = 512
    encoder_layers: int = 6
    encoder_attention_heads: int = 8
    encoder_ffn_dim: int = 2048
    decoder_layers: int = 6
    decoder_attention_heads: int = 8
    decoder_ffn_dim: int = 2048
    activation_function: str = "relu"
    dropout: float | int = 0.1
    attention_dropout: float | int = 0.0
    activation_dropout: float | int = 0.0
    label_smoothing: float | int = 0.0
    init_std: float = 0.02
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | list[int] | None = 2
    decoder_start_token_id: int = 1
    forced_eos_token_id: int | list[int] | None = None
    is_encoder_decoder: bool = True
    use_cache: bool = True

    def __post_init__(self, **kwargs):
        if self.position_layout is None:
            is_stock = kwargs.get("model_type") == self.stock_model_type
            self.position_layout = "halves" if is_stock else "interleaved"
        self.decoder_vocab_size = self.decoder_vocab_size or self.vocab_size
        super().__post_init__(**kwargs)
        if getattr(self, "encoder_layerdrop", 0) or getattr(self, "decoder_layerdrop", 0):
            raise ValueError("layers are never dropped here: set encoder_layerdrop and decoder_layerdrop to 0")

    @classmethod
    def base(cls, **changes) -> "XfmrConfig":
        """Table 3, "base": 63 million parameters with the paper's vocabulary of 37,000. `changes` are fields."""
        return cls(**changes)

    @classmethod
    def big(cls, **changes) -> "XfmrConfig":
        """Table 3, "big": 214 million parameters with the paper's vocabulary of 37,000. `changes` are fields."""
        sizes = {"d_model": 1024, "dropout": 0.3}
        for side in ("encoder", "decoder"):
            sizes |= {f"{side}_attention_heads": 16, f"{side}_ffn_dim": 4096}
        return cls(**{**sizes, **changes})


def position_table(config: XfmrConfig) -> Tensor:
    """The position signals of section 3.5 in the config's layout, (max_position_embeddings, E) float32."""
    table = sinusoids(config.max_position_embeddings, config.d_model)
    layout = getattr(config, "position_layout", "halves")  # stock's config has no such field
    return table if layout == "interleaved" else torch.cat([table[:, 0::2], table[:, 1::2]], dim=1)


class Embeddings(nn.Module):
    """Word vectors, scaled by the root of their size (section 3.4), + position signals (section 3.5), then dropout."""

    def __init__(self, config: XfmrConfig, vocab_size: int):
        super().__init__()
        self.word = nn.Embedding(vocab_size, config.d_model, padding_idx=config.pad_token_id)
        self.position = nn.Buffer(position_table(config).to(torch.get_default_dtype()))
        self.scale = math.sqrt(config.d_model) if config.scale_embedding else 1.0
        self.dropout = Dropout(config.dropout)

    def forward(self, given: Tensor, position_ids: Tensor) -> Tensor:
        """given: ids (B, T) int64, or their word vectors (B, T, E), not yet scaled; position_ids (1, T) int64."""
        words = given if given.is_floating_point() else look_up(self.word, given)
        return self.dropout(words * self.scale + self.position[position_ids])  # (B, T, E)


class EncoderBlock(GradientCheckpointingLayer):
    """Post-norm: each sublayer is added to its input, and the sum is normed (section 3.1)."""

    def __init__(self, config: XfmrConfig, layer_idx: int):
        super().__init__()
        dim, heads, inner = config.d_model, config.encoder_attention_heads, config.encoder_ffn_dim
        self.attention = Attention(config, dim, heads, config.attention_dropout, layer_idx)
        self.attention_norm = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, inner, config.activation_function, config.activation_dropout)
        self.feed_forward_norm = nn.LayerNorm(dim)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor | Spans | None, **kwargs) -> Tensor:
        x = self.attention_norm(x + self.dropout(self.attention(x, mask, **kwargs)[0]))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


class DecoderBlock(GradientCheckpointingLayer):
    """The same with a third sublayer between: attention to the encoder's output, the `memory`."""

    def __init__(self, config: XfmrConfig, layer_idx: int):
        super().__init__()
        dim, heads, inner = config.d_model, config.decoder_attention_heads, config.decoder_ffn_dim
        self.attention = Attention(config, dim, heads, config.attention_dropout, layer_idx, is_causal=True)
        self.attention_norm = nn.LayerNorm(dim)
        self.cross_attention = Attention(config, dim, heads, config.attention_dropout, layer_idx)
        self.cross_attention_norm = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, inner, config.activation_function, config.activation_dropout)
        self.feed_forward_norm = nn.LayerNorm(dim)
        self.dropout = Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | Spans | None,
        memory: Tensor,
        memory_mask: Tensor | Spans | None,
        cache: EncoderDecoderCache | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> Tensor:
        own = None if cache is None else cache.self_attention_cache
        x = self.attention_norm(x + self.dropout(self.attention(x, mask, cache=own, **kwargs)[0]))
        seen = self.cross_attention(x, memory_mask, memory, cache, **kwargs)[0]
        x = self.cross_attention_norm(x + self.dropout(seen))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))

    def step(
        self,
        x: Tensor,
        mask: Tensor | None,
        past: CacheLayerMixin,
        memory_mask: Tensor | None,
        memory: CacheLayerMixin,
    ) -> Tensor:
        """`forward` for one more word of each row, (B, E): see steps.py."""
        x = self.attention_norm(x + self.attention.step(x, mask, past))
        x = self.cross_attention_norm(x + self.cross_attention.cross_step(x, memory_mask, memory))
        return self.feed_forward_norm(x + self.feed_forward.step(x))


class XfmrPreTrainedModel(StockModel, PreTrainedModel):
    config: XfmrConfig
    base_model_prefix = "model"
    _no_split_modules = ["Embeddings", "EncoderBlock", "DecoderBlock"]
    _keys_to_ignore_on_load_missing = [r"embeddings\.position", "final_logits_bias"]  # `_init_weights` knows them
    heads = ("lm_head", "final_logits_bias")

    @torch.no_grad()
    def _init_weights(self, module):
        super()._init_weights(module)
        if isinstance(module, Embeddings):
            init.copy_(module.position, position_table(self.config))
        elif isinstance(module, XfmrForConditionalGeneration):
            init.zeros_(module.final_logits_bias)

    def resize_token_embeddings(self, new_num_tokens=None, pad_to_multiple_of=None, mean_resizing=True):
        if not self.config.share_encoder_decoder_embeddings:
            raise ValueError("source and target have vocabularies of their own here: neither can be resized")
        words = super().resize_token_embeddings(new_num_tokens, pad_to_multiple_of, mean_resizing)
        if not self.config.tie_word_embeddings:  # one vocabulary, but a matrix each
            model, size = self.base_model, words.num_embeddings
            for module, name in ((model, "shared"), (model.decoder.embeddings, "word")):
                old = getattr(module, name)
                setattr(module, name, self._get_resized_embeddings(old, size, mean_resizing=mean_resizing))
            self.config.decoder_vocab_size = size
        return words


class Encoder(XfmrPreTrainedModel):
    _can_record_outputs = {"hidden_states": EncoderBlock, "attentions": OutputRecorder(Attention, index=1)}

    def __init__(self, config: XfmrConfig):
        super().__init__(config)
        self.embeddings = Embeddings(config, config.vocab_size)
        self.blocks = nn.ModuleList(EncoderBlock(config, i) for i in range(config.encoder_layers))
        self.post_init()

    @merge_with_config_defaults
    @records
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        position_ids: Tensor | None = None,
        cu_seq_lens_k: Tensor | None = None,
        pack: bool = True,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BaseModelOutput:
        given = either(input_ids, inputs_embeds)
        rows = packed_rows(given.shape[:2], position_ids, attention_mask, cu_seq_lens_k)
        if position_ids is None:
            position_ids = positions(given, rows)

        packing = None
        if pack and is_packable(self, kwargs, attention_mask):
            packing = Packing.of(attention_mask, rows, is_filled(self, kwargs))
        if packing is not None:
            given, position_ids = packing.pack(given), packing.pack(position_ids)  # (1, N) each
        check_positions(position_ids, self.config.max_position_embeddings)
        x = self.embeddings(given, position_ids)  # (B, S, E), or packed (1, N, E)
        if packing is not None:
            mask = packing.spans()
        else:
            mask = create_bidirectional_mask(self.config, x, attention_mask, and_mask_function=within(rows))
        for block in self.blocks:
            x = block(x, mask, **kwargs)
        if packing is not None:
            x = packing.unpack(x)  # (B, S, E)
        return recorded(BaseModelOutput(last_hidden_state=x), packing)


class Decoder(XfmrPreTrainedModel):
    _can_record_outputs = {
        "hidden_states": DecoderBlock,
        "attentions": OutputRecorder(Attention, index=1, layer_name="attention"),
        "cross_attentions": OutputRecorder(Attention, index=1, layer_name="cross_attention"),
    }

    def __init__(self, config: XfmrConfig):
        super().__init__(config)
        self.embeddings = Embeddings(config, config.decoder_vocab_size)
        self.blocks = nn.ModuleList(DecoderBlock(config, i) for i in range(config.decoder_layers))
        self.post_init()

    @takes_cache
    @merge_with_config_defaults
    @records
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        past_key_values: EncoderDecoderCache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        position_ids: Tensor | None = None,
        cu_seq_lens_q: Tensor | None = None,
        memory_rows: Tensor | None = None,
        pack: bool = True,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BaseModelOutputWithPastAndCrossAttentions:
        given = either(input_ids, inputs_embeds, "decoder_")
        rows = None
        if past_key_values is None:
            rows = packed_rows(given.shape[:2], position_ids, attention_mask, cu_seq_lens_q)
        check_pairs(rows, memory_rows)
        if use_cache and past_key_values is None and rows is None:
            past_key_values = EncoderDecoderCache(DynamicCache(config=self.config), DynamicCache(config=self.config))
        own = None if past_key_values is None else past_key_values.self_attention_cache
        past = 0 if own is None else own.get_seq_length()
        if position_ids is None:
            position_ids = positions(given, rows, past)

        packing = None
        if pack and past_key_values is None and is_packable(self, kwargs, attention_mask, memory_mask):
            fill = is_filled(self, kwargs)
            packing, memory_packing = Packing.pair(given, attention_mask, rows, memory, memory_mask, memory_rows, fill)
        if packing is not None:
            given, position_ids = packing.pack(given), packing.pack(position_ids)  # (1, N) each
            memory = memory_packing.pack(memory)  # (1, M, E)
        check_positions(position_ids, self.config.max_position_embeddings)
        x = self.embeddings(given, position_ids)  # (B, T, E), or packed (1, N, E)
        if packing is not None:
            mask, memory_mask = packing.spans(), packing.spans(memory_packing)
        elif (
            grows(own) and is_step(self, attention_mask, x, past + 1) and is_step(self, memory_mask, x, memory.size(1))
        ):
            mask, memory_mask = step_mask(attention_mask, x), step_mask(memory_mask, x)
        else:
            mask = create_causal_mask(self.config, x, attention_mask, own, and_mask_function=within(rows))
            memory_mask = create_bidirectional_mask(
                self.config, x, memory_mask, encoder_hidden_states=memory, and_mask_function=within(rows, memory_rows)
            )
        if own is not None and past_key_values.is_updated.get(0) and is_stepping(self, own, x, kwargs):
            x = x.squeeze(1)  # (B, E)
            if memory_mask is not None:  # a row for each source, as its keys and values have
                memory_mask = memory_mask[:: getattr(past_key_values, "copies", 1)]
            layers = own.layers, past_key_values.cross_attention_cache.layers
            for block, words, sources in zip(self.blocks, *layers, strict=False):
                x = block.step(x, mask, words, memory_mask, sources)  # type: ignore[operator]
            x = x.unsqueeze(1)
        else:
            for block in self.blocks:
                x = block(x, mask, memory, memory_mask, past_key_values, **kwargs)
        if packing is not None:
            x = packing.unpack(x)  # (B, T, E)
        return recorded(BaseModelOutputWithPastAndCrossAttentions(x, past_key_values), packing)


class XfmrModel(XfmrPreTrainedModel):
    """Encoder and decoder without an output layer.

    Args of forward: input_ids and decoder_input_ids (B, S) and (B, T) int64, or inputs_embeds and decoder_inputs_embeds
    (B, S, E) and (B, T, E), scaled here like the ids' own vectors (stock Marian's encoder does not scale them);
    attention_mask and decoder_attention_mask; encoder_outputs in place of a source; past_key_values, use_cache.
    A row may hold several sources whose position_ids (B, S) start at 0 each, and as many targets, in the same order,
    whose decoder_position_ids (B, T) do; or cu_seq_lens_k cuts the flattened sources and cu_seq_lens_q the targets,
    the keys and queries of cross-attention. No pair sees another, and no cache is made, since none could continue them.
    `pack=False` computes the padding too, as stock classes do; the real tokens come out the same.
    Returns last_hidden_state (B, T, E) and encoder_last_hidden_state (B, S, E), zeros at padding unless it was
    computed, as the target's is when a cache is in use.
    """

    def __init__(self, config: XfmrConfig):
        super().__init__(config)
        if config.share_encoder_decoder_embeddings:  # one matrix, under the name it has on disk
            self.shared = nn.Embedding(config.vocab_size, config.d_model, padding_idx=config.pad_token_id)
            self._tied_weights_keys = {
                "encoder.embeddings.word.weight": "shared.weight",
                "decoder.embeddings.word.weight": "shared.weight",
            }
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.post_init()

    def get_input_embeddings(self):
        return self.encoder.embeddings.word

    def set_input_embeddings(self, value):
        self.encoder.embeddings.word = value
        if self.config.share_encoder_decoder_embeddings and self.config.tie_word_embeddings:  # one matrix
            self.shared = self.decoder.embeddings.word = value
            self.config.decoder_vocab_size = len(value.weight)

    @takes_cache
    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | tuple[Tensor, ...] | None = None,
        past_key_values: EncoderDecoderCache | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        position_ids: Tensor | None = None,
        decoder_position_ids: Tensor | None = None,
        cu_seq_lens_q: Tensor | None = None,
        cu_seq_lens_k: Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> Seq2SeqModelOutput:
        kwargs = {name: value for name, value in kwargs.items() if name not in ("max_length_q", "max_length_k")}
        if encoder_outputs is None:
            encoder_outputs = self.encoder(
                input_ids, attention_mask, inputs_embeds, position_ids, cu_seq_lens_k, **kwargs
            )
        elif not isinstance(encoder_outputs, BaseModelOutput):
            encoder_outputs = BaseModelOutput(*encoder_outputs)
        shape = encoder_outputs.last_hidden_state.shape[:2]
        memory_rows = packed_rows(shape, position_ids, attention_mask, cu_seq_lens_k)
        if memory_rows is not None and "flash" in self.config._attn_implementation:
            raise ValueError("several pairs in a row need attn_implementation='sdpa' (or 'eager')")
        out = self.decoder(
            decoder_input_ids,
            decoder_attention_mask,
            memory=encoder_outputs.last_hidden_state,
            memory_mask=attention_mask,
            past_key_values=past_key_values,
            inputs_embeds=decoder_inputs_embeds,
            use_cache=use_cache,
            position_ids=decoder_position_ids,
            cu_seq_lens_q=cu_seq_lens_q,
            memory_rows=memory_rows,
            **kwargs,
        )
        return Seq2SeqModelOutput(
            last_hidden_state=out.last_hidden_state,
            **{CACHE: getattr(out, CACHE)},
            decoder_hidden_states=out.hidden_states,
            decoder_attentions=out.attentions,
            cross_attentions=out.cross_attentions,
            encoder_last_hidden_state=encoder_outputs.last_hidden_state,
            encoder_hidden_states=encoder_outputs.hidden_states,
            encoder_attentions=encoder_outputs.attentions,
        )


def through_last_label(labels: Tensor) -> Tensor:
    """Labels (B, T) to a mask (B, T): False after a row's last labelled position, where nothing counts any more."""
    return (labels != IGNORE).flip(1).cumsum(1).flip(1) > 0


class XfmrForConditionalGeneration(XfmrPreTrainedModel, FastGenerationMixin):
    """Translation, and whatever else turns one sequence into another: scores for each next word of the target."""

    def __init__(self, config: XfmrConfig):
        super().__init__(config)
        self.model = XfmrModel(config)
        self.lm_head = nn.Linear(config.d_model, config.decoder_vocab_size, bias=False)
        self.final_logits_bias = nn.Buffer(torch.zeros(1, config.decoder_vocab_size))
        source = "model.shared" if config.share_encoder_decoder_embeddings else "model.decoder.embeddings.word"
        self._tied_weights_keys = {"lm_head.weight": f"{source}.weight"}
        # what stock computes, it does not save; other tables it reads
        if getattr(config, "position_layout", "halves") == "halves":
            self._keys_to_ignore_on_save = [f"model.{side}.embeddings.position" for side in ("encoder", "decoder")]
        self.post_init()

    def resize_token_embeddings(self, new_num_tokens=None, pad_to_multiple_of=None, mean_resizing=True):
        words = super().resize_token_embeddings(new_num_tokens, pad_to_multiple_of, mean_resizing)
        missing = words.num_embeddings - self.final_logits_bias.size(1)
        self.final_logits_bias = F.pad(self.final_logits_bias, (0, missing))  # below 0 it cuts
        return words

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor, rows: Tensor | None = None) -> Tensor:
        """Teacher forcing: the decoder reads the target shifted right by one, (B, T); each of them if a row holds
        several (`rows` of `packed_rows`)."""
        shifted = F.pad(labels[:, :-1], (1, 0), value=self.config.decoder_start_token_id)
        if rows is not None:
            shifted = shifted.masked_fill(sequence_starts(rows), self.config.decoder_start_token_id)
        return shifted.masked_fill(shifted == IGNORE, self.config.pad_token_id)

    @takes_cache
    @can_return_tuple
    @one_matrix
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | tuple[Tensor, ...] | None = None,
        past_key_values: EncoderDecoderCache | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        num_items_in_batch: Tensor | int | None = None,
        decoder_position_ids: Tensor | None = None,
        cu_seq_lens_q: Tensor | None = None,
        pack: bool = True,
        **kwargs: Unpack[TransformersKwargs],
    ) -> Seq2SeqLMOutput:
        """labels (B, T): the target, -100 where nothing is to be predicted. If no input is given to the decoder, it is
        they, shifted right; if no decoder_attention_mask is, a row's last label is the end of its target. In training
        with labels the logits are None: only the labelled positions are scored. Several pairs in a row: see
        `XfmrModel`; each target is shifted by itself then."""
        if labels is not None:
            use_cache = False
            from_labels = decoder_input_ids is None and decoder_inputs_embeds is None
            rows = packed_rows(labels.shape, decoder_position_ids, decoder_attention_mask, cu_seq_lens_q)
            if from_labels:
                decoder_input_ids = self.prepare_decoder_input_ids_from_labels(labels, rows)
            # in evaluation an input of the caller's is scored to its end
            ends_with_labels = rows is None and decoder_attention_mask is None and (from_labels or self.training)
            if ends_with_labels and pack and is_packable(self.model.decoder, kwargs):
                decoder_attention_mask = through_last_label(labels)
        out = self.model(
            input_ids,
            attention_mask,
            decoder_input_ids,
            decoder_attention_mask,
            encoder_outputs,
            past_key_values,
            inputs_embeds,
            decoder_inputs_embeds,
            use_cache,
            decoder_position_ids=decoder_position_ids,
            cu_seq_lens_q=cu_seq_lens_q,
            pack=pack,
            **kwargs,
        )
        x, loss, logits = out.last_hidden_state, None, None
        if labels is not None and self.training:
            bias, smoothing = self.final_logits_bias, getattr(self.config, "label_smoothing", 0.0)
            loss = vocabulary_loss(x, labels, self.lm_head, num_items_in_batch, bias=bias, label_smoothing=smoothing)
        else:
            logits = project(self.lm_head, x) + self.final_logits_bias  # (B, T, vocab)
            if labels is not None:
                loss = cross_entropy(logits, labels, num_items_in_batch)
        rest = {name: value for name, value in out.items() if name != "last_hidden_state"}
        return Seq2SeqLMOutput(loss=loss, logits=logits, **rest)


# On disk the tensors keep the names `transformers` gives them; here they have ours. Applied on load, undone on save.
# Each rule must hold on its own in both directions: no right-hand side may occur inside another.
_MARIAN_NAMES = {
    ".embed_tokens.": ".embeddings.word.",
    ".embed_positions.weight": ".embeddings.position",
    "coder.layers.": "coder.blocks.",
    ".self_attn.q_proj.": ".attention.query.",
    ".self_attn.k_proj.": ".attention.key.",
    ".self_attn.v_proj.": ".attention.value.",
    ".self_attn.out_proj.": ".attention.out.",
    ".self_attn_layer_norm.": ".attention_norm.",
    ".encoder_attn.q_proj.": ".cross_attention.query.",
    ".encoder_attn.k_proj.": ".cross_attention.key.",
    ".encoder_attn.v_proj.": ".cross_attention.value.",
    ".encoder_attn.out_proj.": ".cross_attention.out.",
    ".encoder_attn_layer_norm.": ".cross_attention_norm.",
    ".fc1.": ".feed_forward.up.",
    ".fc2.": ".feed_forward.down.",
    ".final_layer_norm.": ".feed_forward_norm.",
}

register(XfmrConfig, renamings(_MARIAN_NAMES), AutoModel=XfmrModel, AutoModelForSeq2SeqLM=XfmrForConditionalGeneration)
