"""Real training runs in processes of their own, to be killed, starved of disk and resumed.

`main` is one run: a tiny BERT classifier with dropout, evaluated and saved often. `Runner` forks such runs from a
process that has imported everything, so that a start costs little.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

ROWS, EPOCHS, BATCH = 60, 4, 4  # 60 steps


def main(folder: str, **options) -> None:
    """Train in `folder`, resumed if that can be, and leave `model.safetensors` there."""
    from hf_xfmr.run.training import train
    from hf_xfmr.training import checkpoints, lock

    trainer = make_trainer(folder, **options)
    lock.acquire(folder)
    train(trainer)
    with checkpoints.model_folder(Path(folder)) as aside:
        trainer.model.save_pretrained(aside)
    lock.release(folder)


def rows(count: int, seed: int = 0):
    import torch

    random = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        ids = torch.randint(5, 90, (int(torch.randint(3, 12, (), generator=random)),), generator=random)
        made.append({"input_ids": ids, "labels": int(ids.sum() % 2)})
    return made


def collate(batch):
    import torch
    from torch.nn.utils.rnn import pad_sequence

    ids = [row["input_ids"] for row in batch]
    return {
        "input_ids": pad_sequence(ids, batch_first=True),
        "attention_mask": pad_sequence([torch.ones_like(one) for one in ids], batch_first=True),
        "labels": torch.tensor([row["labels"] for row in batch]),
    }


def make_trainer(folder, *, trainer_class=None, arguments_class=None, model=None, train_rows=None, **options):
    """An XfmrTrainer, or another, of the run above."""
    from transformers import set_seed

    import hf_xfmr
    from hf_xfmr.training import XfmrTrainer, XfmrTrainingArguments

    set_seed(options.get("seed", 7))
    if model is None:
        model = hf_xfmr.XfmrBertForSequenceClassification(
            hf_xfmr.XfmrBertConfig(
                vocab_size=99,
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=48,
                max_position_embeddings=40,
                problem_type="single_label_classification",
            )
        )
    settings = {
        "seed": 7,
        "use_cpu": True,
        "bf16": False,
        "num_train_epochs": EPOCHS,
        "per_device_train_batch_size": BATCH,
        "per_device_eval_batch_size": BATCH,
        "learning_rate": 1e-3,
        "eval_strategy": "steps",
        "eval_steps": 6,
        "save_strategy": "steps",
        "save_steps": 6,
        "save_total_limit": 3,
        "load_best_model_at_end": True,
        "metric_for_best_model": "loss",
        "logging_steps": 5,
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        **options,
    }
    return (trainer_class or XfmrTrainer)(
        model,
        (arguments_class or XfmrTrainingArguments)(str(folder), **settings),
        train_dataset=rows(ROWS) if train_rows is None else train_rows,
        eval_dataset=rows(12, seed=1),
        data_collator=collate,
    )


class Runner:
    """A process that forks a run for each request. Use as a context."""

    def __enter__(self) -> "Runner":
        self.server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )
        return self

    def __exit__(self, *_) -> None:
        self.server.stdin.close()
        self.server.wait(60)

    def __call__(self, folder: Path, *, after: float | None = None, number: int = signal.SIGKILL, **request):
        """Run in `folder`, and send `number` `after` so many seconds. Returns the exit status (minus the signal that
        ended it, if one did) and what was printed. `limit`: the largest file it may write, in bytes. `recipe` and
        `flags`: a recipe's file to run in place of `main`."""
        request |= {"folder": str(folder), "after": after, "number": int(number)}
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        answer = json.loads(self.server.stdout.readline())
        return answer["status"], answer["output"]


def _serve() -> None:
    import transformers  # noqa: F401

    from hf_xfmr.run import finish  # noqa: F401

    warm = make_trainer("/tmp")  # lazy imports, too, happen here
    del warm
    for line in sys.stdin:
        request = json.loads(line)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            _child(write, request)
        os.close(write)
        if request["after"] is not None:
            time.sleep(request["after"])
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, request["number"])
        with open(read, encoding="utf-8") as pipe:
            output = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps({"status": status, "output": output}), flush=True)


def _child(write: int, request: dict) -> None:
    from hf_xfmr.run import program

    os.dup2(write, 1)
    os.dup2(write, 2)

    status = 0
    try:
        if request.get("limit"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (request["limit"], request["limit"]))
        if "recipe" in request:
            sys.path.insert(0, str(Path(request["recipe"]).parent))
            recipe = importlib.import_module(Path(request["recipe"]).stem).main
            program.run(lambda: recipe([*request["flags"], "--output_dir", request["folder"]]))
        else:
            program.run(lambda: main(request["folder"], **request.get("options", {})))
    except SystemExit as end:
        status = end.code
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 99
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
