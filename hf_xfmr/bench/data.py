"""Reading a table, beside pyarrow's own reading of the same file: seconds, and memory by the size of the file."""

import csv
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from ..errors import UserError
from ..run.console import say
from ..writing import folder, place, whole

# Each reads in a process of its own, which prints its seconds and the growth of its peak memory in bytes.
CHILD = """
import sys, time
from pathlib import Path
import pyarrow.csv
from hf_xfmr.data.files import read_files
from hf_xfmr.data.table import arrow, delimited

def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise SystemExit("no VmHWM")

path, idle = Path(sys.argv[2]), peak()
start = time.perf_counter()
read = read_files({"train": path}) if sys.argv[1] == "ours" else pyarrow.csv.read_csv(path)
print(time.perf_counter() - start, peak() - idle)
"""


def bench_data(*, rows: int = 1_000_000, turns: int = 15, out: str | Path = "runs/bench") -> dict:
    """Read a CSV of `rows` rows (a text of about 100 characters, quoted where it holds commas or quotes, and a label)
    in turns with `pyarrow.csv.read_csv`, each time in a new process; print the figures and write data.json into `out`.

    Returns what that holds. Linux alone says what a process's peak memory was: raises `UserError` elsewhere.
    """
    if not Path("/proc/self/status").exists():
        raise UserError("bench data measures memory as Linux tells it (/proc/self/status), which this system does not")
    if rows < 1 or turns < 1:
        raise UserError("bench data needs at least one row and one turn")
    out = folder(place(out, "--out"), instead="give another --out")  # known before the minutes that follow
    with tempfile.TemporaryDirectory() as above:
        path = Path(above) / "table.csv"
        write_table(path, rows)
        size = path.stat().st_size
        taken: dict[str, list[tuple[float, int]]] = {"pyarrow": [], "ours": []}
        for turn in range(turns):
            for who in list(taken)[:: 1 if turn % 2 else -1]:
                taken[who].append(_measured(who, path))
    seconds = {who: median(one for one, _ in them) for who, them in taken.items()}
    memory = {who: max(one for _, one in them) / size for who, them in taken.items()}
    ratio = median(a / b for (a, _), (b, _) in zip(taken["ours"], taken["pyarrow"], strict=True))
    record = {"rows": rows, "bytes": size, "turns": turns, "seconds": seconds, "time_ratio": ratio, "memory": memory}
    say(
        f"a table of {rows:,} rows, {size / 1e6:,.1f} MB; {turns} turns, each in a process of its own",
        f"time: {ratio:.2f} times pyarrow's (median): ours {seconds['ours']:.3f} s, pyarrow {seconds['pyarrow']:.3f} s",
        f"memory: {memory['ours']:.2f} times the file at its peak; pyarrow {memory['pyarrow']:.2f}",
    )
    with whole(out / "data.json") as aside:
        aside.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    say(f"written: {out / 'data.json'}")
    return record


def write_table(path: Path, rows: int) -> None:
    """The same table each time: in every fifth text a comma, in every twentieth quotes."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(5000)]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for row in range(rows):
            text = " ".join(draw.choices(words, k=16))
            text = text.replace(" ", ", ", 1) if row % 5 == 0 else text
            text = f'"{text[:10]}" {text[10:]}' if row % 20 == 0 else text
            table.writerow([text, draw.choice(["good", "bad", "so so"])])


def _measured(who: str, path: Path) -> tuple[float, int]:
    done = subprocess.run([sys.executable, "-c", CHILD, who, str(path)], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"bench data: reading failed ({done.stderr.strip().splitlines()[-1:]})")
    seconds, grown = done.stdout.split()
    return float(seconds), int(grown)
