"""Where there is no fcntl, msvcrt's lock is taken, far from the text that says who holds it."""

import errno
import os
import sys
import types

import pytest

from hf_xfmr import writing
from hf_xfmr.errors import UserError
from hf_xfmr.training import lock


@pytest.fixture
def windows(monkeypatch):
    """A system whose locks are msvcrt's: of a byte, where the file stands. Gives the places that were locked."""
    held = []

    def locking(handle: int, mode: int, length: int) -> None:
        place = (os.fstat(handle).st_ino, os.lseek(handle, 0, os.SEEK_CUR))
        if place in held:
            raise OSError(errno.EACCES, "Permission denied")
        held.append(place)

    monkeypatch.setattr(lock, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    return held


def test_a_second_run_is_refused_by_the_holders_name(tmp_path, windows, monkeypatch):
    assert lock.acquire(tmp_path)
    assert windows[0][1] == lock.FAR
    assert (tmp_path / lock.NAME).read_text(encoding="utf-8").startswith(f"process {os.getpid()} on ")
    monkeypatch.setattr(lock, "_held", dict(lock._held))
    lock._held.clear()  # as in another process
    with pytest.raises(UserError, match=rf"in use by another run \(process {os.getpid()} on .*give another"):
        lock.acquire(tmp_path)


def test_a_folder_is_not_synced_and_a_file_is_opened_for_writing(tmp_path, monkeypatch):
    opened = []
    file = tmp_path / "a"
    file.write_text("text")
    real = os.open
    monkeypatch.setattr(writing.os, "open", lambda path, flags: opened.append(flags) or real(path, flags))
    with monkeypatch.context() as on:
        on.setattr(writing, "_FOLDERS_SYNC", False)
        writing.sync(tmp_path)
        assert opened == []
        writing.sync(file)
    assert opened[0] & os.O_RDWR
    writing.sync(tmp_path)
    assert len(opened) == 2
