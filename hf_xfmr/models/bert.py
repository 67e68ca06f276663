"""BERT (Devlin et al., 2018): a bidirectional encoder, pre-trained to fill in masked words and to tell whether two
sentences follow one another."""

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.cache_utils import Cache
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import (
    BaseModelOutputWithPooling,
    MaskedLMOutput,
    MultipleChoiceModelOutput,
    NextSentencePredictorOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from transformers.models.bert.modeling_bert import BertForPreTrainingOutput
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder

from .blocks import Attention, FeedForward, activation, check_positions, either
from .dropout import Dropout
from .losses import IGNORE, cross_entropy, mean_loss, sequence_classification_loss
from .packing import Packing, Spans, is_asked, is_filled, is_packable, packed_rows, positions, within
from .recording import recorded, records
from .stock import LoadOnlyRename, StockConfig, StockModel, register, renamings
from .tied import look_up, one_matrix
from .vocabulary import vocabulary_loss


@strict
class XfmrBertConfig(StockConfig, PreTrainedConfig):
    """Fields are named as in `transformers.BertConfig`, so any BERT `config.json` on the Hub loads unchanged.

    `class_weights`, one number per label, weight the loss of `XfmrBertForSequenceClassification`; stock has no such
    field.
    """

    model_type = "xfmr_bert"
    stock_model_type = "bert"

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float | int = 0.1
    attention_probs_dropout_prob: float | int = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    use_cache: bool = True
    classifier_dropout: float | int | None = None
    is_decoder: bool = False
    add_cross_attention: bool = False
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    tie_word_embeddings: bool = True
    class_weights: list[float] | None = None

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        if self.is_decoder or self.add_cross_attention:
            raise ValueError(
                f"is_decoder and add_cross_attention make an encoder a decoder, which {type(self).__name__} has no "
                "model for: use transformers' own (BertLMHeadModel, RobertaForCausalLM) for such a checkpoint"
            )


class Embeddings(nn.Module):
    """Word + position + segment (figure 2), then norm and dropout."""

    first = 0  # the row of `position` that a text begins with

    def __init__(self, config: XfmrBertConfig):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)
        self.position = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.segment = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def forward(self, given: Tensor, position_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        """given: ids (B, T) int64, or their word vectors (B, T, E); the others (B, T) or (1, T), int64."""
        words = given if given.is_floating_point() else look_up(self.word, given)
        x = words + self.segment(token_type_ids) + self.position(position_ids)
        return self.dropout(self.norm(x))

    def places(self, given: Tensor, rows: Tensor | None, past: int = 0) -> Tensor:
        """The rows of `position` for a batch, as `packing.positions` counts them."""
        return positions(given, rows, past)


class Block(GradientCheckpointingLayer):
    """Post-norm encoder layer: each sublayer is added to its input, and the sum is normed."""

    def __init__(self, config: XfmrBertConfig, layer_idx: int):
        super().__init__()
        dim, heads = config.hidden_size, config.num_attention_heads
        self.attention = Attention(config, dim, heads, config.attention_probs_dropout_prob, layer_idx)
        self.attention_norm = nn.LayerNorm(dim, eps=config.layer_norm_eps)
        self.feed_forward = FeedForward(dim, config.intermediate_size, config.hidden_act)
        self.feed_forward_norm = nn.LayerNorm(dim, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, mask: Tensor | Spans | None, among: Tensor | None = None, **kwargs) -> Tensor:
        """x (B, T, E) to the same; it attends to itself, or to `among` (1, N, E) if it is but some tokens of these."""
        x = self.attention_norm(x + self.dropout(self.attention(x, mask, among, **kwargs)[0]))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


class XfmrBertPreTrainedModel(StockModel, PreTrainedModel):
    config: XfmrBertConfig
    base_model_prefix = "bert"
    _no_split_modules = ["Embeddings", "Block"]
    _can_record_outputs = {"hidden_states": Block, "attentions": OutputRecorder(Attention, index=1)}
    heads = ("pooler", "mlm_head", "nsp_head", "classifier", "qa_outputs")

    @torch.no_grad()
    def _init_weights(self, module):
        super()._init_weights(module)
        if isinstance(module, MaskedLMHead):
            init.zeros_(module.bias)


class XfmrBertModel(XfmrBertPreTrainedModel):
    """The encoder, with a tanh layer on [CLS] (the pooler) on top.

    Args of forward: input_ids, attention_mask, token_type_ids, position_ids (B, T) int64, or inputs_embeds (B, T, E) in
    place of the ids. `pack=False` computes the padding too, as stock classes do; the real tokens come out the same.
    Returns last_hidden_state (B, T, E), zeros at padding unless it was computed, and pooler_output (B, E), which reads
    the first real token of a row (stock classes read column 0, padding if it is on the left).

    past_key_values are keys and values that stand before the text, as those that prefix tuning trains: every word sees
    them, attention_mask (B, P + T) begins with theirs, and the text's positions count on from P. They are added to.

    `read`, for a head that looks at a few places only: False for [CLS] alone, or (B, T) bool. The last block is spared
    the other tokens, whose last_hidden_state may then be zeros, wherever padding can be dropped.
    """

    def __init__(self, config: XfmrBertConfig, add_pooling_layer: bool = True):
        super().__init__(config)
        self.embeddings = Embeddings(config)
        self.blocks = nn.ModuleList(Block(config, i) for i in range(config.num_hidden_layers))
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size) if add_pooling_layer else None
        self.post_init()

    @merge_with_config_defaults
    @records
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        past_key_values: Cache | None = None,
        pack: bool = True,
        read: Tensor | bool = True,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BaseModelOutputWithPooling:
        given = either(input_ids, inputs_embeds)
        rows, past, start = None, 0, self.embeddings.first
        if past_key_values is None:
            rows = packed_rows(given.shape[:2], position_ids, attention_mask, kwargs.get("cu_seq_lens_q"), start)
        else:
            kwargs["cache"] = getattr(past_key_values, "self_attention_cache", past_key_values)
            past = past_key_values.get_seq_length()
        if position_ids is None:
            position_ids = self.embeddings.places(given, rows, past)
        if token_type_ids is None:
            token_type_ids = torch.zeros_like(position_ids)

        packing, last = None, None  # of all tokens, and of those that leave the last block
        if pack and past_key_values is None and is_packable(self, kwargs, attention_mask):
            fill = is_filled(self, kwargs)
            packing = last = Packing.of(attention_mask, rows, fill)
            if read is not True and not is_asked(self, kwargs, "output_hidden_states", "output_attentions"):
                real = real_tokens(given, attention_mask)
                packing = Packing(real, rows, fill).arranged() if packing is None else packing
                if read is False or self.pooler is not None:
                    read = read | F.one_hot(first(real), real.size(1)).bool()
                last = Packing(real * read, rows, fill).arranged(packing)
        if packing is not None:
            given, position_ids = packing.pack(given), packing.pack(position_ids)  # (1, N) each
            token_type_ids = packing.pack(token_type_ids)
        check_positions(position_ids, self.config.max_position_embeddings, start)
        x = self.embeddings(given, position_ids, token_type_ids)  # (B, T, E), or packed (1, N, E)
        if packing is not None:
            mask = packing.spans()
        else:
            mask = create_bidirectional_mask(self.config, x, attention_mask, and_mask_function=within(rows))
        for block in self.blocks[:-1]:
            x = block(x, mask, **kwargs)
        if last is packing:
            x = self.blocks[-1](x, mask, **kwargs)
        else:
            x = self.blocks[-1](packing.only(last, x), last.spans(packing), x, **kwargs)
        if last is not None:
            x = last.unpack(x)  # (B, T, E)
        if past:
            attention_mask = None if attention_mask is None else attention_mask[:, past:]
        pooled = torch.tanh(self.pooler(first_token(x, attention_mask))) if self.pooler is not None else None
        return recorded(BaseModelOutputWithPooling(last_hidden_state=x, pooler_output=pooled), packing)


