"""Many rows: Parquet in and out, columns that are kept, several processes that may be killed at any moment, and the
function of a batch for what deals out rows itself."""

import csv
import datetime
import json
import os
import pickle
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import small_checkpoints
from datasets import Dataset

import hf_xfmr
from hf_xfmr.errors import UserError
from hf_xfmr.predict import parquet as parquet_form
from hf_xfmr.predict import predict

N = 400


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    return small_checkpoints.make(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    """A Parquet file whose columns are of several types, one of which is called as the answers' own."""
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(small_checkpoints.WORDS[5:], draw.integers(1, 20))) for _ in range(N)]
    columns = {
        "key": pa.array(range(1000, 1000 + N), pa.int64()),
        "text": texts,
        "label": ["gold"] * N,
        "day": [datetime.date(2024, 1, 1 + n % 28) for n in range(N)],
        "stars": pa.array([None if n % 7 == 0 else n for n in range(N)], pa.int16()),
        "tags": [["a", "b"][: n % 3] for n in range(N)],
    }
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=100)
    return path


def run(model, rows, out, **options) -> None:
    assert list(predict(str(model), file=rows, out=out, **{"id_column": "key", "batch_size": 16, **options})) == []


def test_parquet_comes_and_goes_with_the_types_of_what_is_kept(models, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_form, "ROWS", 256)
    out = tmp_path / "out.parquet"
    run(models / "classifier", rows, out, keep="all,label=gold")
    found, given = pq.read_table(out), pq.read_table(rows)
    kept = ["gold", "day", "stars", "tags"]
    assert found.column_names == ["id", "text", *kept, "label", "probability", "p_LABEL_0", "p_LABEL_1", "error"]
    for name in kept[1:]:
        assert found[name].equals(given[name])
    assert found["gold"].to_pylist() == given["label"].to_pylist()
    assert found["id"].to_pylist() == [str(n) for n in given["key"].to_pylist()]
    assert pq.ParquetFile(out).metadata.num_row_groups == 2
    run(models / "classifier", rows, tmp_path / "out.csv", keep="tags,stars")
    with (tmp_path / "out.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0])[:4] == ["id", "text", "tags", "stars"]
    assert [json.loads(line["tags"]) for line in lines] == given["tags"].to_pylist()
    assert [line["stars"] for line in lines[:2]] == ["", "1"]
    assert [line["label"] for line in lines] == found["label"].to_pylist()
    answers = predict(str(models / "classifier"), file=rows, id_column="key", keep="day,label=gold")
    first = next(iter(answers))
    assert list(first)[:4] == ["id", "text", "day", "gold"]
    assert first["day"] == "2024-01-01"
    run(models / "tagger", rows, tmp_path / "tags.parquet")
    entities = pq.read_table(tmp_path / "tags.parquet")["entities"].to_pylist()
    assert any(entities)
    assert {name for row in entities for one in row for name in one} == {"type", "text", "start", "end", "probability"}


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ("all", 'the answers have a column "label" of their own: .* --keep all,label=label_before'),
        ("nothing", '--keep names "nothing", but there is "key", "text", "label"'),
        ("day=stars,stars", '--keep makes two columns "stars"'),
        (" , ", "names no column"),
        ("day=p_LABEL_1", 'a column "p_LABEL_1" of their own'),
    ],
)
def test_columns_that_cannot_be_kept_are_named(models, rows, tmp_path, keep, message):
    with pytest.raises(UserError, match=message):
        run(models / "classifier", rows, tmp_path / "out.csv", keep=keep)
    assert list(tmp_path.iterdir()) == []


