"""Metrics by the names that readers know them by, in tables and in pictures."""

NAMES = {
    "f1": "F1",
    "f1_macro": "macro F1",
    "f1_micro": "micro F1",
    "f1_weighted": "weighted F1",
    "mcc": "Matthews correlation",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
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
