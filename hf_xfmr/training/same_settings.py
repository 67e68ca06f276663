"""Which settings a resumed run may change: recorded in its checkpoints, and compared when it goes on.

A change of any other is refused by its name: half of the training would have been done with the one value and half with
the other, and the record of the run would tell only of the second.
"""

import json
from pathlib import Path
from typing import Any

from transformers import Trainer

from ..errors import UserError
from .data_order import not_the_same
from .pretrained import pretrained_within

# What is shown, saved, pushed or evaluated, and where it is computed: the weights of a step do not depend on it.
MAY_CHANGE = {
    *("output_dir", "do_train", "do_eval", "do_predict", "resume", "resume_from_checkpoint", "weights_only", "seeds"),
    *("report_to", "run_name", "project", "disable_tqdm", "debug", "skip_memory_metrics", "push_to_hub", "use_cpu"),
    *("include_num_input_tokens_seen", "torch_empty_cache_steps", "local_rank", "load_best_model_at_end"),
    *("early_stopping_patience", "skip_nonfinite", "average_checkpoints", "per_device_eval_batch_size"),
    *("eval_strategy", "eval_steps", "eval_delay", "eval_on_start", "eval_accumulation_steps", "prediction_loss_only"),
    *(
        "enable_jit_checkpoint",
        "restore_callback_states_from_checkpoint",
    ),
    # of the recipes
    *("baseline", "stride", "sample_every", "sample_prompt", "strict", "check_only", "lora_merge"),
    *("keep_tokenized", "max_baseline_rows"),
}
MAY_CHANGE_BEGINNINGS = ("hub_", "logging_", "log_", "save_", "ddp_", "trackio_", "dataloader_")
MUST_STAY = {"dataloader_drop_last"}
RECORDED_ELSEWHERE = {  # with the data, or with the machine
    *("seed", "data_seed", "per_device_train_batch_size", "tokens_per_batch", "gradient_accumulation_steps"),
}
WITHOUT_END = ("constant", "constant_with_warmup", "inverse_sqrt")  # learning rates that do not know when a run ends
OF_THE_FILE = (
    *("transformers_version", "_name_or_path", "auto_map", "architectures", "dtype"),
    *("calibration_temperature", "decision_thresholds", "decision_costs", "no_answer_threshold"),
)
# Fields of a config that weights do not depend on: a new run from the weights may have others.
OF_TRAINING = ("drop", "smoothing", "class_weights", "initializer", "init_std", "use_cache", "gradient", "text_window")


def describe(trainer: Trainer) -> dict[str, Any]:
    """The settings of a run, as they stand in its checkpoints' manifests."""
    args: Any = trainer.args
    base = pretrained_within(trainer.model)  # type: ignore[arg-type]
    config = base.config.to_dict() if base is not None else {}
    arguments = {
        name: value for name, value in args.to_dict().items() if "token" not in name or name.startswith("aver")
    }
    if getattr(args, "bf16_chosen_here", False):
        arguments["bf16"] = "chosen by the machine"
    if isinstance(where := arguments.get("deepspeed"), str):  # a file: what it says, wherever it lies
        arguments["deepspeed"] = json.loads(Path(where).read_text(encoding="utf-8"))
    arguments["sharding"] = "deepspeed" if trainer.is_deepspeed_enabled else "fsdp" * trainer.is_fsdp_enabled
    facts = {
        "recipe": getattr(args, "recipe_settings", None) or {},
        "arguments": {name: value for name, value in arguments.items() if not _may_change(name)},
        "config": {name: value for name, value in config.items() if name not in OF_THE_FILE},
    }
    return json.loads(json.dumps(facts, default=str, sort_keys=True), parse_constant=str)


def _may_change(name: str) -> bool:
    if name in MAY_CHANGE | RECORDED_ELSEWHERE:
        return True
    return name.startswith(MAY_CHANGE_BEGINNINGS) and name not in MUST_STAY


def compare(before: dict, now: dict, checkpoint: Path) -> None:
    """Raises `UserError` for the first setting that a run described by `now` can't have changed."""
    told, tells = before["settings"], now["settings"]
    arguments = told["arguments"]
    endless = arguments.get("lr_scheduler_type") in WITHOUT_END and not 0 < arguments.get("warmup_steps", 0) < 1
    same_rows = now.get("all_rows") is not None and before.get("all_rows") == now.get("all_rows")
    for part in ("recipe", "arguments", "config"):
        for name, (old, new) in _changes(told[part], tells[part]).items():
            may = name in MAY_CHANGE or (name in ("max_steps", "num_train_epochs") and endless)
            if may or (name == "dataset" and same_rows):  # it was moved
                continue
            raise not_the_same(checkpoint, name, old, new)


def compare_weights(before: dict, now: dict, checkpoint: Path) -> None:
    """Raises `UserError` for a model that the checkpoint's weights are not of."""
    for name, (old, new) in _changes(before["settings"]["config"], now["settings"]["config"]).items():
        if not any(word in name for word in OF_TRAINING):
            raise UserError(
                f"{checkpoint} can't lend its weights: {name} of its model was {old} and is now {new}; go back to what "
                "it was, or add --resume false to train from the beginning"
            )


def _changes(before: dict, now: dict, within: str = "") -> dict[str, tuple[Any, Any]]:
    """What differs, by name; `name.field` in a mapping. What only one of the two has differs from null, its default."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in sorted({**before, **now}, key=lambda name: (name == "greater_is_better", name)):  # it follows another
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found |= _changes(old, new, f"{within}{key}.")
        elif old != new:
            found[f"{within}{key}"] = (old, new)
    return found
