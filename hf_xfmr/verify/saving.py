"""A saved model is the same model in a process that never saw it."""

import os
import subprocess
import sys

import torch

from .batches import Collator, rows_of
from .outcome import Outcome, difference
from .rows import Rows
from .subject import Subject

TOLERANCE = 1e-6  # the same bits in; kernels may cut the work in another way
SCRIPT = """
import sys, torch, transformers, hf_xfmr
name, folder = sys.argv[1:]
model = getattr(transformers if hasattr(transformers, name) else hf_xfmr, name).from_pretrained(
    folder + "/saved", dtype=torch.float32
).eval()
batch = torch.load(folder + "/batch.pt")
with torch.no_grad():
    out = model(**batch)
torch.save([tensor for tensor in out.values() if torch.is_tensor(tensor)], folder + "/out.pt")
"""


def fresh_process(subject: Subject, rows: Rows) -> Outcome:
    subject.needs(copies=1)
    folder = subject.saved().parent
    batch = Collator(subject)(rows_of(subject, rows))
    torch.save(batch, folder / "batch.pt")
    with torch.no_grad():
        expected = [tensor for tensor in subject.model(**batch).values() if torch.is_tensor(tensor)]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, subject.name, str(folder)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(torch.get_num_threads())},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return Outcome(difference(torch.load(folder / "out.pt"), expected), TOLERANCE)
