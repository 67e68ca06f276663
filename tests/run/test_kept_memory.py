"""A training on a CPU keeps the memory that its steps free: the next step is not handed it page by page."""

import ctypes
import sys

import pytest
from oracles import fresh_process

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="a C library without mallopt"
)

STEPS = """
import resource
from types import SimpleNamespace
import torch
from hf_xfmr.run import training

def step():  # as large as the activations and gradients of a small model
    torch.set_num_threads(1)
    for _ in range(2):
        parts = [torch.ones(size) for size in (2**20, 2**22, 2**24)]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        del parts
        parts = [torch.ones(size) for size in (2**20, 2**22, 2**24)]
        del parts
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

class Trainer:
    args = SimpleNamespace(
        fp16=False, bf16=False, device=torch.device("cpu"), resume=False, resume_from_checkpoint=None
    )
    seconds = 0.0
    def train(self, **_):
        self.faults = step()

trainer = Trainer()
training.many_processes.describe = lambda trainer: []
training.train(trainer)
print("faults", trainer.faults)
"""


def test_a_step_on_a_cpu_is_handed_few_pages():
    pages = (2**20 + 2**22 + 2**24) * 4 // 4096
    assert int(fresh_process(STEPS).split("faults ")[1]) < pages / 20
