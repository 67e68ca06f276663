"""Time our models against stock transformers on this machine, with the same weights, data, precision and optimizer.

    python -m hf_xfmr bench --quick

Every row is a ratio: stock's median time by ours, of steps taken in turns in one process. Prints a table and the
machine's measured ceilings; writes bench.json and bench.svg. --quick takes shallower models of the same widths.
"""

from .command import add_arguments, run

__all__ = ["add_arguments", "run"]