def real_tokens(inputs: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Which of the inputs (B, T) or (B, T, E) are not padding, as far as the mask tells: (B, T) bool."""
    if attention_mask is None or attention_mask.dim() != 2:
        return torch.ones(inputs.shape[:2], dtype=torch.bool, device=inputs.device)
    return attention_mask != 0


def first(real: Tensor) -> Tensor:
    """Where [CLS] stands, the first real token: (B, T) bool to (B,) int64."""
    return real.long().argmax(1)


def first_token(x: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The vector of [CLS]: (B, T, E) to (B, E)."""
    return x[torch.arange(x.size(0), device=x.device), first(real_tokens(x, attention_mask))]


class MaskedLMHead(nn.Module):
    """Vocabulary scores; the decoder shares the word embedding's matrix and has a bias of its own."""

    def __init__(self, config: XfmrBertConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.act = activation(config.hidden_act)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))  # the decoder's, under the name it has on disk

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.transformed(x))  # (..., E) -> (..., vocab)

    def transformed(self, x: Tensor) -> Tensor:
        return self.norm(self.act(self.dense(x)))

    def loss(self, x: Tensor, labels: Tensor, num_items_in_batch: Tensor | int | None) -> Tensor:
        """Of the masked words alone: x (B, T, E), labels (B, T), -100 elsewhere."""
        return vocabulary_loss(x, labels, self.decoder, num_items_in_batch, before=self.transformed)


