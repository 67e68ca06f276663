"""The 2017 Transformer, BERT and GPT-2 from shared parts, as Hugging Face models.

Importing this package makes every `AutoModel…` give these classes for folders they saved, and
`pipeline("xfmr-translation")` known.
"""

import transformers

from .models import bert, gpt2, transformer
from .models.bert import (
    XfmrBertConfig,
    XfmrBertForMaskedLM,
    XfmrBertForMultipleChoice,
    XfmrBertForNextSentencePrediction,
    XfmrBertForPreTraining,
    XfmrBertForQuestionAnswering,
    XfmrBertForSequenceClassification,
    XfmrBertForTokenClassification,
    XfmrBertModel,
)
from .models.gpt2 import (
    XfmrGPT2Config,
    XfmrGPT2ForCausalLM,
    XfmrGPT2ForSequenceClassification,
    XfmrGPT2ForTokenClassification,
    XfmrGPT2Model,
)
from .models.transformer import XfmrConfig, XfmrForConditionalGeneration, XfmrModel
from .translator import TranslationPipeline

__version__ = "0.1.0"

__all__ = [
    "TranslationPipeline",
    "XfmrBertConfig",
    "XfmrBertForMaskedLM",
    "XfmrBertForMultipleChoice",
    "XfmrBertForNextSentencePrediction",
    "XfmrBertForPreTraining",
    "XfmrBertForQuestionAnswering",
    "XfmrBertForSequenceClassification",
    "XfmrBertForTokenClassification",
    "XfmrBertModel",
    "XfmrConfig",
    "XfmrForConditionalGeneration",
    "XfmrGPT2Config",
    "XfmrGPT2ForCausalLM",
    "XfmrGPT2ForSequenceClassification",
    "XfmrGPT2ForTokenClassification",
    "XfmrGPT2Model",
    "XfmrModel",
]


def _register(module, config_class) -> None:
    """Enter a model file's classes in transformers' Auto classes."""
    transformers.AutoConfig.register(config_class.model_type, config_class, exist_ok=True)
    for auto_class, path in config_class.auto_classes.items():
        if auto_class != "AutoConfig":
            model_class = getattr(module, path.split(".")[-1])
            getattr(transformers, auto_class).register(config_class, model_class, exist_ok=True)


_register(bert, XfmrBertConfig)
_register(gpt2, XfmrGPT2Config)
_register(transformer, XfmrConfig)
