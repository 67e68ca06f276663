"""XfmrTrainer: what transformers' Trainer leaves open, a file a subject."""

from .trainer import XfmrTrainer, XfmrTrainingArguments, fast_bf16

__all__ = ["XfmrTrainer", "XfmrTrainingArguments", "fast_bf16"]