class XfmrBertForPreTraining(XfmrBertPreTrainedModel):
    """Both pre-training tasks of section 3.1: masked words and next sentence."""

    _tied_weights_keys = {
        "mlm_head.decoder.weight": "bert.embeddings.word.weight",
        "mlm_head.decoder.bias": "mlm_head.bias",
    }

    def __init__(self, config: XfmrBertConfig):
        super().__init__(config)
        self.bert = XfmrBertModel(config)
        self.mlm_head = MaskedLMHead(config)
        self.nsp_head = nn.Linear(config.hidden_size, 2)
        self.post_init()

    def get_output_embeddings(self):
        return self.mlm_head.decoder

    def set_output_embeddings(self, new_embeddings):
        self.mlm_head.decoder, self.mlm_head.bias = new_embeddings, new_embeddings.bias

    @can_return_tuple
    @one_matrix
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        next_sentence_label: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> BertForPreTrainingOutput:
        """labels (B, T): the masked words, -100 elsewhere; next_sentence_label (B,): 0 if B follows A, else 1.

        The loss is the sum of both means. Of an optimizer step cut into several batches only the number of masked
        words is known (`num_items_in_batch`): there a row's next-sentence loss counts by its share of them.
        """
        read = labels != IGNORE if self.training and labels is not None and next_sentence_label is not None else True
        out = self.base_model(
            input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds, read=read, **kwargs
        )
        follows = self.nsp_head(out.pooler_output)  # (B, 2)
        loss = None
        if labels is not None and next_sentence_label is not None:
            loss = self.mlm_head.loss(out.last_hidden_state, labels, num_items_in_batch)
            if num_items_in_batch is None:
                loss = loss + cross_entropy(follows, next_sentence_label)
            else:
                masked = (labels != IGNORE).sum(1)  # (B,)
                each = F.cross_entropy(follows.float(), next_sentence_label.flatten(), reduction="none")
                loss = loss + mean_loss((masked * each).sum(), masked.sum(), num_items_in_batch)
        words = self.mlm_head(out.last_hidden_state) if loss is None or not self.training else None  # (B, T, vocab)
        return BertForPreTrainingOutput(loss, words, follows, out.hidden_states, out.attentions)


class XfmrBertForMaskedLM(XfmrBertPreTrainedModel):
    """Fills in masked words (section 3.1, task 1)."""

    _tied_weights_keys = XfmrBertForPreTraining._tied_weights_keys

    def __init__(self, config: XfmrBertConfig):
        super().__init__(config)
        self.bert = XfmrBertModel(config, add_pooling_layer=False)
        self.mlm_head = MaskedLMHead(config)
        self.post_init()

    get_output_embeddings = XfmrBertForPreTraining.get_output_embeddings
    set_output_embeddings = XfmrBertForPreTraining.set_output_embeddings

    @can_return_tuple
    @one_matrix
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> MaskedLMOutput:
        """labels (B, T): the masked words, -100 elsewhere. In training with labels the logits are None: only the
        masked words are scored."""
        read = labels != IGNORE if self.training and labels is not None else True
        out = self.base_model(
            input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds, read=read, **kwargs
        )
        loss = None if labels is None else self.mlm_head.loss(out.last_hidden_state, labels, num_items_in_batch)
        logits = self.mlm_head(out.last_hidden_state) if loss is None or not self.training else None  # (B, T, vocab)
        return MaskedLMOutput(loss, logits, out.hidden_states, out.attentions)


