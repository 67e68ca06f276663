"""XfmrSeq2SeqTrainer: XfmrTrainer with batches by a budget of tokens and an evaluation that translates; and the mean of
several checkpoints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from accelerate.data_loader import prepare_data_loader
from accelerate.utils import gather_object
from datasets import Dataset
from safetensors.torch import load_file
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PreTrainedModel
from transformers.integrations import is_deepspeed_zero3_enabled

from ..data import TokenBatches
from ..errors import UserError
from ..tasks.tokenizer_pair import TokenizerPair
from ..tasks.translator import Translator
from . import checkpoints as checkpoint_files
from .many_processes import is_spread
from .trainer import XfmrTrainer, XfmrTrainingArguments


@dataclass
class XfmrSeq2SeqArguments(XfmrTrainingArguments):
    """XfmrTrainer's arguments with the paper's optimizer and schedule (section 5.3), and batches by tokens."""

    tokens_per_batch: int = field(
        default=4096,
        metadata={
            "help": "Most tokens of a batch on either side, padding included, a device and accumulation step (in place "
            "of per_device_train_batch_size)"
        },
    )
    learning_rate: float | None = field(  # type: ignore[assignment]
        default=None,
        metadata={
            "help": "Highest learning rate; none: the paper's, (d_model * warmup_steps)^-0.5 (inverse_sqrt only)"
        },
    )
    lr_scheduler_type: str = field(default="inverse_sqrt", metadata={"help": "How the learning rate changes."})
    warmup_steps: float = field(
        default=4000, metadata={"help": "Steps (below 1: share of the run) to the highest rate."}
    )
    adam_beta2: float = field(default=0.98, metadata={"help": "Beta2 of Adam."})
    adam_epsilon: float = field(default=1e-9, metadata={"help": "Epsilon of Adam."})
    average_checkpoints: int = field(
        default=1, metadata={"help": "End with the mean of the weights of so many last checkpoints (1: no averaging)."}
    )
    eval_sentences: int = field(
        default=200, metadata={"help": "Sentences translated at each evaluation for BLEU and chrF (0: none)."}
    )

    def __post_init__(self):
        if self.average_checkpoints > 1 and self.save_strategy == "no":
            raise UserError("average_checkpoints needs checkpoints: set save_strategy to epoch or steps")
        super().__post_init__()


class XfmrSeq2SeqTrainer(XfmrTrainer):
    """`train_dataset` has a column `length`, by which its batches are made (`TokenBatches`). Each evaluation translates
    the first `eval_sentences` rows, and the figures that `score(translations, references)` gives join its metrics."""

    args: XfmrSeq2SeqArguments

    def __init__(self, *args, tokenizers: TokenizerPair, score: Callable[[list[str], list[str]], dict], **kwargs):
        super().__init__(*args, **kwargs)
        self.tokenizers, self.score = tokenizers, score
        if self.args.average_checkpoints > 1 and (self.is_fsdp_enabled or is_deepspeed_zero3_enabled()):
            raise UserError(
                "average_checkpoints is for models that each process holds whole: leave it out under FSDP and ZeRO-3"
            )

    def get_train_dataloader(self) -> DataLoader:
        args = self.args
        batches = TokenBatches(
            self.train_dataset["length"][:],  # type: ignore[index]
            args.tokens_per_batch,
            seed=args.seed if args.data_seed is None else args.data_seed,
            processes=args.world_size,
            process=args.process_index,
        )
        loader = DataLoader(
            self.train_dataset,  # type: ignore[arg-type]
            batch_sampler=batches,
            collate_fn=self.data_collator,
            num_workers=args.dataloader_num_workers,
            pin_memory=args.dataloader_pin_memory,
            persistent_workers=args.dataloader_persistent_workers,
        )
        # Each process has its own batches already: accelerate is only to put them on the device.
        return prepare_data_loader(loader, args.device, num_processes=1, process_index=0, put_on_device=True)

    # Trainer would gather logits [rows, T, vocabulary] to compute metrics of; here only the loss is gathered.
    def evaluation_loop(
        self, dataloader, description, prediction_loss_only=True, *args, metric_key_prefix: str = "eval", **kwargs
    ):
        output = super().evaluation_loop(
            dataloader, description, True, *args, metric_key_prefix=metric_key_prefix, **kwargs
        )
        if self.args.eval_sentences and metric_key_prefix == "eval":
            rows = dataloader.dataset
            rows = rows.select(range(min(self.args.eval_sentences, len(rows))))
            figures = self.score(self.translations(rows), rows["target"][:])
            output.metrics.update({f"{metric_key_prefix}_{name}": value for name, value in figures.items()})
        return output

    def translations(self, rows: Dataset) -> list[str]:
        """The model's translation of each row's `source`; with several processes, each does a part, or, where none
        holds the whole model, all."""
        model = self.accelerator.unwrap_model(self.model)
        processes, process = (1, 0) if is_spread(model) else (self.args.world_size, self.args.process_index)
        translator = Translator(model, self.tokenizers)
        with self.accelerator.autocast():  # as in `evaluation_loop`
            own = translator(rows["source"][process::processes], batch_size=self.args.per_device_eval_batch_size)
        if processes == 1:
            return own
        parts = gather_object([own])
        return [parts[row % processes][row // processes] for row in range(len(rows))]


def checkpoints(folder: str | Path) -> list[Path]:
    """The checkpoints of the run that last saved in a folder, in the order of their steps; without those that it saved
    only because it was told to stop, so that the mean of the last ones does not depend on that."""
    manifests = checkpoint_files.sealed(folder)
    last = next(reversed(manifests.values()), {"run": None})
    return [path for path, one in manifests.items() if one["run"] == last["run"] and one["scheduled"]]


def average(folders: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of each tensor of several checkpoints, computed in float64, in the tensors' own type."""
    total: dict[str, Tensor] = {}
    kinds: dict[str, torch.dtype] = {}
    for folder in folders:
        for file in sorted(folder.glob("*.safetensors")):
            for name, tensor in load_file(file).items():
                kinds[name] = tensor.dtype
                total[name] = total.get(name, 0) + tensor.double() / len(folders)
    return {name: tensor.to(kinds[name]) for name, tensor in total.items()}


def load_average(model: PreTrainedModel, folders: Sequence[Path]) -> None:
    """Give the model the mean of the checkpoints' weights. Raises `UserError` if one is not as it was saved."""
    for folder in folders:
        try:
            checkpoint_files.check(folder, only=lambda name: name.endswith(".safetensors"))
        except checkpoint_files.Damaged as reason:
            raise UserError(f"the mean of checkpoints can't be taken: {folder} is damaged ({reason})") from None
    lost = model.load_state_dict(average(folders), strict=False)
    tied = set(getattr(model, "all_tied_weights_keys", {}))
    missing = [name for name in lost.missing_keys if name not in tied and not name.endswith("embeddings.position")]
    assert not missing, missing
    assert not lost.unexpected_keys, lost.unexpected_keys
