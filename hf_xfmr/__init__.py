"""The 2017 Transformer, BERT, RoBERTa, DistilBERT and GPT-2 from shared parts, as Hugging Face models.

Importing this package makes every `AutoModel…` give these classes for folders they saved, and
`pipeline("xfmr-translation")` known; like `import transformers` it imports nothing else until it is used. `classify`,
`distill`, `tag`, `answer`, `gpt2`, `pretrain` and `translate` train from Python (see `hf_xfmr.api`).
"""

import importlib
import os
from typing import TYPE_CHECKING

from . import registration

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime reports to its makers from its import on, unasked

if TYPE_CHECKING:
    from .adoption import adopt, release
    from .api import (
        answer,
        classify,
        curve,
        distill,
        gpt2,
        hyperparameter_search,
        load_run,
        pretrain,
        settings,
        tag,
        train_tokenizer,
        translate,
    )
    from .errors import UserError
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
    from .models.distilbert import (
        XfmrDistilBertConfig,
        XfmrDistilBertForMaskedLM,
        XfmrDistilBertForMultipleChoice,
        XfmrDistilBertForQuestionAnswering,
        XfmrDistilBertForSequenceClassification,
        XfmrDistilBertForTokenClassification,
        XfmrDistilBertModel,
    )
    from .models.gpt2 import (
        XfmrGPT2Config,
        XfmrGPT2ForCausalLM,
        XfmrGPT2ForSequenceClassification,
        XfmrGPT2ForTokenClassification,
        XfmrGPT2Model,
    )
    from .models.roberta import (
        XfmrRobertaConfig,
        XfmrRobertaForMaskedLM,
        XfmrRobertaForMultipleChoice,
        XfmrRobertaForQuestionAnswering,
        XfmrRobertaForSequenceClassification,
        XfmrRobertaForTokenClassification,
        XfmrRobertaModel,
    )
    from .models.transformer import XfmrConfig, XfmrForConditionalGeneration, XfmrModel
    from .predict.batches import Predict
    from .tasks.translation.pipeline import TranslationPipeline
    from .training.trainer import XfmrTrainer, XfmrTrainingArguments

__version__ = "0.1.0"

__all__ = [
    "Predict",
    "TranslationPipeline",
    "UserError",
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
    "XfmrDistilBertConfig",
    "XfmrDistilBertForMaskedLM",
    "XfmrDistilBertForMultipleChoice",
    "XfmrDistilBertForQuestionAnswering",
    "XfmrDistilBertForSequenceClassification",
    "XfmrDistilBertForTokenClassification",
    "XfmrDistilBertModel",
    "XfmrForConditionalGeneration",
    "XfmrGPT2Config",
    "XfmrGPT2ForCausalLM",
    "XfmrGPT2ForSequenceClassification",
    "XfmrGPT2ForTokenClassification",
    "XfmrGPT2Model",
    "XfmrModel",
    "XfmrRobertaConfig",
    "XfmrRobertaForMaskedLM",
    "XfmrRobertaForMultipleChoice",
    "XfmrRobertaForQuestionAnswering",
    "XfmrRobertaForSequenceClassification",
    "XfmrRobertaForTokenClassification",
    "XfmrRobertaModel",
    "XfmrTrainer",
    "XfmrTrainingArguments",
    "adopt",
    "answer",
    "classify",
    "curve",
    "distill",
    "gpt2",
    "hyperparameter_search",
    "load_run",
    "pretrain",
    "release",
    "settings",
    "tag",
    "train_tokenizer",
    "translate",
]


_HOMES = {  # of a name's beginning, longest first
    "XfmrBert": "models.bert",
    "XfmrDistilBert": "models.distilbert",
    "XfmrGPT2": "models.gpt2",
    "XfmrRoberta": "models.roberta",
    "XfmrTrain": "training.trainer",
    "Xfmr": "models.transformer",
    "TranslationPipeline": "tasks.translation.pipeline",
    "UserError": "errors",
    "Predict": "predict.batches",
    "adopt": "adoption",
    "release": "adoption",
    "": "api",
}


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next(home for start, home in _HOMES.items() if name.startswith(start))
    return getattr(importlib.import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


registration.register()