class XfmrBertForNextSentencePrediction(XfmrBertPreTrainedModel):
    """Tells whether sentence B follows sentence A (section 3.1, task 2)."""

    def __init__(self, config: XfmrBertConfig):
        super().__init__(config)
        self.bert = XfmrBertModel(config)
        self.nsp_head = nn.Linear(config.hidden_size, 2)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> NextSentencePredictorOutput:
        """labels (B,): 0 if B follows A, 1 if it is random."""
        out = self.base_model(
            input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds, read=False, **kwargs
        )
        logits = self.nsp_head(out.pooler_output)  # (B, 2)
        loss = None if labels is None else cross_entropy(logits, labels, num_items_in_batch)
        return NextSentencePredictorOutput(loss, logits, out.hidden_states, out.attentions)


def head_dropout(config: XfmrBertConfig) -> Dropout:
    own = config.classifier_dropout
    return Dropout(config.hidden_dropout_prob if own is None else own)


class XfmrBertForSequenceClassification(XfmrBertPreTrainedModel):
    """A linear layer on the pooled [CLS] vector (section 4.1)."""

    def __init__(self, config: XfmrBertConfig):
        super().__init__(config)
        self.bert = XfmrBertModel(config)
        self.dropout, self.classifier = head_dropout(config), nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        window_row: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> SequenceClassifierOutput:
        """labels (B,) int64, (B, num_labels) float for several labels at once, or (B,) float for regression.

        A long text may come as several windows: window_row (W,) int64 then says of each input row which text it is
        from (0 to B - 1, ascending), and the logits (B, num_labels) are the means over a text's windows.
        """
        out = self.base_model(
            input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds, read=False, **kwargs
        )
        logits = self.scores(out, attention_mask)  # (B, num_labels)
        if window_row is not None:
            logits = mean_by_row(logits, window_row)  # (W, num_labels) -> (B, num_labels)
        loss = None if labels is None else sequence_classification_loss(logits, labels, self.config, num_items_in_batch)
        return SequenceClassifierOutput(loss, logits, out.hidden_states, out.attentions)

    def scores(self, out: BaseModelOutputWithPooling, attention_mask: Tensor | None) -> Tensor:
        return self.head(self.features(out, attention_mask))

    def features(self, out: BaseModelOutputWithPooling, attention_mask: Tensor | None) -> Tensor:
        """What the layers that classify read of a text, (B, E)."""
        pooled: Tensor = out.pooler_output
        return pooled

    def head(self, x: Tensor) -> Tensor:
        """Those layers: (B, E) to (B, num_labels)."""
        return self.classifier(self.dropout(x))


def mean_by_row(x: Tensor, row: Tensor) -> Tensor:
    """Means of the rows of x (W, C) that share a number in row (W,): (max(row) + 1, C)."""
    count = torch.bincount(row).to(x.dtype).unsqueeze(1)
    return x.new_zeros(len(count), x.size(1)).index_add(0, row, x) / count


class XfmrBertForMultipleChoice(XfmrBertPreTrainedModel):
    """One score for each way a text may continue (section 4.4)."""

    def __init__(self, config: XfmrBertConfig):
        super().__init__(config)
        self.bert = XfmrBertModel(config)
        self.dropout, self.classifier = head_dropout(config), nn.Linear(config.hidden_size, 1)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> MultipleChoiceModelOutput:
        """Inputs (B, choices, T); labels (B,): the right choice. logits (B, choices)."""
        choices = (input_ids if input_ids is not None else inputs_embeds).shape[1]
        flat = [
            None if t is None else t.flatten(0, 1)
            for t in (input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds)
        ]
        out = self.base_model(*flat, read=False, **kwargs)
        logits = self.scores(out, flat[1]).view(-1, choices)
        loss = None if labels is None else cross_entropy(logits, labels, num_items_in_batch)
        return MultipleChoiceModelOutput(loss, logits, out.hidden_states, out.attentions)

    scores = XfmrBertForSequenceClassification.scores
    features = XfmrBertForSequenceClassification.features
    head = XfmrBertForSequenceClassification.head


class XfmrBertForTokenClassification(XfmrBertPreTrainedModel):
    """A label for each token, as for named entities (section 5.3)."""

    def __init__(self, config: XfmrBertConfig):
        super().__init__(config)
        self.bert = XfmrBertModel(config, add_pooling_layer=False)
        self.dropout, self.classifier = head_dropout(config), nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> TokenClassifierOutput:
        """labels (B, T): -100 where there is none. logits (B, T, num_labels)."""
        out = self.base_model(input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds, **kwargs)
        logits = self.classifier(self.dropout(out.last_hidden_state))
        loss = None if labels is None else cross_entropy(logits, labels, num_items_in_batch)
        return TokenClassifierOutput(loss, logits, out.hidden_states, out.attentions)