def test_rows_that_cannot_be_read_keep_their_place_and_their_columns(models, tmp_path):
    (tmp_path / "a.jsonl").write_text('no json\n{"text": "good", "n": 1, "x": {"y": [2]}}\n{"text": "", "n": 2}\n')
    out = tmp_path / "out.parquet"
    with pytest.raises(UserError, match="2 rows have an `error`"):
        list(predict(str(models / "classifier"), file=tmp_path / "a.jsonl", out=out, keep="all"))
    found = pq.read_table(out).to_pylist()
    assert [one["n"] for one in found] == [None, "1", "2"]  # JSON lines have no types: texts
    assert [one["x"] for one in found] == [None, '{"y": [2]}', None]
    assert [bool(one["error"]) for one in found] == [True, False, True]
    with pytest.raises(UserError, match="texts have no columns"):
        list(predict(str(models / "classifier"), ["good"], keep="all"))


def command(model, rows, out, *more, ranks: int | None = None, launcher: str = "torchrun") -> list[str]:
    words = ["predict", str(model), "--file", str(rows), "--out", str(out), "--id_column", "key", "--batch_size", "2"]
    words += ["--keep", "day,label=gold", *more]
    if ranks is None:
        return [sys.executable, "-m", "hf_xfmr", *words]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begins = {
        "torchrun": ["torch.distributed.run", "--nproc_per_node", str(ranks), "--master_port", str(port)],
        # Without --multi_gpu, which says several processes and asks for no GPU, it begins one where there is none.
        "accelerate": [
            *("accelerate.commands.launch", "--multi_gpu", "--num_processes", str(ranks), "--num_machines", "1"),
            *("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", str(port)),
        ],
    }
    return [sys.executable, "-m", *begins[launcher], "-m", "hf_xfmr", *words]


def begin(words) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def children(process: int) -> list[int]:
    """Processes below a process that predict, the launcher's ranks or the command's own."""
    found, new = [], [process]
    while new:
        some = [int(one) for parent in new for one in _below(parent)]
        found, new = found + some, some
    return found


