"""What is asked of every attack: one sentence, exit code 2, nothing written."""

import os
import re
import stat
from pathlib import Path

RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def contents(folder: Path) -> dict[str, tuple]:
    """What lies in a folder: of each name its kind, and its size if it is a file."""
    found = {}
    for above, folders, files in os.walk(os.fsencode(folder)):
        for name in folders + files:
            path = os.path.join(above, name)
            status = os.lstat(path)
            size = status.st_size if stat.S_ISREG(status.st_mode) else 0
            found[os.fsdecode(os.path.relpath(path, os.fsencode(folder)))] = (stat.S_IFMT(status.st_mode), size)
    return found


def fault(case, done, before: dict, after: dict) -> str | None:
    """What is wrong with how the program ended; None: nothing."""
    if done.code is None:
        return f"hangs: not at its end after {done.seconds:.0f} s"
    if "Traceback (most recent" in done.stderr:
        return "a traceback"
    if "fault of hf_xfmr" in done.stderr:
        return "taken for a fault of hf_xfmr"
    if done.code != case.code:
        return f"exit code {done.code}, not {case.code}"
    if RAW.search(done.stderr) or RAW.search(done.stdout):
        return "a raw control character reaches the terminal"
    if case.code == 2:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("[transformers] ")]  # what it loaded
        if sum(line.startswith("error: ") for line in lines) != 1:
            return "not one line that starts with error:"
        if len(lines) != 1:
            return f"{len(lines)} lines on stderr"
        if changed := sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)):
            return f"something was written: {', '.join(changed[:5])}"
    if not re.search(case.says, done.stderr if case.code else done.stdout + done.stderr):
        return f"does not say /{case.says}/"
    return None
