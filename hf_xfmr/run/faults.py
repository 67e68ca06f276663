"""Any exception as one sentence: what a user can put right, or that it is a fault of hf_xfmr and what to send."""

import errno
import os
import platform
import re
import shlex
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata

from .. import writing
from ..errors import UserError
from ..plain import one_line, without_password
from . import packages

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_MEMORY = ("can't allocate memory", "out of memory", "Cannot allocate memory")
OF_LIBRARIES: tuple[str, ...] = (
    "ACCELERATE_",
    "FSDP_",
    "HF_",
    "TRANSFORMERS_",
    "DATASETS_",
    "TORCH",
    "PYTORCH_",
    "CUDA_",
    "NCCL_",
    "GLOO_",
)
OF_LIBRARIES += ("OMP_", "MKL_", "MPL", "TQDM_", "MASTER_", "SOURCE_DATE_EPOCH", "COLUMNS", "LINES")
USUAL = ("0", "1", "2", "true", "false", "yes", "no", "on", "off")  # values that stand in other errors too
LESS = "take smaller batches or a smaller model, or end other programs"


def sentence(error: BaseException, *, told: bool = False) -> str:
    """What went wrong and what to do. What no user can put right goes into a file, unless the traceback is `told`."""
    try:
        return known(error) or _fault(error, told)
    except Exception as second:  # an error whose text can't be had; the door never fails itself
        return f"{type(error).__name__} (and {type(second).__name__} while telling of it); this is a fault of hf_xfmr"


def known(error: BaseException) -> str | None:
    """What a user can put right, in a sentence; None: it is a fault of hf_xfmr."""
    if isinstance(error, UserError) or type(error).__name__ == "CheckpointError":  # of models/, which is heavy
        return str(error)
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _has(error, NO_MEMORY)):
        return f"the memory does not suffice ({one_line(error)[:200]}): {LESS}"
    if isinstance(error, RecursionError):
        return "something in the input is nested too deep to be read; --traceback shows where"
    if isinstance(error, UnicodeEncodeError):
        return f"a text can't be written as {error.encoding} ({error.reason}): set PYTHONUTF8=1, or mend the text"
    if isinstance(error, UnicodeDecodeError):
        return f"a text is not {error.encoding} (byte {error.start}): convert it to UTF-8, as with iconv"
    if isinstance(error, metadata.PackageNotFoundError):  # whose name is a sentence, if transformers raised it
        named = re.search(r"'([\w.-]+)", str(error.name))
        package = named[1] if named else error.name
        return f"what was asked for needs the package {package}, which is not installed: {packages.install(package)}"
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("hf_xfmr"):
        name = error.name.split(".")[0]
        return f"what was asked for needs the package {name}, which is not installed: {packages.install(name)}"
    if isinstance(error, ImportError | RuntimeError) and "install" in str(error):  # a library's words for a package
        return f"{one_line(error)[:300]}: install it, or leave out the setting that needs it"
    if isinstance(error, ValueError | KeyError) and (variable := _variable_in(str(error))):
        return f"{variable} is {os.environ[variable]!r} in the environment ({one_line(error)[:200]}): unset {variable}"
    if (fault := writing.fault_of(error)) is not None and not isinstance(error, OSError):  # torch's, tokenizers', …
        return f"{fault[1]}: free some space, or name another folder; the same command goes on"
    if isinstance(error, OSError) and error.errno in FULL:
        where = f" at {error.filename}" if error.filename else ", on standard output or in a file"
        return f"{error.strerror}{where}: free some space; the same command goes on"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        name = error.filename.decode(errors="replace") if isinstance(error.filename, bytes) else error.filename
        return f"{name}: {error.strerror}; check the path and its permissions"
    return None


def _variable_in(words: str) -> str | None:
    """The variable of a library's, in the environment, whose value the library's words tell of; None: no such."""
    for name, value in os.environ.items():
        told = value and value.lower() not in USUAL and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", words, re.I)
        if told and name.startswith(OF_LIBRARIES):
            return name
    return None


def _has(error: BaseException, words: Sequence[str]) -> bool:
    return any(word in str(error) for word in words)


def traceback_of(error: BaseException) -> str:
    """The traceback as Python prints it, passwords left out."""
    return without_password("".join(traceback.format_exception(type(error), error, error.__traceback__)))


def _versions() -> str:
    """`torch 2.13.0, transformers 5.23.0`, nothing imported."""
    found = []
    for package in ("torch", "transformers", "datasets"):
        with suppress(metadata.PackageNotFoundError):
            found.append(f"{package} {metadata.version(package)}")
    return ", ".join(found)


def _fault(error: BaseException, told: bool) -> str:
    from ..hub.client import command_without_token, without_token  # heavy

    version = sys.modules["hf_xfmr"].__version__  # the package's own front, which knows of what stands on this
    what = f"{type(error).__name__}: {one_line(error)[:300]}" if str(error) else type(error).__name__
    what = without_token(re.sub(r"[.:; ]+$", "", what))
    begins = f"{what}; this is a fault of hf_xfmr {version}, not yours: please report it"
    if told:
        return f"{begins} with the traceback above"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="hf_xfmr-fault-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(
                f"hf_xfmr {version}, Python {platform.python_version()}, {_versions()}, {platform.platform()}\n"
                f"{without_password(command_without_token(sys.argv))}\n\n{without_token(traceback_of(error))}"
            )
    except Exception:  # no temporary folder, a full disk
        return f"{begins} with what the same command prints with --traceback"
    return f"{begins} and attach {shlex.quote(file.name)}"