def _below(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []


def done_in(out: Path) -> int:
    try:
        return json.loads(out.with_name(f"{out.name}.state").read_text())["rows"]
    except (OSError, ValueError):
        return 0


def kill_one(process: subprocess.Popen, out: Path, at_least: int, pick, meanwhile=None) -> None:
    """Kill one of a command's processes by SIGKILL when so many rows are written; before, while the command is stopped,
    something else may be done."""
    deadline = time.monotonic() + 240
    while done_in(out) < at_least and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    if process.poll() is None:
        if meanwhile is not None:
            os.kill(process.pid, signal.SIGSTOP)
            meanwhile()
            os.kill(process.pid, signal.SIGCONT)
        os.kill(pick([process.pid, *children(process.pid)]), signal.SIGKILL)
    process.communicate(timeout=120)
    for left in children(process.pid):  # a launcher that was killed leaves its ranks
        os.kill(left, signal.SIGKILL)


def same(out: Path, whole: Path) -> None:
    """The same rows in the same order: no row lost or twice. Probabilities may differ by rounding, as batches do."""
    found, expected = (pq.read_table(one).to_pandas() for one in (out, whole))
    exact = ["id", "text", "day", "gold", "label"]
    pd.testing.assert_frame_equal(found[exact], expected[exact])
    assert np.allclose(found["probability"], expected["probability"], atol=2e-6)


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_two_processes_write_what_one_does_and_any_may_be_killed_at_any_moment(models, rows, tmp_path, times):
    model, whole, out = models / "classifier", tmp_path / "whole.parquet", tmp_path / "out.parquet"
    run(model, rows, whole, keep="day,label=gold", batch_size=2)
    draw = random.Random(0)

    def try_it_too() -> None:
        with pytest.raises(UserError, match="is being written by another process"):
            run(model, rows, out, keep="day,label=gold", batch_size=2)

    process = begin(command(model, rows, out, "--processes", "2"))
    kill_one(process, out, 1, lambda all_of_them: all_of_them[0], try_it_too)  # the one that writes
    assert process.returncode == -signal.SIGKILL
    some = done_in(out)
    assert 0 < some < N
    if times == 2:
        process = begin(command(model, rows, out, "--processes", "2"))
        kill_one(process, out, some + 1, lambda all_of_them: draw.choice(all_of_them[1:]))  # one that answers
        if process.returncode:  # it may have been the one that watches over shared memory, which costs nothing
            assert process.returncode == 2
        if out.exists():
            return same(out, whole)
    with pytest.raises(UserError, match="begun with another columns kept"):
        run(model, rows, out, batch_size=2)
    run(model, rows, out, keep="day,label=gold", batch_size=2)  # and one alone goes on
    same(out, whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "whole.parquet"]


@pytest.mark.distributed
def test_ranks_of_a_launcher_share_the_rows_and_any_may_be_killed(models, rows, tmp_path):
    model, whole, out = models / "classifier", tmp_path / "whole.parquet", tmp_path / "out.parquet"
    run(model, rows, whole, keep="day,label=gold", batch_size=2)
    process = begin(command(model, rows, out, ranks=2))
    kill_one(process, out, 1, lambda all_of_them: all_of_them[-1])
    assert process.returncode
    assert 0 < done_in(out) < N
    process = begin(command(model, rows, out, ranks=2))
    printed, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert f"{N} rows, " in printed
    assert printed.count("rows") == 1  # one of them speaks
    same(out, whole)


@pytest.mark.slow
def test_accelerate_begins_them_too(models, rows, tmp_path):
    model, whole, out = models / "classifier", tmp_path / "whole.parquet", tmp_path / "out.parquet"
    run(model, rows, whole, keep="day,label=gold", batch_size=2)
    process = begin(command(model, rows, out, ranks=2, launcher="accelerate"))
    printed, said = process.communicate(timeout=400)
    assert process.returncode == 0, said
    assert f"{N} rows: " in printed
    assert printed.count("rows") == 1
    same(out, whole)


def test_what_several_processes_cannot_do_is_said(models, rows, tmp_path, monkeypatch):
    model = models / "classifier"
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="a launcher has begun 2 processes: leave --processes out"):
        run(model, rows, tmp_path / "a.csv", processes=2)
    with pytest.raises(UserError, match="give --file and --out"):
        list(predict(str(model), ["good"]))
    monkeypatch.delenv("WORLD_SIZE")
    with pytest.raises(UserError, match="processes is 0; it must be at least 1"):
        run(model, rows, tmp_path / "a.csv", processes=0)


def test_predict_is_a_function_of_a_batch(models, rows):
    ask = hf_xfmr.Predict(models / "classifier")
    texts = pq.read_table(rows)["text"].to_pylist()[:40]
    expected = [one["label"] for one in predict(str(models / "classifier"), texts)]
    found = ask({"text": texts})
    assert found["label"] == expected
    assert found["text"] is texts
    assert found["error"] == [None] * 40
    again = pickle.loads(pickle.dumps(ask))  # without its weights, which it loads where it is called
    assert again._predictor is None
    arrays = again({"text": np.array(texts, object)})
    assert list(arrays["label"]) == expected
    assert arrays["probability"].dtype == np.float64
    frame = ask(pd.DataFrame({"text": [*texts, None]}, index=range(5, 46)))
    assert list(frame["label"][:-1]) == expected
    assert frame["error"].iloc[-1] == "no text"
    assert list(frame.index) == list(range(5, 46))
    mapped = Dataset.from_dict({"text": texts}).map(ask, batched=True, batch_size=16)
    assert mapped["label"][:] == expected
    with pytest.raises(UserError, match='has a column "label" already: rename it, or give prefix='):
        ask({"text": texts, "label": expected})
    assert (
        hf_xfmr.Predict(models / "classifier", prefix="p.")({"text": texts, "label": expected})["p.label"] == expected
    )
    with pytest.raises(UserError, match='no column "text": it has "body"'):
        ask({"body": texts})
    entities = hf_xfmr.Predict(models / "tagger")({"text": texts})["entities"]
    assert any(entities)
