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
    seconds, model = 0.0, torch.nn.Linear(8, 8)
    def train(self, **_):
        self.faults = step()

training.free_memory = lambda: FREE
trainer = Trainer()
training.many_processes.describe = lambda trainer: []
training.train(trainer)
print("faults", trainer.faults)
"""

TOLD = "from hf_xfmr import machine\nmachine._KEPT = {0: 0.5}  # which no C library can be told\n"


def test_a_step_on_a_cpu_is_handed_few_pages():
    pages = (2**20 + 2**22 + 2**24) * 4 // 4096
    assert int(fresh_process(STEPS.replace("FREE", str(2**40))).split("faults ")[1]) < pages / 20


def test_where_there_is_little_room_nothing_is_kept():
    """Said by what the C library is told: how many pages it is handed then is its own and the system's business."""
    assert "faults " in fresh_process(TOLD + STEPS.replace("FREE", "1000"))


@pytest.mark.slow
def test_where_there_is_room_the_c_library_is_told():
    """Without this what is said of little room would say nothing."""
    with pytest.raises(AssertionError, match="ArgumentError"):
        fresh_process(TOLD + STEPS.replace("FREE", str(2**40)))
