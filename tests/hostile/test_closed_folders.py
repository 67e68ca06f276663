"""Folders that are another user's or read only, caches too; a clock that is set back."""

import errno
import os
import sys

import datasets
import pytest
from small_checkpoints import said
from training_runs import make_trainer

from hf_xfmr.data import cache
from hf_xfmr.data.documents import DocumentSettings, load_documents
from hf_xfmr.errors import UserError
from hf_xfmr.run import settings
from hf_xfmr.training import checkpoints
from hf_xfmr.writing import fault_of, folder, telling, whole

NOBODY = 65534
as_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can be another user for a while"
)


@pytest.fixture
def nobody(tmp_path):
    """Another user, for what is called within: root's own folders are closed to it."""
    for one in (tmp_path, *tmp_path.parents):
        if one.name.startswith(("pytest", "test", "popen")):
            one.chmod(0o755)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "report.html").write_text("mine")
    os.seteuid(NOBODY)
    yield tmp_path / "theirs"
    os.seteuid(0)


@as_root
@pytest.mark.parametrize("mode", [0o755, 0o1777], ids=["closed", "sticky"])
def test_a_folder_of_another_user_is_found_before_anything_runs(mode, nobody, capsys):
    os.seteuid(0)
    nobody.chmod(mode)
    os.seteuid(NOBODY)
    line = said(capsys, lambda: settings._check_writable(nobody))
    assert line.startswith(f"error: the output folder {nobody} can't be written (")
    assert ("report.html in it is another user's" in line) == (mode == 0o1777)
    assert line.endswith("): make it writable for you, or give another --output_dir")
    assert os.listdir(nobody) == ["report.html"]
    assert (nobody / "report.html").read_text() == "mine"


@as_root
def test_a_file_of_another_user_s_folder_is_named(nobody, capsys):
    def write():
        with whole(nobody / "report.html") as aside:
            aside.write_text("new")

    line = said(capsys, write)
    assert line.startswith(f"error: {nobody / 'report.html'} can't be written (Permission denied): make it writable")
    assert (nobody / "report.html").read_text() == "mine"


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.EDQUOT, "free some of your quota, or name another folder"),
        (errno.EROFS, "have it mounted for writing, or name another folder"),
        (errno.EFBIG, "free some space, or raise the limit on a file's size"),
        (errno.EIO, "free some space, or name another folder"),
    ],
)
def test_the_cure_is_that_of_the_fault(number, cure):
    """The system's own errors, and those in which tokenizers and safetensors tell of them."""
    words = f"I/O error: {os.strerror(number)} (os error {number})"
    for error in (OSError(number, os.strerror(number)), OSError(number, "x", "run/x"), Exception(words)):
        with pytest.raises(UserError, match=rf"run can't be written \(.*\): {cure[:20]}") as told, telling("run"):
            raise error
        assert cure in str(told.value)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "no", "/elsewhere/model.safetensors"),
        PermissionError(errno.EACCES, "no", "/elsewhere/model.safetensors"),
        ConnectionRefusedError(errno.ECONNREFUSED, "no"),
        OSError("Can't load the tokenizer"),
        RuntimeError("sizes differ"),
        UserError("the row 3"),
    ],
)
def test_what_is_no_fault_of_writing_passes_through(tmp_path, error):
    with pytest.raises(type(error)) as raised, telling(tmp_path / "run"):
        raise error
    assert raised.value is error


def test_a_full_disk_behind_a_library_s_own_error_is_found():
    error = ValueError("An error occurred while generating the dataset")
    error.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert fault_of(error) == (errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert fault_of(ValueError("sizes differ")) is None


@as_root
def test_a_stream_does_without_a_cache_that_is_closed(nobody, monkeypatch, tmp_path):
    os.seteuid(0)
    (tmp_path / "texts.csv").write_text("text\n" + "".join(f"the cat {n}\n" for n in range(50)))
    (tmp_path / "free").mkdir(mode=0o777)
    (tmp_path / "free").chmod(0o777)
    os.seteuid(NOBODY)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "free"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", nobody / "datasets")
    read, _ = load_documents(str(tmp_path / "texts.csv"), DocumentSettings(streaming=True))
    assert sum(1 for split in read.values() for _ in split) == 50
    assert os.listdir(nobody) == ["report.html"]
    assert nobody / "datasets" == datasets.config.HF_DATASETS_CACHE
    assert os.listdir(tmp_path / "free") == []
    assert f"cache {nobody / 'datasets'} (Permission denied): free" in cache.words_of(
        (errno.EACCES, "Permission denied")
    )


def test_a_link_in_place_of_the_probe_is_not_written_through(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".writable").symlink_to(tmp_path / "precious")
    folder(tmp_path / "run")
    assert (tmp_path / "precious").read_text() == "mine"
    assert os.listdir(tmp_path / "run") == []


def test_with_the_clock_set_back_the_newest_checkpoint_is_still_the_newest(tmp_path, monkeypatch, capsys):
    now = {"s": 4_000_000_000}  # the year 2096, and an hour earlier each time that it is asked
    monkeypatch.setattr(checkpoints.time, "time_ns", lambda: now.update(s=now["s"] - 3600) or now["s"] * 10**9)
    options = {
        "max_steps": 6,
        "save_steps": 2,
        "load_best_model_at_end": False,
        "save_total_limit": 2,
        "eval_strategy": "no",
    }
    trainer = make_trainer(tmp_path / "run", **options)
    trainer.train()
    assert [path.name for path in checkpoints.found(tmp_path / "run")] == ["checkpoint-4", "checkpoint-6"]
    capsys.readouterr()
    again = make_trainer(tmp_path / "run", **options)
    again.train(resume_from_checkpoint=True)
    assert "checkpoint-6, step 6" in capsys.readouterr().out
    assert all(entry.get("train_runtime", 1) > 0 for entry in trainer.state.log_history)
