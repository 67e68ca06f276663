"""RoBERTa (Liu et al., 2019), and XLM-RoBERTa and CamemBERT, which are it on other texts: BERT's encoder, trained
longer and without next sentences. What differs is all that is here: where positions begin, and two heads."""

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

from .bert import (
    ENCODER_NAMES,
    Block,
    XfmrBertConfig,
    XfmrBertForMaskedLM,
    XfmrBertForMultipleChoice,
    XfmrBertForQuestionAnswering,
    XfmrBertForSequenceClassification,
    XfmrBertForTokenClassification,
    XfmrBertModel,
    XfmrBertPreTrainedModel,
    first_token,
    head_dropout,
)
from .bert import Embeddings as BertEmbeddings
from .bert import MaskedLMHead as BertMaskedLMHead
from .blocks import activation
from .dropout import Dropout
from .packing import positions
from .stock import register, renamings


@strict
class XfmrRobertaConfig(XfmrBertConfig):
    """Fields are named as in `transformers.RobertaConfig`, so the `config.json` of any RoBERTa, XLM-RoBERTa or
    CamemBERT on the Hub loads unchanged. `stock_model_type` says which of the three a checkpoint is to stock, and is
    kept for the way back; `class_weights` as in `XfmrBertConfig`.
    """

    model_type = "xfmr_roberta"
    stock_kinds = ("xlm-roberta", "camembert")

    stock_model_type: str = "roberta"
    vocab_size: int = 50265
    pad_token_id: int | None = 1
    bos_token_id: int | None = 0
    eos_token_id: int | list[int] | None = 2

    def __post_init__(self, **kwargs):
        super().__post_init__(**kwargs)
        if self.pad_token_id is None:
            raise ValueError("pad_token_id is not given, and a RoBERTa counts its positions from it: it is 1 in most")

    @property
    def first_position(self) -> int:
        padding: int = self.pad_token_id
        return padding + 1


class Embeddings(BertEmbeddings):
    """As BERT's, but that positions are numbered on from padding's: a table of 514 rows for texts of 512 tokens. Of
    segments most have one, which is a constant vector."""

    def __init__(self, config: XfmrRobertaConfig):
        super().__init__(config)
        self.padding: int = config.pad_token_id
        self.first = self.padding + 1
        self.position = nn.Embedding(config.max_position_embeddings, config.hidden_size, padding_idx=self.padding)

    def places(self, given: Tensor, rows: Tensor | None, past: int = 0) -> Tensor:
        """As stock's: of ids that are padding's by their number, not by a mask, none counts, so that padding on the
        left moves no word."""
        if given.is_floating_point() or rows is not None:
            return positions(given, rows, past) + self.first
        real = given != self.padding
        return (real.cumsum(1) + past) * real + self.padding


class XfmrRobertaPreTrainedModel(XfmrBertPreTrainedModel):
    config: XfmrRobertaConfig
    base_model_prefix = "roberta"
    heads = ("pooler", "mlm_head", "classifier", "qa_outputs")


class XfmrRobertaModel(XfmrRobertaPreTrainedModel):
    """The encoder, as `XfmrBertModel`. position_ids begin at `config.first_position`; a row in which they begin there
    again holds several sequences."""

    def __init__(self, config: XfmrRobertaConfig, add_pooling_layer: bool = True):
        super().__init__(config)
        self.embeddings = Embeddings(config)
        self.blocks = nn.ModuleList(Block(config, i) for i in range(config.num_hidden_layers))
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size) if add_pooling_layer else None
        self.post_init()

    forward = XfmrBertModel.forward


class MaskedLMHead(BertMaskedLMHead):
    """As BERT's, with GELU whatever `hidden_act` is."""

    def __init__(self, config: XfmrRobertaConfig):
        super().__init__(config)
        self.act = activation("gelu")


