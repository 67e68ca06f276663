"""Pushes while a training runs: each save's model as a dual repository, and its checkpoint to go on from."""

import json
import os
import re
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import HubStrategy
from transformers.utils import PushInProgress

from ..errors import UserError
from ..report.language import check as check_language
from .client import FAILURES, patiently, reason
from .dual import link, stage
from .upload import prepare, upload

LAST = "last-checkpoint"  # where hub_strategy=checkpoint keeps the newest one, as in Trainer
BEST = "best-checkpoint"  # and beside it the best one, if that is another


@dataclass
class HubArguments(TrainingArguments):
    """Trainer's arguments and four for hub and pages. A token given here is moved to HF_TOKEN, so that no record
    of the arguments holds it."""

    hub_tag: str | None = field(default=None, metadata={"help": "Tag the final push with this name, v1.0 for example."})
    hub_license: str | None = field(default=None, metadata={"help": "The model's licence, for its card: apache-2.0."})
    language: str = field(default="en", metadata={"help": "Language of the report and the model card: en or zh."})
    hub_language: str | None = field(default=None, metadata={"help": "The texts' language, for its card: en, zh."})

    def __post_init__(self):
        check_language(self.language)
        if self.hub_token:
            os.environ["HF_TOKEN"], self.hub_token = self.hub_token, None
        super().__post_init__()


class PushesToHub(Trainer):
    """Trainer whose pushes during training are whole: a save's files are linked aside first, so that deleting the
    checkpoint does not break its upload; model and checkpoint are one commit; and a push that fails is told of."""

    hub_model_id: Any
    push_in_progress: Any

    def init_hf_repo(self, token: str | None = None, private: bool | None = None) -> None:
        if not self.is_world_process_zero():
            return
        api = HfApi(token=token)
        name = self.args.hub_model_id or Path(str(self.args.output_dir)).absolute().name
        private = self.args.hub_private_repo if private is None else private
        try:
            url = patiently(lambda: api.create_repo(name, private=private, exist_ok=True))
            prepare(api, url.repo_id, private=private, revision=self.args.hub_revision)
        except FAILURES as error:
            raise UserError(f"{name} can't be made on the Hub: {reason(error, api)}") from None
        self.hub_model_id = url.repo_id
        self.push_in_progress = None
        for folder in Path(str(self.args.output_dir)).glob(".push-*"):  # of a run that was killed
            shutil.rmtree(folder, ignore_errors=True)

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        strategy = HubStrategy(self.args.hub_strategy)
        if not self.is_world_process_zero() or strategy == HubStrategy.END:
            return
        is_model = (Path(checkpoint_folder) / "config.json").exists()  # and not an adapter, or a head, alone
        if not is_model and strategy not in (HubStrategy.CHECKPOINT, HubStrategy.ALL_CHECKPOINTS):
            return
        if self.push_in_progress is not None and not self.push_in_progress.is_done():
            if not self.args.hub_always_push:
                return
            self.push_in_progress.wait_until_done()
        self._tell_of_failure()
        self.callback_handler.on_push_begin(self.args, self.state, self.control)
        step = self.state.global_step
        aside = Path(tempfile.mkdtemp(prefix=".push-", dir=self.args.output_dir))
        if is_model:
            stage(Path(checkpoint_folder), aside)
        replace = self._stage_checkpoints(Path(checkpoint_folder), aside, strategy)
        job = HfApi().run_as_future(self._send, aside, f"Training in progress, step {step}", replace)
        self.push_in_progress = PushInProgress([job])  # type: ignore[arg-type]

    def _stage_checkpoints(self, checkpoint: Path, aside: Path, strategy: HubStrategy) -> list[str]:
        """Lays out what to resume from. Returns the folders of the repository that shall hold nothing else."""
        if strategy == HubStrategy.ALL_CHECKPOINTS:
            _link_all(checkpoint, aside / f"checkpoint-{self.state.global_step}")
        elif strategy == HubStrategy.CHECKPOINT:
            _link_all(checkpoint, aside / LAST)
            best = checkpoint.with_name(f"checkpoint-{self.state.best_global_step}")
            if best != checkpoint and best.is_dir():  # load_best_model_at_end needs it
                _link_all(best, aside / BEST)
            return [LAST, BEST]
        return []

    def _send(self, aside: Path, message: str, replace: list[str]) -> None:
        try:
            revision = self.args.hub_revision
            upload(HfApi(), self.hub_model_id, aside, message=message, revision=revision, replace=replace)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _finish_current_push(self) -> None:
        super()._finish_current_push()
        if hasattr(self, "push_in_progress"):
            self._tell_of_failure()

    def _tell_of_failure(self) -> None:
        for job in self.push_in_progress.jobs if self.push_in_progress is not None else []:
            if (error := job.exception()) is not None:
                print(f"a push during training failed, which goes on: {reason(error, HfApi())}", flush=True)
        self.push_in_progress = None


def _link_all(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            link(path, target / path.relative_to(source))


def fetch_checkpoint(name: str, output_dir: str | Path) -> str:
    """A folder to resume from: `name` itself if it is one, else downloaded into `output_dir` as `checkpoint-STEP`.

    `name` is OWNER/NAME, whose `last-checkpoint` is meant, or OWNER/NAME/checkpoint-STEP; then perhaps @REVISION. The
    best checkpoint of that time comes along. Raises `UserError` if there is none.
    """
    match = re.fullmatch(r"(?P<repo>[\w.-]+/[\w.-]+)(/(?P<folder>[\w.-]+))?(@(?P<revision>.+))?", name)
    if Path(name).is_dir() or match is None:
        return name
    folder = match["folder"] or LAST
    fetched = _fetch(match["repo"], match["revision"], folder, Path(output_dir))
    if fetched is None:
        raise UserError(
            f"{match['repo']} holds no {folder}: resume from one that was pushed with hub_strategy checkpoint or "
            "all_checkpoints"
        )
    path, best = fetched
    if best and not path.with_name(best).is_dir():
        _fetch(match["repo"], match["revision"], BEST if folder == LAST else best, Path(output_dir))
    return str(path)


def _fetch(repo_id: str, revision: str | None, folder: str, output_dir: Path) -> tuple[Path, str | None] | None:
    """The checkpoint under the name of its step, and the name of the best one; None if the hub has it not."""
    api = HfApi()
    try:
        cache = patiently(lambda: api.snapshot_download(repo_id, revision=revision, allow_patterns=f"{folder}/*"))
    except FAILURES as error:
        raise UserError(f"{repo_id} can't be had from the Hub to resume from: {reason(error, api)}") from None
    source = Path(cache) / folder
    if not source.is_dir():
        return None
    state = json.loads((source / "trainer_state.json").read_text(encoding="utf-8"))
    target = output_dir / f"checkpoint-{state['global_step']}"
    if not target.is_dir():
        aside = Path(tempfile.mkdtemp(prefix=".fetch-", dir=output_dir))
        shutil.copytree(source, aside / target.name)
        with suppress(OSError):  # another process of this run was first
            (aside / target.name).rename(target)
        shutil.rmtree(aside)
    best = state.get("best_global_step")
    return target, f"checkpoint-{best}" if best else None