class XfmrBertForQuestionAnswering(XfmrBertPreTrainedModel):
    """Where an answer starts and ends in the passage (section 4.2)."""

    def __init__(self, config: XfmrBertConfig):
        super().__init__(config)
        self.bert = XfmrBertModel(config, add_pooling_layer=False)
        self.qa_outputs = nn.Linear(config.hidden_size, 2)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> QuestionAnsweringModelOutput:
        """start_positions and end_positions (B,); positions beyond the text do not count. Both logits (B, T), the
        lowest number at padding, which is no answer (stock classes score it)."""
        out = self.base_model(input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds, **kwargs)
        start, end = self.scores(out.last_hidden_state).unbind(-1)  # (B, T) each
        text = real_tokens(start, attention_mask)
        start, end = (logits.masked_fill(~text, torch.finfo(logits.dtype).min) for logits in (start, end))
        loss = None
        if start_positions is not None and end_positions is not None:
            start_loss = cross_entropy(start, within_text(start_positions, text), num_items_in_batch)
            end_loss = cross_entropy(end, within_text(end_positions, text), num_items_in_batch)
            loss = (start_loss + end_loss) / 2
        return QuestionAnsweringModelOutput(loss, start, end, out.hidden_states, out.attentions)

    def scores(self, x: Tensor) -> Tensor:
        return self.qa_outputs(x)  # (B, T, E) -> (B, T, 2)


def within_text(positions: Tensor, text: Tensor) -> Tensor:
    """Positions (B,) as labels, `IGNORE` if beyond the text (B, T), as where an answer was cut off."""
    positions = positions.flatten().clamp(0, text.size(1))
    return positions.masked_fill(~F.pad(text, (0, 1)).gather(1, positions.unsqueeze(1)).squeeze(1), IGNORE)


# On disk the tensors keep the names `transformers` gives them; here they have ours. Applied on load, undone on save.
# Each rule must hold on its own in both directions: no right-hand side may occur inside another.
ENCODER_NAMES = {
    "embeddings.word_embeddings.": "embeddings.word.",
    "embeddings.position_embeddings.": "embeddings.position.",
    "embeddings.token_type_embeddings.": "embeddings.segment.",
    "embeddings.LayerNorm.": "embeddings.norm.",
    "encoder.layer.": "blocks.",
    ".attention.self.query.": ".attention.query.",
    ".attention.self.key.": ".attention.key.",
    ".attention.self.value.": ".attention.value.",
    ".attention.output.dense.": ".attention.out.",
    ".attention.output.LayerNorm.": ".attention_norm.",
    ".intermediate.dense.": ".feed_forward.up.",
    "(?<!attention).output.dense.": ".feed_forward.down.",
    "(?<!attention).output.LayerNorm.": ".feed_forward_norm.",
    "pooler.dense.": "pooler.",
}
_HEAD_NAMES = {
    "cls.predictions.transform.dense.": "mlm_head.dense.",
    "cls.predictions.transform.LayerNorm.": "mlm_head.norm.",
    "cls.predictions.decoder.": "mlm_head.decoder.",
    "cls.predictions.bias": "mlm_head.bias",
    "cls.seq_relationship.": "nsp_head.",
}
_OLD_NAMES = [  # of Google's original files
    LoadOnlyRename(r"LayerNorm\.gamma", r"LayerNorm\.weight"),
    LoadOnlyRename(r"LayerNorm\.beta", r"LayerNorm\.bias"),
]

register(
    XfmrBertConfig,
    [*_OLD_NAMES, *renamings(ENCODER_NAMES | _HEAD_NAMES)],
    AutoModel=XfmrBertModel,
    AutoModelForPreTraining=XfmrBertForPreTraining,
    AutoModelForMaskedLM=XfmrBertForMaskedLM,
    AutoModelForNextSentencePrediction=XfmrBertForNextSentencePrediction,
    AutoModelForSequenceClassification=XfmrBertForSequenceClassification,
    AutoModelForMultipleChoice=XfmrBertForMultipleChoice,
    AutoModelForTokenClassification=XfmrBertForTokenClassification,
    AutoModelForQuestionAnswering=XfmrBertForQuestionAnswering,
)
