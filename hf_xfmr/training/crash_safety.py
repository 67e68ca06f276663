"""CrashSafety: a Trainer whose checkpoints are whole or not there, and which resumes from none that is not."""

import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from accelerate.utils import broadcast_object_list, gather_object
from transformers import EarlyStoppingCallback, TrainerCallback
from transformers.integrations import TensorBoardCallback

from .. import machine
from ..errors import UserError
from ..plain import printable_lines
from ..writing import telling
from . import checkpoints, data_order, lock, log_goes_on, same_settings
from .checkpoints import Damaged
from .interrupts import Interrupted, Interrupts
from .states import FittingStates, check_fits, check_states, numbers_again, write_state

STATE = "trainer_state.json"


class CrashSafety(FittingStates):
    """See `hf_xfmr.training.checkpoints` for how checkpoints are written and found.

    `train(resume_from_checkpoint=True)` goes on from the newest checkpoint that holds, or begins where there is none.
    SIGTERM and SIGINT save after the step under way and exit with 128 + the signal's number. A resumed run ends with
    the bits of an undisturbed one on as many processes and threads, on the same processor and versions; `train` says
    so where these are others than those of the checkpoint.
    """

    args: Any  # XfmrTrainingArguments
    held_out: Mapping[str, Any] = {}  # rows by split that the run ends with figures of, to be the same when it goes on
    _share: Any  # of ManyProcesses
    _streamed_before: Any

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._run = uuid.uuid4().hex  # the same in all checkpoints of a run and of those that went on with it
        self._aside: Path | None = None  # where a checkpoint is being written
        self._scheduled = True  # whether the next checkpoint would have come without a signal too
        self._interrupts = Interrupts()
        self._seconds_before, self._began = 0.0, time.perf_counter()
        self._facts: dict = {}
        self._machine: dict = {}
        self._log: dict | None = None  # what a checkpoint holds of the log's next entry
        self._pushed_later: str | None = None
        self.add_callback(_SaveInTime(self))

    @property
    def seconds(self) -> float:
        """How long this run has trained, before it was resumed too."""
        return self._seconds_before + time.perf_counter() - self._began

    def last_good_checkpoint(self) -> Path | None:
        """The newest checkpoint in `output_dir` with a manifest."""
        return next(reversed(checkpoints.sealed(self._folder)), None)

    @property
    def _folder(self) -> Path:
        return Path(str(self.args.output_dir))

    def _on_main(self, do: Callable[[], Any]) -> Any:
        """What `do` gives on the main process, to all; its `UserError` is raised by all."""
        result: list = [None, None]
        if self.is_world_process_zero():
            try:
                result[0] = do()
            except UserError as error:
                if self.args.world_size == 1:
                    raise
                result[1] = str(error)
        if self.args.world_size > 1:
            broadcast_object_list(result)
        if result[1] is not None:
            raise UserError(result[1])
        return result[0]

    def _say(self, line: str) -> None:
        if self.is_world_process_zero():
            print(printable_lines(line), flush=True)

    # Resuming

    def train(self, resume_from_checkpoint=None, trial=None, ignore_keys_for_eval=None):
        locked = self._on_main(lambda: lock.acquire(self._folder))
        try:
            self._on_main(lambda: checkpoints.clean(self._folder))
            self._facts = data_order.describe(self) | {"weights_only": bool(self.args.weights_only)}
            self._facts["settings"] = same_settings.describe(self)
            self._machine = machine.describe(self.args.device)
            source, self._log, self._streamed_before = None, None, None
            if chosen := self._on_main(lambda: self._choose(resume_from_checkpoint)):
                source, manifest = chosen
                if self.args.weights_only and not manifest["data"]["weights_only"]:
                    self._take_weights(source)
                    source = None
                else:
                    self._say(f"resumed from {source}, step {manifest['step']:,}")
                    if line := machine.change(manifest["machine"], self._machine):
                        self._say(line)
                    self._seconds_before, self._run = manifest["seconds"], manifest["run"]
                    self._log = manifest["log"]
                    if streamed := manifest.get("streamed"):
                        self._streamed_before = streamed["rows"], streamed["hash"], str(source)
            evaluates, self.args.eval_on_start = self.args.eval_on_start, self.args.eval_on_start and source is None
            self._began = time.perf_counter()
            with Interrupts() as self._interrupts:
                try:
                    return super().train(source and str(source), trial, ignore_keys_for_eval)
                except BaseException:
                    self._close_displays()
                    raise
                finally:
                    self.args.eval_on_start = evaluates
        finally:
            if locked:
                lock.release(self._folder)

    def _choose(self, asked: str | bool | None) -> tuple[Path, dict] | None:
        """The checkpoint to go on from and its manifest. Raises `UserError` if there are some, but none holds."""
        if not asked:
            return None
        given = [Path(asked)] if isinstance(asked, str) else []
        skipped: list[str] = []
        for path in given or reversed(checkpoints.found(self._folder)):
            try:
                manifest = self._check(path)
            except Damaged as reason:
                skipped.append(f"{path} ({reason})")
                continue
            if not self.args.weights_only or manifest["data"]["weights_only"]:
                data_order.compare(manifest["data"], self._facts, path)
                same_settings.compare(manifest["data"], self._facts, path)
                try:
                    self._check_fits(path)
                except Damaged as reason:
                    skipped.append(f"{path} ({reason})")
                    continue
            else:
                same_settings.compare_weights(manifest["data"], self._facts, path)
            for line in skipped:
                self._say(f"skipped {line}")
            return path, manifest
        if skipped:
            raise UserError(
                f"no checkpoint can be resumed from: {'; '.join(skipped)}; add --weights_only to begin a new run from "
                "the newest weights that are whole, or --resume false to train from the beginning"
            )
        return None

    def _check(self, path: Path) -> dict:
        """The manifest of a checkpoint that holds all a resumed run reads. Raises `Damaged`."""
        if self.args.weights_only and not checkpoints.read(path)["data"]["weights_only"]:
            return checkpoints.check(path, only=lambda name: name.endswith(checkpoints.WEIGHTS))
        manifest = checkpoints.check(path)
        if f"checkpoint-{manifest['step']}" != path.name:
            raise Damaged(f"it is that of step {manifest['step']}")
        processes = manifest["data"]["processes"]
        rng = "rng_state.pth" if processes == 1 else f"rng_state_{processes - 1}.pth"
        wanted = {"the trainer's state": STATE, "the scheduler": "scheduler", "random numbers": rng}
        if not self.is_deepspeed_enabled:
            wanted["the optimizer"] = "optimizer"
        else:
            del wanted["the scheduler"]
        for what, name in wanted.items():
            if not any(file.startswith(name) for file in manifest["files"]):
                raise Damaged(f"it was saved without {what}")
        check_states(path, STATE, manifest["step"])
        best = manifest["best"]
        if self.args.load_best_model_at_end and best and best != path.name:
            try:
                checkpoints.check(path.parent / best)
            except Damaged as reason:
                raise Damaged(f"the best checkpoint of that time, {best}, is damaged: {reason}") from None
        return manifest

    def _check_fits(self, path: Path) -> None:
        """Raises `Damaged` for an optimizer's state that this run's optimizer can't take."""
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:  # of which each process has a part, in files of their own
            return
        given = self.optimizer
        try:
            check_fits(path, cast(torch.optim.Optimizer, self.create_optimizer()))
        finally:
            self.optimizer = given  # Trainer makes its own later

    def _take_weights(self, path: Path) -> None:
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            raise UserError(f"weights_only can't be used with sharded training: give {path} as --model in its place")
        self._load_from_checkpoint(str(path))
        self._say(f"weights of {path}; optimizer, learning rate, data and steps begin anew, as --weights_only asks")

    def _init_training_state(self, max_steps, num_update_steps_per_epoch, num_train_epochs, *args, **kwargs):
        begun = super()._init_training_state(max_steps, num_update_steps_per_epoch, num_train_epochs, *args, **kwargs)
        state = numbers_again(self.state)
        state.compute_steps(self.args, max_steps)  # of this run: Trainer takes those of the checkpoint
        best = self._folder / f"checkpoint-{state.best_global_step}"
        if state.best_global_step and self._is_own(best):  # the folder may have been moved since
            state.best_model_checkpoint = str(best)
        stopper = next((one for one in self.callback_handler.callbacks if isinstance(one, EarlyStoppingCallback)), None)
        stopped, callbacks = False, cast(dict, state.stateful_callbacks)
        if stopper is not None and (saved := callbacks.get("EarlyStoppingCallback", {}).get("attributes")):
            stopper.early_stopping_patience_counter = saved["early_stopping_patience_counter"]
            stopped = stopper.early_stopping_patience_counter >= stopper.early_stopping_patience
        if stopper is not None:  # a new one: Trainer looks for what it wrote of each at its last save
            callbacks.setdefault("EarlyStoppingCallback", stopper.state())
        if state.global_step >= max_steps > 0 or stopped:
            why = ", by early stopping" if state.global_step < max_steps else ""
            self._say(f"finished already: step {state.global_step:,} of {max_steps:,}{why}")
            return num_train_epochs, 0  # Trainer would train one step more, were this not the end of an epoch
        return begun

    def _is_own(self, path: Path) -> bool:
        """Whether a checkpoint is of this run, and not of one that trained in the same folder before."""
        try:
            return checkpoints.read(path)["run"] == self._run
        except Damaged:
            return False

    def _load_best_model(self) -> None:
        best = Path(str(self.state.best_model_checkpoint))

        def whole() -> None:
            try:
                checkpoints.check(best)
            except Damaged as reason:
                raise UserError(
                    f"the best checkpoint, {best}, is damaged ({reason}): the same command trains again from the "
                    "newest one before it, and --load_best_model_at_end false ends with the last step's weights"
                ) from None

        self._on_main(whole)
        super()._load_best_model()

    # Saving

    def _get_output_dir(self, trial) -> str:
        return super()._get_output_dir(trial) if self._aside is None else str(self._aside)

    def _save_checkpoint(self, model, trial) -> None:
        state, run, log = self.state, Path(super()._get_output_dir(trial)), log_goes_on.state(self)
        name = f"checkpoint-{state.global_step}"
        best = state.best_global_step
        self._aside = run / f"{checkpoints.ASIDE}{name}"
        error = None
        try:
            self._write(lambda: self._aside.mkdir(parents=True, exist_ok=True), run)  # type: ignore[union-attr]
            state.best_global_step = None  # Trainer would look for the best checkpoint beside this one, aside
            self._write(lambda: super(CrashSafety, self)._save_checkpoint(model, trial), run)
        except UserError as caught:
            error = caught
        finally:
            aside, self._aside = self._aside, None
            state.best_global_step = best
        try:
            self._all_or_none(error)
            if best and (best == state.global_step or self._is_own(run / f"checkpoint-{best}")):
                state.best_model_checkpoint = str(run / f"checkpoint-{best}")
            self._on_main(lambda: self._write(lambda: self._complete(aside, run, name, log), run))
        except UserError:
            self._on_main(lambda: shutil.rmtree(aside, ignore_errors=True))
            raise
        if self._pushed_later is not None:
            self._pushed_later = None
            self._on_main(lambda: super(CrashSafety, self)._push_from_checkpoint(str(run / name)))
        if number := self._signal():
            self._say(f"stopped at step {state.global_step:,}, saved; the same command goes on from {run / name}")
            raise Interrupted(number)

    def _write(self, do: Callable[[], Any], run: Path) -> None:
        kept = next(reversed(checkpoints.sealed(run)), None)
        way_on = f"the same command goes on from {kept}" if kept else "then give the same command again"
        with telling(run, f"the checkpoint of step {self.state.global_step:,}", instead="", way_on=way_on):
            do()

    def _all_or_none(self, error: UserError | None) -> None:
        """Raises on every process what one of them met."""
        if self.args.world_size == 1 or self.is_fsdp_enabled or self.is_deepspeed_enabled:
            errors = [error]  # of a sharded model, others may wait for this process within the writer: the launcher
        else:  # stops them
            errors = gather_object([error])
        for one in errors:
            if one is not None:
                raise one
        self.accelerator.wait_for_everyone()

    def _complete(self, aside: Path, run: Path, name: str, log: dict) -> None:
        write_state(self.state, aside / name / STATE)
        best = Path(self.state.best_model_checkpoint).name if self.state.best_model_checkpoint else None
        facts = {
            "run": self._run,
            "step": self.state.global_step,
            "best": best,
            "scheduled": self._scheduled,
            "seconds": self.seconds,
            "data": self._facts,
            "machine": self._machine,
            "log": log,
        }
        if self._share is not None:  # a stream: what of it has been read
            facts["streamed"] = {"rows": self._share.passed.rows, "hash": self._share.passed.hash}
        checkpoints.seal(aside / name, facts, after=checkpoints.last_saved(run))
        checkpoints.replace(aside / name, run / name)
        aside.rmdir()
        if self._scheduled:
            checkpoints.rotate(run, self.args.save_total_limit, {name, best or name})

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        self._pushed_later = checkpoint_folder  # under the name it is going to have

    def _finalize_training(self, trial, num_train_samples, start_time):
        if self._log is not None:  # the figures of the whole run, not of its part since the resume
            self._initial_global_step = 0
        start_time = time.time() - self.seconds  # and not by a clock that may have been set meanwhile
        # Trainer would delete the last checkpoint if only one is to be kept and another is the best: then the finished
        # run would train its end again when it is run again.
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            return super()._finalize_training(trial, num_train_samples, start_time)
        finally:
            self.args.save_total_limit = limit

    def _signal(self) -> int:
        """The signal that any process was sent; 0 for none."""
        number = self._interrupts.number
        if self.args.world_size > 1:
            sent = torch.tensor([number], device=self.args.device)
            number = int(self.accelerator.gather(sent).max())
        return number

    def _close_displays(self) -> None:
        for callback in self.callback_handler.callbacks:
            bar = getattr(callback, "training_bar", None)
            if bar is not None:
                bar.close()
            if isinstance(callback, TensorBoardCallback) and callback.tb_writer is not None:
                callback.tb_writer.close()


class _SaveInTime(TrainerCallback):
    """Saves where it was asked to stop, and, at an epoch's last step, only after what is due at the epoch's end: a
    run resumed from there would never evaluate that epoch."""

    def __init__(self, trainer: CrashSafety):
        self.trainer, self.due = trainer, False

    def on_train_begin(self, args, state, control, **kwargs):
        if self.trainer._log is not None:
            log_goes_on.restore(self.trainer, self.trainer._log)

    def on_step_end(self, args, state, control, **kwargs):
        self.trainer._scheduled = True
        if self.trainer._signal() and not control.should_save:
            control.should_save = True
            self.trainer._scheduled = False
        last = float(state.epoch).is_integer() or state.global_step >= state.max_steps
        self.due, control.should_save = control.should_save and last, control.should_save and not last

    def on_epoch_end(self, args, state, control, **kwargs):
        if control.should_save:
            self.trainer._scheduled = True
        control.should_save = control.should_save or self.due
        self.due = False
