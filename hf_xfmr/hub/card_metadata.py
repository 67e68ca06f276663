"""What the Hub shows of a model card: its metadata, the YAML at its head."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from ..samples.catalogue import SAMPLES, Checkpoint
from . import dual

UNKNOWN = "unknown"  # the Hub's own word for a licence that nobody names
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
TASKS = {
    "AutoModelForSequenceClassification": ("text-classification", "Text classification"),
    "AutoModelForTokenClassification": ("token-classification", "Token classification"),
    "AutoModelForQuestionAnswering": ("question-answering", "Question answering"),
    "AutoModelForMultipleChoice": ("multiple-choice", "Multiple choice"),
    "AutoModelForMaskedLM": ("fill-mask", "Masked language modelling"),
    "AutoModelForPreTraining": ("fill-mask", "Masked language modelling"),
    "AutoModelForNextSentencePrediction": ("text-classification", "Next sentence prediction"),
    "AutoModelForCausalLM": ("text-generation", "Language modelling"),
    "AutoModelForSeq2SeqLM": ("translation", "Translation"),
    "AutoModel": ("feature-extraction", "Feature extraction"),
}
_METRICS = {  # ours -> the Hub's name
    **{name: name for name in ("accuracy", "bleu", "chrf", "mae", "mse", "rmse", "perplexity", "loss", "roc_auc")},
    **{"f1_macro": "f1", "f1_micro": "f1", "f1_weighted": "f1", "f1": "f1", "mcc": "matthews_correlation"},
    **{"precision": "precision", "recall": "recall", "r2": "r_squared", "mlm_accuracy": "accuracy"},
    **{"pearson": "pearsonr", "spearman": "spearmanr", "subset_accuracy": "exact_match", "exact_match": "exact_match"},
}


def metadata(
    folder: Path,
    kind: dual.Kind,
    settings: Mapping[str, Any],
    scores: Mapping[str, Mapping],
    *,
    split: str,
    license: str | None,
    language: str | None,
    texts: Iterable[str],
) -> ModelCardData:
    """The metadata of a run's folder. `scores` are name to {"value"}, on rows of `split`; without `language`, that of
    the settings, or of the script of `texts`."""
    dataset, base = called(settings.get("dataset")), settings.get("model")
    tag, task = TASKS[kind.auto_class]
    results = [
        EvalResult(
            task_type=tag,
            task_name=task,
            dataset_type=dataset,
            dataset_name=dataset,
            dataset_split=split,
            metric_type=_METRICS[name],
            metric_name=name,
            metric_value=round(score["value"], 6),
        )
        for name, score in scores.items()
        if dataset and name in _METRICS
    ]
    return ModelCardData(
        language=language or _languages(settings) or by_script(texts),
        license=license or UNKNOWN,
        library_name="transformers",
        pipeline_tag=tag,
        tags=["hf_xfmr", kind.stock_model_type],
        base_model=base_model(base),
        datasets=[settings["dataset"]] if on_hub(settings.get("dataset")) else None,
        metrics=list(dict.fromkeys(_METRICS[name] for name in scores if name in _METRICS)) or None,
        model_name=folder.resolve().name,
        eval_results=results or None,
    )


def called(source: Any) -> str:
    """A data set's name, without the folders that it lies in here."""
    return source if on_hub(source) else Path(str(source).removeprefix("sample:")).stem if source else ""


def on_hub(name: Any) -> bool:
    return isinstance(name, str) and bool(_HUB_NAME.fullmatch(name)) and not Path(name).exists() and "/" in name


def base_model(model: Any) -> str | None:
    """The checkpoint's name on the Hub; a sample has one there too."""
    sample = SAMPLES.get(str(model).removeprefix("sample:")) if str(model).startswith("sample:") else None
    if isinstance(sample, Checkpoint):
        name = "/".join(sample.homepage.rstrip("/").split("/")[-2:])
        return name if _HUB_NAME.fullmatch(name) else None
    return model if on_hub(model) else None


def _languages(settings: Mapping) -> list[str] | None:
    codes = [settings.get("source_lang"), settings.get("target_lang")]
    known = [code for code in codes if isinstance(code, str) and re.fullmatch("[a-z]{2,3}", code)]
    return known or None


def by_script(texts: Iterable[str]) -> str | None:
    """A language that its script tells: Chinese, Japanese or Korean. Of Latin letters nothing follows: None."""
    letters = [one for text in texts for one in text[:2000] if one.isalpha()][:20_000]
    names = [unicodedata.name(one, "").split(" ")[0] for one in letters]
    share = {name: names.count(name) / max(len(names), 1) for name in ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")}
    if share["HANGUL"] > 0.5:
        return "ko"
    if share["HIRAGANA"] + share["KATAKANA"] > 0.1:
        return "ja"
    return "zh" if share["CJK"] > 0.5 else None
