"""Metrics by the names that readers know them by, in tables and in pictures."""

NAMES = {
    "f1": "F1",
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
    return NAMES.get(key, key.replace("_", " "))


_LOWER = ("loss", "perplexity", "mae", "mse", "rmse", "bits_per_byte", "bits_per_character", "hamming_loss")


def is_lower(key: str) -> bool:
    """Whether less of a figure is better."""
    return key.removeprefix("strided_").removeprefix("eval_") in _LOWER or key.endswith("_loss")
