"""What each number may be, of recipes, of Trainer's arguments and of commands: looked at before anything is loaded."""

import difflib
import math
from collections.abc import Container, Iterable, Mapping
from typing import Any

from ..errors import UserError
from ..plain import some

# field: (least, most, in words); a bound that is itself too little or too much is in EXCLUDED
AT_LEAST_1 = (1, None, "at least 1")
AT_LEAST_0 = (0, None, "at least 0")
ABOVE_0 = (0, None, "above 0")
BELOW_1 = (0, 1, "at least 0 and less than 1")
SHARE = (0, 1, "above 0 and at most 1")
SEED = (0, 2**32 - 1, "at least 0 and at most 4,294,967,295")
FINITE = (None, None, "a finite number")
RANGES = {
    **dict.fromkeys(
        (
            *("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "batch_size"),
            *(
                "processes",
                "tokens_per_batch",
                "average_checkpoints",
                "early_stopping_patience",
                "save_total_limit",
                "num_beams",
            ),
            *("eval_accumulation_steps", "torch_empty_cache_steps", "dataloader_prefetch_factor", "ddp_timeout"),
            *("max_train_rows", "max_validation_rows", "max_test_rows", "max_train_documents", "vocab_size"),
            *("max_validation_documents", "task_rows", "task_length", "lora_rank", "lora_alpha", "stride"),
            "rows_per_label",
            *("max_length", "block_size", "model_max_length", "min_frequency", "max_new_tokens", "max_answer_length"),
        ),
        AT_LEAST_1,
    ),
    **dict.fromkeys(
        (
            *("learning_rate", "weight_decay", "max_grad_norm", "warmup_steps", "skip_nonfinite", "sample_every"),
            *("eval_sentences", "eval_delay", "dataloader_num_workers", "neftune_noise_alpha", "top_k"),
        ),
        AT_LEAST_0,
    ),
    **dict.fromkeys(("num_train_epochs", "logging_steps", "eval_steps", "save_steps", "adam_epsilon"), ABOVE_0),
    **dict.fromkeys(("adam_beta1", "adam_beta2", "label_smoothing_factor", "label_smoothing", "lora_dropout"), BELOW_1),
    **dict.fromkeys(("validation_fraction", "test_fraction"), BELOW_1),
    **dict.fromkeys(("layer_decay", "top_p"), SHARE),
    **dict.fromkeys(("seed", "data_seed"), SEED),
    **dict.fromkeys(("temperature", "length_penalty"), FINITE),
}
# Beyond these nothing ends, float32 overflows, nothing is learned, or all rows are held at once: a digit too many.
LARGEST = 10**9  # of any number without a bound of its own
AT_MOST = {
    **dict.fromkeys(("per_device_train_batch_size", "per_device_eval_batch_size", "batch_size", "lora_rank"), 65_536),
    **dict.fromkeys(("num_beams", "dataloader_num_workers", "dataloader_prefetch_factor", "processes"), 1_000),
    **dict.fromkeys(("num_train_epochs", "gradient_accumulation_steps", "max_new_tokens"), 1_000_000),
    **dict.fromkeys(("max_length", "block_size", "vocab_size", "tokens_per_batch"), 100_000_000),
    **dict.fromkeys(("learning_rate", "weight_decay", "length_penalty"), 100),
    **dict.fromkeys(("adam_epsilon", "layer_norm_eps", "layer_norm_epsilon"), 1),
    **dict.fromkeys(("initializer_range", "init_std"), 10),
    **{"max_grad_norm": 1e30, "neftune_noise_alpha": 1000, "temperature": 1000, "average_checkpoints": 10_000},
}
SMALLEST = {"temperature": 1e-3, "adam_epsilon": 1e-30}  # above 0; under it float32 divides by nothing
EXCLUDED = {"above 0": 0, "above 0 and at most 1": 0, "at least 0 and less than 1": 1}
PARTS = {"logging_steps", "eval_steps", "save_steps", "warmup_steps"}  # below 1: a share of the run


def check(**numbers: Any) -> None:
    """Raises `UserError` for a number outside its range in RANGES, NaN and infinity too; one that has none there is
    finite, and at most LARGEST. None is none, and fine."""
    for name, value in numbers.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            _check(name, value, RANGES.get(name, FINITE))


def _check(name: str, value: float, allowed: tuple) -> None:
    least, most, words = allowed
    finite = isinstance(value, int) or math.isfinite(value)  # an int may be beyond what a float holds
    within = finite and (least is None or value >= least) and (most is None or value <= most)
    if not within or (words in EXCLUDED and value == EXCLUDED[words]):
        raise UserError(f"{name} is {_shown(value)}; it must be {words}")
    field = name.split()[-1]
    largest = AT_MOST.get(field, LARGEST)
    if most is None and abs(value) > largest:
        raise UserError(f"{name} is {_shown(value)}; it must be at most {largest:,}")
    if 0 < abs(value) < SMALLEST.get(field, 0):
        raise UserError(f"{name} is {_shown(value)}; it must be at least {SMALLEST[field]:g}")
    if name in PARTS and value > 1 and value != int(value):
        raise UserError(
            f"{name} is {value}; from 1 on it must be a whole number of steps (below 1: a share of the run)"
        )


def _shown(value: float) -> str:
    if isinstance(value, float):
        return str(value)
    return f"{value:,}" if abs(value) < 10**40 else f"a number of {len(str(value)):,} digits"


def check_best(args: Any, names: Iterable[str]) -> None:
    """Raises `UserError` for a metric_for_best_model that is none of the figures that an evaluation gives."""
    asked = "loss" if args.metric_for_best_model is None else args.metric_for_best_model.removeprefix("eval_")
    known = ["loss", *(name for name in names if name != "loss")]
    if asked not in known:
        raise UserError(f"metric_for_best_model is '{asked}'; it can be {some(known)}")


def check_held_out(args: Any, splits: Container[str]) -> None:
    """Raises `UserError` for evaluations of a run that has no validation split."""
    if args.eval_strategy != "no" and "validation" not in splits:
        raise UserError("nothing is held out to evaluate on: give validation_fraction, or set eval_strategy to 'no'")


def check_model_config(values: Mapping[str, Any]) -> None:
    """Raises `UserError` for a field of a model's config that no model can have. What is no number is left to the
    config itself."""
    from transformers.activations import ACT2FN  # heavy

    for name, value in values.items():
        shown = f"model_config: {name}"
        if name in ("hidden_act", "activation_function") and value not in ACT2FN:
            raise UserError(f"{shown} is '{value}'{nearest(str(value), list(ACT2FN))}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if name.endswith("token_id"):
            _check(shown, value, AT_LEAST_0)
        elif "drop" in name or name == "label_smoothing":
            _check(shown, value, BELOW_1)
        elif "eps" in name or name in ("initializer_range", "init_std"):
            _check(shown, value, ABOVE_0)
        elif isinstance(value, int):
            _check(shown, value, AT_LEAST_1)
        elif not math.isfinite(value):
            raise UserError(f"{shown} is {value}; it must be a finite number")


def nearest(name: str, known: list[str]) -> str:
    """The end of a sentence on an unknown name: which was meant, or what there is."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; it can be {some(sorted(known))}"
