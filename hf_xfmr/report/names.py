"""Metrics by the names that readers know them by, in tables and in pictures."""

from .language import say

NAMES = {
    "f1": "F1",
    "answer_f1": "F1",
    "f1_answerable": "F1 where there is an answer",
    "exact_match_answerable": "exact match where there is an answer",
    "no_answer_right": "told that there is no answer",
    "f1_macro": "macro F1",
    "f1_micro": "micro F1",
    "f1_weighted": "weighted F1",
    "mcc": "Matthews correlation",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
    "r2": "R²",
    "rmse": "root mean squared error",
    "mae": "mean absolute error",
    "mse": "mean squared error",
    "subset_accuracy": "all labels right",
    "roc_auc": "ROC-AUC",
    "bleu": "BLEU",
    "chrf": "chrF",
    "mlm_loss": "masked-word loss",
    "mlm_accuracy": "masked words right",
    "masked": "masked words",
    "nsp_loss": "next-sentence loss",
    "nsp_accuracy": "next sentences right",
}
COUNTS = ("tokens", "masked", "pairs")  # of what the metrics were computed from


def metric_name(key: str) -> str:
    return say(NAMES.get(key, key.replace("_", " ")))


def is_score(key: str, value: object) -> bool:
    """Whether a metric says how good a model is, and not how long something took."""
    timing = ("_runtime", "_per_second", "runtime", "epoch")
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not key.endswith(timing)


_LOWER = ("loss", "perplexity", "mae", "mse", "rmse", "bits_per_byte", "bits_per_character", "hamming_loss")


def is_lower(key: str) -> bool:
    """Whether less of a figure is better."""
    return key.removeprefix("strided_").removeprefix("eval_") in _LOWER or key.endswith("_loss")
