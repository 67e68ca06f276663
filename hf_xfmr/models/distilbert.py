"""DistilBERT (Sanh et al., 2019): BERT's encoder with every second block, taught by a BERT what it says of masked
words. There are no segments and no pooler; token_type_ids are taken, as a BERT's tokenizer gives them, and not looked
at."""

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils.output_capturing import OutputRecorder

from .bert import MaskedLMHead as BertMaskedLMHead
from .bert import (
    XfmrBertForMaskedLM,
    XfmrBertForMultipleChoice,
    XfmrBertForQuestionAnswering,
    XfmrBertForSequenceClassification,
    XfmrBertForTokenClassification,
    XfmrBertModel,
    first_token,
)
from .blocks import Attention, FeedForward, activation, sinusoids
from .dropout import Dropout
from .packing import Spans, positions
from .stock import StockConfig, StockModel, register, renamings
from .tied import look_up

EPS = 1e-12  # of every norm; no field of the config


@strict
class XfmrDistilBertConfig(StockConfig, PreTrainedConfig):
    """Fields are named as in `transformers.DistilBertConfig`, so any DistilBERT `config.json` on the Hub loads
    unchanged.

    `sinusoidal_pos_embds` says what positions begin as; they are trained all the same, as in stock. `class_weights`,
    one number per label, weight the loss of `XfmrDistilBertForSequenceClassification`; stock has no such field.
    """

    model_type = "xfmr_distilbert"
    stock_model_type = "distilbert"
    attribute_map = {"hidden_size": "dim", "num_attention_heads": "n_heads", "num_hidden_layers": "n_layers"}

    vocab_size: int = 30522
    max_position_embeddings: int = 512
    sinusoidal_pos_embds: bool = False
    n_layers: int = 6
    n_heads: int = 12
    dim: int = 768
    hidden_dim: int = 4 * 768
    dropout: float | int = 0.1
    attention_dropout: float | int = 0.1
    activation: str = "gelu"
    initializer_range: float = 0.02
    qa_dropout: float | int = 0.1
    seq_classif_dropout: float | int = 0.2
    pad_token_id: int | None = 0
    eos_token_id: int | list[int] | None = None
    bos_token_id: int | None = None
    tie_word_embeddings: bool = True
    class_weights: list[float] | None = None


class Embeddings(nn.Module):
    """Word + position, then norm and dropout."""

    first = 0  # the row of `position` that a text begins with

    def __init__(self, config: XfmrDistilBertConfig):
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.dim, padding_idx=config.pad_token_id)
        self.position = nn.Embedding(config.max_position_embeddings, config.dim)
        self.position.begins_as_sines = config.sinusoidal_pos_embds
        self.norm = nn.LayerNorm(config.dim, eps=EPS)
        self.dropout = Dropout(config.dropout)

    def forward(self, given: Tensor, position_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        """given: ids (B, T) int64, or their word vectors (B, T, E); position_ids (B, T) or (1, T), int64."""
        words = given if given.is_floating_point() else look_up(self.word, given)
        return self.dropout(self.norm(words + self.position(position_ids)))

    def places(self, given: Tensor, rows: Tensor | None, past: int = 0) -> Tensor:
        return positions(given, rows, past)


class Block(GradientCheckpointingLayer):
    """Post-norm encoder layer: BERT's without dropout of what attention adds."""

    def __init__(self, config: XfmrDistilBertConfig, layer_idx: int):
        super().__init__()
        self.attention = Attention(config, config.dim, config.n_heads, config.attention_dropout, layer_idx)
        self.attention_norm = nn.LayerNorm(config.dim, eps=EPS)
        self.feed_forward = FeedForward(config.dim, config.hidden_dim, config.activation)
        self.feed_forward_norm = nn.LayerNorm(config.dim, eps=EPS)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor | Spans | None, among: Tensor | None = None, **kwargs) -> Tensor:
        """x (B, T, E) to the same; it attends to itself, or to `among` (1, N, E) if it is but some tokens of these."""
        x = self.attention_norm(x + self.attention(x, mask, among, **kwargs)[0])
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


class XfmrDistilBertPreTrainedModel(StockModel, PreTrainedModel):
    config: XfmrDistilBertConfig
    base_model_prefix = "distilbert"
    _no_split_modules = ["Embeddings", "Block"]
    _can_record_outputs = {"hidden_states": Block, "attentions": OutputRecorder(Attention, index=1)}
    heads = ("mlm_head", "pre_classifier", "classifier", "qa_outputs")

    @torch.no_grad()
    def _init_weights(self, module):
        super()._init_weights(module)
        if getattr(module, "begins_as_sines", False):
            init.copy_(module.weight, sinusoids(*module.weight.shape))


class XfmrDistilBertModel(XfmrDistilBertPreTrainedModel):
    """The encoder, as `XfmrBertModel`; pooler_output is None."""

    def __init__(self, config: XfmrDistilBertConfig):
        super().__init__(config)
        self.embeddings = Embeddings(config)
        self.blocks = nn.ModuleList(Block(config, i) for i in range(config.n_layers))
        self.pooler = None
        self.post_init()

    forward = XfmrBertModel.forward


