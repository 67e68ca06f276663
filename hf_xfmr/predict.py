"""Classify texts, or find the entities in them, with a fine-tuned model: one JSON line for each, in their order.

Texts are the arguments, or else the lines of standard input. Over-long texts are treated as in training;
a tagger reads them in windows that overlap.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from . import predictions, recipe
from .data import ClassificationCollator, Encoder
from .errors import UserError
from .tagger import Tagger


class Classifier:
    """A fine-tuned sequence classifier and its tokenizer, from one folder or Hub name."""

    def __init__(self, model: str):
        self.tokenizer = recipe.from_pretrained(AutoTokenizer, model)
        self.model = recipe.from_pretrained(AutoModelForSequenceClassification, model).eval()
        self.model.to("cuda" if torch.cuda.is_available() else "cpu")
        config = self.model.config
        self.problem_type = config.problem_type or "single_label_classification"
        self.label_names = [config.id2label[i] for i in range(config.num_labels)]
        self.text_window = getattr(config, "text_window", None) or {
            "max_length": min(config.max_position_embeddings, self.tokenizer.model_max_length)
        }

    @torch.inference_mode()
    def __call__(self, texts: Iterable[str], *, batch_size: int = 64) -> Iterator[dict]:
        """For each text {"label", "probability", "probabilities"}; without "probability" where several labels may
        hold, and {"value"} alone for regression."""
        encode, collate = Encoder(self.tokenizer, **self.text_window), ClassificationCollator(self.tokenizer)
        texts = iter(texts)
        while batch := list(islice(texts, batch_size)):
            columns = encode(batch)
            rows = [{name: columns[name][row] for name in encode.columns} for row in range(len(batch))]
            inputs = {name: tensor.to(self.model.device) for name, tensor in collate(rows).items()}
            yield from self._answers(self.model(**inputs).logits.float().cpu().numpy())

    def _answers(self, logits) -> Iterator[dict]:
        answers = predictions.predicted(logits, self.problem_type, self.label_names)
        if self.problem_type == "regression":
            yield from ({"value": value} for value in answers)
            return
        for label, shares in zip(answers, predictions.probabilities(logits, self.problem_type), strict=True):
            by_name = {name: round(float(p), 6) for name, p in zip(self.label_names, shares, strict=True)}
            one = {"probability": by_name[label]} if self.problem_type == "single_label_classification" else {}
            yield {"label": label, **one, "probabilities": by_name}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a run's folder, or a model on the Hub")
    parser.add_argument("texts", nargs="*", help="texts to classify; none: the lines of standard input")
    parser.add_argument("--batch_size", type=int, default=64, help="texts computed at a time (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    if not arguments.texts and sys.stdin.isatty():
        raise UserError("no texts: give them as arguments, or pipe in a file with one text a line")
    architectures = recipe.from_pretrained(AutoConfig, arguments.model).architectures or [""]
    use = Tagger if architectures[0].endswith("ForTokenClassification") else Classifier
    model = use(arguments.model)
    lines = iter(arguments.texts or (line.rstrip("\n") for line in sys.stdin))
    while texts := list(islice(lines, arguments.batch_size)):
        for text, answer in zip(texts, model(texts, batch_size=arguments.batch_size), strict=True):
            print(json.dumps({"text": text, **answer}, ensure_ascii=False), flush=True)
