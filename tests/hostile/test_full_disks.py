"""A disk that is really full, in every writer: one sentence, nothing half-written, and the same call then succeeds."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure
from small_checkpoints import make, said

from hf_xfmr import report, tokenizer
from hf_xfmr.drawing import style
from hf_xfmr.export import export
from hf_xfmr.hub import card
from hf_xfmr.predict import predict
from hf_xfmr.run import seeds
from hf_xfmr.training import checkpoints, lock
from hf_xfmr.verify.outcome import attempt
from hf_xfmr.writing import scratch, whole, whole_folder

ROOM = 16 * 2**20


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    return make(tmp_path_factory.mktemp("models"))


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own, and what leaves so many bytes of it free. Skips where none may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "none", str(place)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")

    def leave(free: int | None) -> None:
        size = ROOM
        if free is not None:
            about = os.statvfs(place)
            size = (about.f_blocks - about.f_bfree) * about.f_bsize + free
        subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)

    (place / "filler").write_bytes(b"1" * 4096)  # a size of 0 would be none
    yield place, leave
    subprocess.run(["umount", "-l", str(place)], check=True)


def a_model(folder: Path, models: Path) -> None:
    with checkpoints.model_folder(folder / "out") as aside:
        shutil.copytree(models / "classifier", aside, dirs_exist_ok=True)


def a_tokenizer(folder: Path, models: Path) -> None:
    trained = tokenizer.train([f"the cat {n} 猫" for n in range(900)], "bpe", vocab_size=700, model_max_length=32)
    with checkpoints.model_folder(folder / "out", "the tokenizer") as aside:
        trained.save_pretrained(aside)


def a_report(folder: Path, models: Path) -> None:
    with whole(folder / "run.json") as aside:
        aside.write_text('{"title": "run"}')
    report.write(folder)


def a_card(folder: Path, models: Path) -> None:
    run = folder / "run"
    run.symlink_to(models / "classifier") if not run.is_symlink() else None
    shutil.rmtree(models / "classifier" / "images", ignore_errors=True)
    (models / "classifier" / "README.md").unlink(missing_ok=True)
    with whole(folder / "README.md") as aside:
        aside.write_text(card.write(models / "classifier").read_text() + "words\n" * 4000)


def a_predictions_file(folder: Path, models: Path) -> None:
    texts = ["good film " * 9, "bad film " * 9] * 25
    list(predict(str(models / "classifier"), texts, out=folder / "answers.jsonl", batch_size=20))


def a_picture(folder: Path, models: Path) -> None:
    style.save(Figure(), folder / "picture.png")


def the_seeds(folder: Path, models: Path) -> None:
    seeds.note_settings(folder / "out" / "seeds.json", {"dataset": "d" * 9000})


WRITERS = {
    "the model": a_model,
    "the tokenizer": a_tokenizer,
    "the report": a_report,
    "the card": a_card,
    "predictions": a_predictions_file,
    "a picture": a_picture,
    "seeds.json": the_seeds,
    **{
        f"export to {to}": lambda folder, models, to=to, name=name: export(models / name, to, out=folder / "made")
        for to, name in (("stock", "classifier"), ("ctranslate2", "gpt2"))
    },
    "export to onnx": lambda folder, models: export(models / "classifier", "onnx", out=folder / "made"),
}


SLOW = "export to onnx"


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n == SLOW)) for n in WRITERS])
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(name, disk, models, capsys):
    """At each step a little more of what the writer needs is free."""
    folder, leave = disk
    write, failed = WRITERS[name], 0
    for free in (0, 4096, 16384, 65536) if name != SLOW else (16384,):
        before = files(folder)
        leave(free)
        try:
            write(folder, models)
        except BaseException:
            line = said(capsys, lambda: write(folder, models))
            failed += 1
            assert str(folder) in line
            assert "can't be written" in line or "could not be written" in line
            assert "(No space left on device" in line
            assert "free some space" in line
            assert "fault of" not in line
            begun = {"answers.jsonl.partial", "answers.jsonl.state", "run", "run.json"}  # to be gone on with; ours
            assert files(folder) - before <= begun
        else:
            break
        finally:
            leave(None)
    else:
        write(folder, models)
    assert failed
    assert not [name for name in files(folder) if name.startswith((".new-", "tmp-", ".writable"))]


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}


def test_what_stood_there_before_stays_as_it_was(disk, models):
    folder, leave = disk
    for write in (a_model, a_report, a_picture):
        write(folder, models)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    leave(4096)
    for write in (a_model, a_picture):
        with pytest.raises(Exception, match="No space left on device"):
            write(folder, models)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_no_room_for_files_though_for_bytes(disk, models, capsys):
    """As with a quota on the number of files."""
    folder, _ = disk
    subprocess.run(["mount", "-o", "remount,nr_inodes=4", str(folder)], check=True)
    line = said(capsys, lambda: a_model(folder, models))
    assert "(No space left on device" in line
    assert files(folder) == {"filler"}


def test_a_full_folder_for_temporary_files_is_not_the_model_s_fault(disk, capsys, monkeypatch):
    """A check of `verify` that finds no room for what it saves."""
    folder, leave = disk
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    leave(12288)

    def check():
        with scratch("verify-") as aside:
            attempt(lambda: torch.save(torch.zeros(10**5), aside / "batch.pt"))

    line = said(capsys, check)
    assert line.startswith(f"error: the folder for temporary files {folder} can't be written (")
    assert line.endswith("): free some space, or set TMPDIR to another folder")
    assert files(folder) == {"filler"}


def test_the_lock_of_a_full_disk_names_the_place(disk, capsys):
    folder, leave = disk
    (folder / "run").mkdir()
    leave(0)
    line = said(capsys, lambda: lock.acquire(folder / "run"))
    assert line.startswith(f"error: {folder / 'run' / '.lock'} can't be written (No space left on device): free some")
    leave(None)
    assert lock.acquire(folder / "run")
    lock.release(folder / "run")


def test_a_seed_whose_report_found_no_room_is_not_taken_for_done(tmp_path, monkeypatch):
    ran = []

    @seeds.each
    def main(argv):
        if seeds.seed_of_several.get() is None:
            raise seeds.SeveralSeeds([1], str(tmp_path), {})
        ran.append(1)
        raise KeyboardInterrupt

    (tmp_path / "seed-1").mkdir()
    (tmp_path / "seed-1" / "run.json").write_text('{"metrics": {}}')  # and neither report nor card
    with pytest.raises(KeyboardInterrupt):
        main(None)
    assert ran == [1]


def test_an_error_within_a_new_folder_or_scratch_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for make_it in (lambda: whole_folder(tmp_path / "made"), lambda: scratch("a-")):
        with pytest.raises(ZeroDivisionError):
            break_off(make_it())
    assert os.listdir(tmp_path) == []


def break_off(writing) -> None:
    with writing as aside:
        (aside / "half").write_text("half")
        raise ZeroDivisionError
