"""What is asked of pre-training from outside."""

from collections.abc import Sequence
from pathlib import Path

from ...errors import UserError
from ..task import Task


class Pretraining(Task):
    name = "pre-training"
    heads = ("ForPreTraining", "ForMaskedLM")
    command, recipe = "fill", "pretrain_bert"

    def refuse_to_compare(self, folders: Sequence[Path], runs: Sequence[dict]) -> None:
        if any("mlm_loss" in figures for run in runs for figures in (run.get("metrics") or {}).values()):
            a, b = folders
            raise UserError(
                f"{a} and {b}: a pre-training run guesses words that it masked by itself, so that two have no rows in "
                "common: fine-tune from both of them on one task, and compare those runs"
            )


TASK = Pretraining()
