"""Training runs for several processes: the recipes' models, tiny and without dropout, under torchrun."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import torch
from training_runs import make_trainer, rows

from hf_xfmr.run import training


class KilledOnce:
    """Kills rank 1 with SIGKILL in the middle of a step, the first time."""

    def __new__(cls, folder: str, step: int):
        from transformers import TrainerCallback

        class Kill(TrainerCallback):
            def on_step_begin(self, args, state, control, **kwargs):
                mark = Path(folder, "killed")
                if state.global_step == step and args.process_index == 1 and not mark.exists():
                    mark.touch()
                    os.kill(os.getpid(), signal.SIGKILL)

        return Kill()


def classifier(folder: str, *, processes: int, **options):
    """54 rows in batches of 4 on all processes together: the last batch has 2."""
    size = 4 // processes
    sizes = {"per_device_train_batch_size": size, "per_device_eval_batch_size": size}
    return make_trainer(folder, train_rows=rows(54), **sizes, **options)


class Lines(torch.utils.data.IterableDataset):
    """A stream of 23 rows of varied lengths."""

    def __iter__(self):
        for number in range(23):
            yield {"input_ids": torch.arange(number + 5, number + 8 + number % 4), "labels": number % 2}


def main(kind: str, folder: str) -> None:

    processes = int(os.environ["WORLD_SIZE"])
    if kind == "sharded":
        return sharded(folder)
    options = {"num_train_epochs": 2} if kind != "stream" else {"max_steps": 20, "train_rows": Lines()}
    if kind == "stream":
        trainer = make_trainer(folder, per_device_train_batch_size=4 // processes, **options)
    else:
        from hf_xfmr import XfmrBertConfig, XfmrBertForSequenceClassification

        torch.manual_seed(0)
        dropout = 0.1 if kind == "killed" else 0.0
        model = XfmrBertForSequenceClassification(
            XfmrBertConfig(
                vocab_size=99,
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=48,
                max_position_embeddings=40,
                problem_type="single_label_classification",
                hidden_dropout_prob=dropout,
                attention_probs_dropout_prob=dropout,
            )
        )
        if kind == "unused":
            model.spare = torch.nn.Linear(2, 2)  # of which no loss knows
        trainer = classifier(folder, processes=processes, model=model, logging_steps=1, **{"num_train_epochs": 2})
    rank = trainer.args.process_index
    if kind in ("killed", "stream"):
        trainer.add_callback(KilledOnce(folder, 15))
    if kind == "stream":
        compute = trainer.compute_loss

        def watch(model, inputs, *args, **kwargs):
            if model.training:
                with Path(folder, f"seen-{rank}.jsonl").open("a") as file:
                    print(json.dumps([trainer.state.global_step, *inputs["input_ids"][:, 0].tolist()]), file=file)
            return compute(model, inputs, *args, **kwargs)

        trainer.compute_loss = watch
    training.train(trainer)
    if rank == 0:
        print("looks for unused parameters:", getattr(trainer.model_wrapped, "find_unused_parameters", None))
        trainer.model.save_pretrained(folder)
        Path(folder, "log.json").write_text(json.dumps(trainer.state.log_history))


def sharded(folder: str) -> None:
    """A step of AdamW on GPT-2 under fully_shard, on one batch split between the processes; a sharded checkpoint, and
    the gathered weights saved as a recipe saves them."""
    import torch.distributed as dist
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.state_dict import get_model_state_dict
    from torch.distributed.fsdp import fully_shard

    from hf_xfmr import XfmrGPT2ForCausalLM
    from hf_xfmr.training.many_processes import gather

    dist.init_process_group("gloo")
    rank, processes = dist.get_rank(), dist.get_world_size()
    mesh = dist.init_device_mesh("cpu", (processes,))
    model = XfmrGPT2ForCausalLM.from_pretrained(f"{folder}/begin").train()
    for block in model.transformer.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    batch = torch.arange(4 * 12).view(4, 12) % 90
    own = batch.chunk(processes)[rank]
    loss = model(own, labels=own, num_items_in_batch=4 * 11).loss * processes  # gradients are averaged
    loss.backward()
    optimizer.step()
    assert sum(p.to_local().numel() for p in model.parameters()) < sum(p.numel() for p in model.parameters())
    dcp.save({"model": get_model_state_dict(model)}, checkpoint_id=f"{folder}/shards")
    whole = gather(model)
    if rank == 0:
        model.save_pretrained(f"{folder}/gathered", state_dict=whole)
    dist.barrier()
    dist.destroy_process_group()


def launch(kind: str, folder: Path, processes: int, *, restarts: int = 0, timeout: float = 300, script: str = __file__):
    """The run under torchrun on this machine's loopback. Returns the finished process; its output is text."""
    folder.mkdir(exist_ok=True)
    options = [f"--nproc_per_node={processes}", f"--max-restarts={restarts}"]
    return torchrun([*options, script, kind, str(folder)], timeout=timeout)


def torchrun(words: list[str], *, timeout: float) -> subprocess.CompletedProcess:
    return finished(["torch.distributed.run", "--standalone", "--local-addr=127.0.0.1", *words], timeout=timeout)


def finished(words: list[str], *, timeout: float) -> subprocess.CompletedProcess:
    """What a launcher, a module of Python's, ended with."""
    with subprocess.Popen(
        [sys.executable, "-m", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "GLOO_SOCKET_IFNAME": "lo"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.terminate()  # not killed: it is to end its processes
            process.communicate()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


if __name__ == "__main__":
    from hf_xfmr.run import program

    program.run(lambda: main(*sys.argv[1:]))