class MaskedLMHead(BertMaskedLMHead):
    """As BERT's; the decoder has its bias under its own name."""

    def __init__(self, config: XfmrDistilBertConfig):
        nn.Module.__init__(self)
        self.dense = nn.Linear(config.dim, config.dim)
        self.act = activation(config.activation)
        self.norm = nn.LayerNorm(config.dim, eps=EPS)
        self.decoder = nn.Linear(config.dim, config.vocab_size)


class XfmrDistilBertForMaskedLM(XfmrDistilBertPreTrainedModel):
    """Fills in masked words."""

    _tied_weights_keys = {"mlm_head.decoder.weight": "distilbert.embeddings.word.weight"}

    def __init__(self, config: XfmrDistilBertConfig):
        super().__init__(config)
        self.distilbert = XfmrDistilBertModel(config)
        self.mlm_head = MaskedLMHead(config)
        self.post_init()

    def get_output_embeddings(self):
        return self.mlm_head.decoder

    def set_output_embeddings(self, new_embeddings):
        self.mlm_head.decoder = new_embeddings

    forward = XfmrBertForMaskedLM.forward


class XfmrDistilBertForSequenceClassification(XfmrDistilBertPreTrainedModel):
    """Labels, or a number, for a text or a pair: two layers on the vector of [CLS]."""

    def __init__(self, config: XfmrDistilBertConfig):
        super().__init__(config)
        self.distilbert = XfmrDistilBertModel(config)
        self.pre_classifier = nn.Linear(config.dim, config.dim)
        self.classifier = nn.Linear(config.dim, config.num_labels)
        self.dropout = Dropout(config.seq_classif_dropout)
        self.post_init()

    forward = XfmrBertForSequenceClassification.forward
    scores = XfmrBertForSequenceClassification.scores

    def features(self, out: BaseModelOutputWithPooling, attention_mask: Tensor | None) -> Tensor:
        """What the layers that classify read of a text, (B, E)."""
        return first_token(out.last_hidden_state, attention_mask)

    def head(self, x: Tensor) -> Tensor:
        """Those layers: (B, E) to (B, num_labels)."""
        return self.classifier(self.dropout(torch.relu(self.pre_classifier(x))))


class XfmrDistilBertForMultipleChoice(XfmrDistilBertPreTrainedModel):
    """One score for each way a text may continue, by layers as those of a classifier."""

    def __init__(self, config: XfmrDistilBertConfig):
        super().__init__(config)
        self.distilbert = XfmrDistilBertModel(config)
        self.pre_classifier = nn.Linear(config.dim, config.dim)
        self.classifier = nn.Linear(config.dim, 1)
        self.dropout = Dropout(config.seq_classif_dropout)
        self.post_init()

    forward = XfmrBertForMultipleChoice.forward
    scores = XfmrBertForMultipleChoice.scores
    features = XfmrDistilBertForSequenceClassification.features
    head = XfmrDistilBertForSequenceClassification.head


class XfmrDistilBertForTokenClassification(XfmrDistilBertPreTrainedModel):
    """A label for each token, as in BERT."""

    def __init__(self, config: XfmrDistilBertConfig):
        super().__init__(config)
        self.distilbert = XfmrDistilBertModel(config)
        self.dropout, self.classifier = Dropout(config.dropout), nn.Linear(config.dim, config.num_labels)
        self.post_init()

    forward = XfmrBertForTokenClassification.forward


class XfmrDistilBertForQuestionAnswering(XfmrDistilBertPreTrainedModel):
    """Where an answer starts and ends, as in BERT, with dropout before."""

    def __init__(self, config: XfmrDistilBertConfig):
        super().__init__(config)
        self.distilbert = XfmrDistilBertModel(config)
        self.dropout, self.qa_outputs = Dropout(config.qa_dropout), nn.Linear(config.dim, 2)
        self.post_init()

    forward = XfmrBertForQuestionAnswering.forward

    def scores(self, x: Tensor) -> Tensor:
        return self.qa_outputs(self.dropout(x))  # (B, T, E) -> (B, T, 2)


_DISTILBERT_NAMES = {
    "embeddings.word_embeddings.": "embeddings.word.",
    "embeddings.position_embeddings.": "embeddings.position.",
    "embeddings.LayerNorm.": "embeddings.norm.",
    "transformer.layer.": "blocks.",
    ".attention.q_lin.": ".attention.query.",
    ".attention.k_lin.": ".attention.key.",
    ".attention.v_lin.": ".attention.value.",
    ".attention.out_lin.": ".attention.out.",
    ".sa_layer_norm.": ".attention_norm.",
    ".ffn.lin1.": ".feed_forward.up.",
    ".ffn.lin2.": ".feed_forward.down.",
    ".output_layer_norm.": ".feed_forward_norm.",
    "vocab_transform.": "mlm_head.dense.",
    "vocab_layer_norm.": "mlm_head.norm.",
    "vocab_projector.": "mlm_head.decoder.",
}

register(
    XfmrDistilBertConfig,
    renamings(_DISTILBERT_NAMES),
    AutoModel=XfmrDistilBertModel,
    AutoModelForMaskedLM=XfmrDistilBertForMaskedLM,
    AutoModelForSequenceClassification=XfmrDistilBertForSequenceClassification,
    AutoModelForMultipleChoice=XfmrDistilBertForMultipleChoice,
    AutoModelForTokenClassification=XfmrDistilBertForTokenClassification,
    AutoModelForQuestionAnswering=XfmrDistilBertForQuestionAnswering,
)
