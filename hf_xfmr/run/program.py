"""A recipe or a command as a program: its errors are one line, its exit code says how it ended."""

import errno
import sys
from collections.abc import Callable
from typing import Any

import transformers

from ..errors import UserError
from ..models.stock import CheckpointError
from ..processes import keep_quiet, let_main_speak_first


def run(program: Callable[[], Any]) -> None:
    """Run it: what the user can put right is one line on stderr and exit code 2."""
    transformers.utils.logging.disable_progress_bar()  # those of loading and saving files; training keeps its own
    keep_quiet()
    try:
        program()
    except (UserError, CheckpointError) as error:
        let_main_speak_first()
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        where = f" at {error.filename}" if error.filename else ""
        print(f"error: {error.strerror}{where}: free some space; the same command goes on", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        sys.exit(130)
