"""Dataset -> model columns: where rows come from, how texts become ids, and the batches a model reads."""

from .classification import ClassificationData, ClassificationSettings, classification
from .collate import ClassificationCollator
from .language_modeling import LanguageModelingData, LanguageModelingSettings, language_modeling
from .overlong import Encoder
from .pack import LanguageModelingCollator
from .sources import load_dataset_dict
from .token_batches import TokenBatches, TranslationCollator
from .translation import TranslationData, TranslationSettings, translation

__all__ = [
    "ClassificationCollator",
    "ClassificationData",
    "ClassificationSettings",
    "Encoder",
    "LanguageModelingCollator",
    "LanguageModelingData",
    "LanguageModelingSettings",
    "TokenBatches",
    "TranslationCollator",
    "TranslationData",
    "TranslationSettings",
    "classification",
    "language_modeling",
    "load_dataset_dict",
    "translation",
]
