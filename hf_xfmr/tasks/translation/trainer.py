"""XfmrSeq2SeqTrainer: XfmrTrainer with batches by a budget of tokens and an evaluation that translates."""

from collections.abc import Callable
from dataclasses import dataclass, field

from accelerate.data_loader import prepare_data_loader
from accelerate.utils import gather_object
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers.integrations import is_deepspeed_zero3_enabled

from ...engines.pytorch import Writer
from ...errors import UserError
from ...run.lora import within
from ...training.many_processes import is_spread
from ...training.trainer import XfmrTrainer, XfmrTrainingArguments
from .token_batches import TokenBatches
from .tokenizer_pair import TokenizerPair
from .translator import Translator


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
        model = within(self.accelerator.unwrap_model(self.model))
        processes, process = (1, 0) if is_spread(model) else (self.args.world_size, self.args.process_index)
        translator = Translator(Writer(model), self.tokenizers, str(model.name_or_path) or "the model")
        with self.accelerator.autocast():  # as in `evaluation_loop`
            own = translator(rows["source"][process::processes], batch_size=self.args.per_device_eval_batch_size)
        if processes == 1:
            return own
        parts = gather_object([own])
        return [parts[row % processes][row // processes] for row in range(len(rows))]
