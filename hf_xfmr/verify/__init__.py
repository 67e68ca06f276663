"""Check that a model computes what it should, whatever the batch: a table, and exit code 0 if every line held.

Padding, packing, accumulation, caching, saving, resuming and evaluating must change nothing. `--stock` sets the stock
class and transformers' own Trainer beside it; the exit code speaks of ours.
"""

from collections.abc import Callable

import transformers

from ..plain import printable
from ..writing import scratch
from . import forward, generation, saving, training
from .outcome import Outcome, attempt, line
from .rows import Rows, built_in, from_texts
from .subject import Subject, find

CHECKS: dict[str, Callable[[Subject, Rows], Outcome]] = {
    "padded on the right = each row alone": forward.right_padding,
    "padded on the left = each row alone": forward.left_padding,
    "packed = each row alone": forward.packing,
    "stock class = ours: logits": forward.stock_logits,
    "stock class = ours: loss": forward.stock_loss,
    "stock class = ours: gradients": forward.stock_gradients,
    "batch 8 x 1 = 1 x 8: gradients": training.accumulation,
    "evaluation at batch 1 = at batch 8: loss": training.evaluation,
    "resumed = uninterrupted: weights": training.resuming,
    "generated with a cache = without": generation.caching,
    "saved, loaded in a new process = before": saving.fresh_process,
}
OF_BOTH = "stock class = ours"  # these lines speak of both classes: no second column


def verify(model: str, *, data: str | None = None, text_column: str | None = None, stock: bool = False) -> bool:
    """Print the table for a checkpoint. Returns whether every line that applies to it held for our class.

    Raises `UserError` for a checkpoint of another architecture, and for data that can't be read.
    """
    transformers.utils.logging.disable_progress_bar()
    with scratch("verify-") as aside:
        ours, theirs = find(model, aside)
        rows = from_texts(ours, data, text_column) if data else built_in(ours)
        print(f"{printable(model)} as {ours.name}, {ours.parameters / 1e6:,.1f} million parameters, float32 on the CPU")
        print(rows.description)
        print("differences: the largest, as a share of the largest value, and the most it may be\n")
        columns = [ours, theirs] if stock else [ours]
        print(line("", [one.name for one in columns]))
        outcomes = []
        for name, check in CHECKS.items():
            asked = columns[:1] if name.startswith(OF_BOTH) else columns
            found = [attempt(check, one, rows) for one in asked]
            outcomes.append(found[0])
            print(line(name, [str(one) for one in found]), flush=True)
        print()
        for reason in dict.fromkeys(one.reason for one in outcomes if one.reason):
            print(f"left out: {reason}")
        failed = sum(one.held is False for one in outcomes)
        done = sum(one.held is not None for one in outcomes)
        print(f"{done - failed} of {done} held" + (f" for {ours.name}" if stock else ""))
        return not failed
