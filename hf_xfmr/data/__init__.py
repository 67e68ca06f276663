"""Dataset -> model columns: where rows come from, how texts become ids, and the batches a model reads."""

from .classification import ClassificationData, ClassificationSettings, classification
from .collate import ClassificationCollator
from .overlong import Encoder
from .sources import load_dataset_dict
from .token_batches import TokenBatches, TranslationCollator
from .translation import TranslationData, TranslationSettings, translation

__all__ = [
    "ClassificationCollator",
    "ClassificationData",
    "ClassificationSettings",
    "Encoder",
    "TokenBatches",
    "TranslationCollator",
    "TranslationData",
    "TranslationSettings",
    "classification",
    "load_dataset_dict",
    "translation",
]
