"""The end of a run: model, run.json, report and card in its folder, and on the Hub if that is asked for."""

import dataclasses
import json
import platform
import sys
from datetime import datetime
from pathlib import Path

import torch
import transformers

from .. import report
from ..hub import card
from ..hub.client import command_without_token
from ..hub.push import push
from ..machine import processor
from ..processes import once
from ..training import checkpoints, lock, many_processes
from ..training.trainer import XfmrTrainer, XfmrTrainingArguments
from . import adapter, lora, recipes
from .console import say
from .training import precision


def save_and_report(
    trainer: XfmrTrainer,
    settings,
    *,
    model=None,
    tokenizer=None,
    metrics: dict[str, dict],
    seconds: float,
    evaluate=None,
    **record,
) -> Path:
    """Save the model and its tokenizer, write `run.json`, the report and the model card; push, if that is asked for.
    Of a model with LoRA the adapter is saved too, and where `settings` do not ask for a merged model, it alone.
    Returns the run's folder.

    `evaluate` is what the report asks of the task, `record` are further entries of run.json: report/ says more of both.
    """
    folder = Path(str(trainer.args.output_dir))
    model = trainer.accelerator.unwrap_model(trainer.model) if model is None else model
    adapted, merged = lora.is_adapted(model), getattr(settings, "lora_merge", True)
    if adapted:
        once(adapter.save)(model, tokenizer, folder)
        model = model.merge_and_unload() if merged else None
    whole = many_processes.gather(model, trainer) if model is not None else None

    @once
    def save() -> None:
        run = {
            "title": folder.name,
            "recipe": getattr(trainer.args, "recipe", None) or Path(sys.argv[0]).stem,
            "command": getattr(trainer.args, "call", None) or command_without_token(recipes.command()),
            "settings": dataclasses.asdict(settings),
            "arguments": {
                k: v for k, v in trainer.args.to_dict().items() if "token" not in k or k.startswith("include")
            },
            "metrics": metrics,
            "log_history": trainer.state.log_history,
            "environment": environment(trainer.args),
            "seconds": seconds,
            "finished": datetime.now().astimezone().isoformat(timespec="minutes"),
            "checks": getattr(trainer, "checks", None),
            **record,
        }
        with checkpoints.model_folder(folder) as aside:
            if model is not None:
                model.save_pretrained(aside, **({} if whole is None else {"state_dict": whole}))
                if tokenizer is not None:
                    tokenizer.save_pretrained(aside)
            text = json.dumps(report.plain(run), ensure_ascii=False, indent=2, default=str, allow_nan=False)
            (aside / "run.json").write_text(text, encoding="utf-8")
        if model is None:
            adapter.remove_model(folder)
        say(f"report: {report.write(folder, evaluate)}", *([f"model:  {folder}"] if model is not None else []))
        if adapted:
            say(f"adapter: {folder / lora.FOLDER}")
        args = trainer.args
        left = folder / lora.FOLDER if model is None else folder
        for one in {left, folder / lora.FOLDER} if adapted else [left]:
            card.write(one, license=args.hub_license, language=args.hub_language)
        if args.push_to_hub:
            push(
                left,
                args.hub_model_id or folder.absolute().name,
                private=args.hub_private_repo,
                revision=args.hub_revision,
                tag=args.hub_tag,
                license=args.hub_license,
                language=args.hub_language,
            )

    save()
    lock.release(folder)
    return folder


def environment(args: XfmrTrainingArguments) -> dict[str, str]:
    """Versions and device, for the report."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else processor()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "device": device,
        "precision": precision(args).split()[0],
        "processes": str(args.world_size),
    }