class XfmrRobertaForMaskedLM(XfmrRobertaPreTrainedModel):
    """Fills in masked words."""

    _tied_weights_keys = {
        "mlm_head.decoder.weight": "roberta.embeddings.word.weight",
        "mlm_head.decoder.bias": "mlm_head.bias",
    }

    def __init__(self, config: XfmrRobertaConfig):
        super().__init__(config)
        self.roberta = XfmrRobertaModel(config, add_pooling_layer=False)
        self.mlm_head = MaskedLMHead(config)
        self.post_init()

    get_output_embeddings = XfmrBertForMaskedLM.get_output_embeddings
    set_output_embeddings = XfmrBertForMaskedLM.set_output_embeddings
    forward = XfmrBertForMaskedLM.forward


class ClassificationHead(nn.Module):
    """Two layers on the vector of <s>, in the place of BERT's pooler and one: (B, E) to (B, num_labels)."""

    def __init__(self, config: XfmrRobertaConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = head_dropout(config)
        self.out_proj = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_proj(self.dropout(torch.tanh(self.dense(self.dropout(x)))))


class XfmrRobertaForSequenceClassification(XfmrRobertaPreTrainedModel):
    """Labels, or a number, for a text or a pair, read at <s>."""

    def __init__(self, config: XfmrRobertaConfig):
        super().__init__(config)
        self.roberta = XfmrRobertaModel(config, add_pooling_layer=False)
        self.classifier = ClassificationHead(config)
        self.post_init()

    forward = XfmrBertForSequenceClassification.forward
    scores = XfmrBertForSequenceClassification.scores

    def features(self, out: BaseModelOutputWithPooling, attention_mask: Tensor | None) -> Tensor:
        """What the layers that classify read of a text, (B, E)."""
        return first_token(out.last_hidden_state, attention_mask)

    def head(self, x: Tensor) -> Tensor:
        return self.classifier(x)


class XfmrRobertaForMultipleChoice(XfmrRobertaPreTrainedModel):
    """One score for each way a text may continue, from the pooler, as in BERT."""

    def __init__(self, config: XfmrRobertaConfig):
        super().__init__(config)
        self.roberta = XfmrRobertaModel(config)
        self.dropout, self.classifier = Dropout(config.hidden_dropout_prob), nn.Linear(config.hidden_size, 1)
        self.post_init()

    forward = XfmrBertForMultipleChoice.forward
    scores, features, head = (getattr(XfmrBertForMultipleChoice, name) for name in ("scores", "features", "head"))


class XfmrRobertaForTokenClassification(XfmrRobertaPreTrainedModel):
    """A label for each token, as in BERT."""

    def __init__(self, config: XfmrRobertaConfig):
        super().__init__(config)
        self.roberta = XfmrRobertaModel(config, add_pooling_layer=False)
        self.dropout, self.classifier = head_dropout(config), nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    forward = XfmrBertForTokenClassification.forward


class XfmrRobertaForQuestionAnswering(XfmrRobertaPreTrainedModel):
    """Where an answer starts and ends, as in BERT."""

    def __init__(self, config: XfmrRobertaConfig):
        super().__init__(config)
        self.roberta = XfmrRobertaModel(config, add_pooling_layer=False)
        self.qa_outputs = nn.Linear(config.hidden_size, 2)
        self.post_init()

    forward = XfmrBertForQuestionAnswering.forward
    scores = XfmrBertForQuestionAnswering.scores


_HEAD_NAMES = {
    "(?<![a-z])lm_head.dense.": "mlm_head.dense.",
    "(?<![a-z])lm_head.layer_norm.": "mlm_head.norm.",
    "(?<![a-z])lm_head.decoder.": "mlm_head.decoder.",
    "(?<![a-z])lm_head.bias": "mlm_head.bias",
}

register(
    XfmrRobertaConfig,
    renamings(ENCODER_NAMES | _HEAD_NAMES),
    AutoModel=XfmrRobertaModel,
    AutoModelForMaskedLM=XfmrRobertaForMaskedLM,
    AutoModelForSequenceClassification=XfmrRobertaForSequenceClassification,
    AutoModelForMultipleChoice=XfmrRobertaForMultipleChoice,
    AutoModelForTokenClassification=XfmrRobertaForTokenClassification,
    AutoModelForQuestionAnswering=XfmrRobertaForQuestionAnswering,
)
