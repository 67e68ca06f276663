"""Files are whole or not there, and a symbolic link is never written through."""

import errno
import os
import subprocess
import sys

import pytest

from hf_xfmr.errors import UserError
from hf_xfmr.writing import away, whole


@pytest.mark.parametrize("target", ["a file", "nothing"])
def test_a_link_is_replaced_and_its_target_untouched(tmp_path, target):
    precious = tmp_path / "precious.txt"
    if target == "a file":
        precious.write_text("mine")
    (tmp_path / "report.html").symlink_to(precious)
    with whole(tmp_path / "report.html") as aside:
        aside.write_text("new")
    assert (tmp_path / "report.html").read_text() == "new"
    assert not (tmp_path / "report.html").is_symlink()
    assert precious.read_text() == "mine" if target == "a file" else not precious.exists()


def fail_within(path, error):
    with whole(path) as aside:
        aside.write_text("half")
        raise error


def test_what_fails_leaves_the_file_of_before_and_nothing_beside_it(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("before")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for error, raised in (
        (ZeroDivisionError(), "^$"),
        (full, r"can't be written \(No space left on device\): free"),
    ):
        with pytest.raises((ZeroDivisionError, UserError), match=raised):
            fail_within(path, error)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["report.html"]


def test_a_pipe_and_a_device_are_written_to(tmp_path):
    with whole("/dev/null") as path:
        path.write_text("gone")
    words = "from hf_xfmr.writing import whole\nwith whole('/dev/stdout') as path: path.write_text('here')"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60)
    assert done.stdout == "here", done.stderr


def test_of_a_linked_folder_only_the_link_is_deleted(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    away(tmp_path / "link")
    away(tmp_path / "not there")
    os.mkfifo(tmp_path / "pipe")
    away(tmp_path / "pipe")  # opening it would wait for whoever writes
    assert not (tmp_path / "pipe").exists()
    assert os.listdir(tmp_path) == ["disk"]
    assert os.listdir(tmp_path / "disk") == ["file"]
    away(tmp_path / "disk")
    assert os.listdir(tmp_path) == []
