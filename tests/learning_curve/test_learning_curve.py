"""`curve` on a model of a thousand parameters: what it trains on, what it says, how it goes on, what it refuses."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_checkpoints import make

import hf_xfmr
from hf_xfmr.errors import UserError
from hf_xfmr.learning_curve import curve, fit, said
from hf_xfmr.tasks.classification.subsets import places

QUICK = ["--bf16=false", "--num_train_epochs=1", "--per_device_train_batch_size=32", "--test_fraction=0.3"]


def frame(n: int = 160) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "text": [" ".join([*draw.choice(list("abcdefgh"), 6), ("bad", "good")[i % 2]]) for i in range(n)],
            "label": [("neg", "pos")[i % 2] for i in range(n)],
        }
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("models")) / "base"


def words(base: Path, folder: Path) -> list[str]:
    frame().to_csv(folder / "a.csv", index=False)
    return [f"--dataset={folder / 'a.csv'}", f"--model={base}", *QUICK]


@pytest.mark.slow
def test_a_killed_curve_goes_on_and_ends_with_a_page(base, tmp_path, capsys):
    told = words(base, tmp_path)
    out = tmp_path / "out"
    flags = ["--sizes", "16", "32", "48", "64", "--repeats", "1", "--least_steps", "2", "--output_dir", str(out)]
    command = [sys.executable, "-m", "hf_xfmr", "curve", "classify", *told, *flags]
    killed = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first = out / "rows-16-seed-1" / "README.md"
    until = time.monotonic() + 150
    while not first.exists() and time.monotonic() < until:
        time.sleep(0.1)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert first.exists()
    assert not (out / "curve.html").exists()
    when = first.stat().st_mtime

    record = curve("classify", told, sizes=[16, 32, 48, 64], repeats=1, least_steps=2, output_dir=out, language="zh")
    shown = capsys.readouterr().out
    assert first.stat().st_mtime == when
    assert "(done before)" in shown
    assert [one["rows"] for one in record["runs"]] == record["sizes"] == [16, 32, 48, 64]
    assert all(one["split"] == "test" and one["baseline"] is not None for one in record["runs"])
    runs = [json.loads((out / f"rows-{n}-seed-1/run.json").read_text()) for n in (16, 64)]
    assert [run["checks"]["rows"]["train"] for run in runs] == [16, 64]
    assert len({run["checks"]["rows"]["test"] for run in runs}) == 1
    assert runs[0]["arguments"]["num_train_epochs"] == 2  # one step an epoch, and two at least
    assert not list(out.rglob("*.safetensors"))  # of what nobody will use
    assert record["gain"]["more"] == 64
    assert record["gain"]["low"] <= record["gain"]["value"] <= record["gain"]["high"]
    assert "学习曲线" in (out / "curve.html").read_text()
    assert (out / "curve.png").stat().st_size > 5000
    assert f"--output_dir={out / 'all'}" in shown

    with pytest.raises(UserError, match="holds runs trained with --least_steps 2, not 5"):
        curve("classify", told, least_steps=5, output_dir=out)


def test_from_python_with_rows_that_have_no_name(base, tmp_path):
    settings = {"model": str(base), "bf16": False, "max_steps": 1, "test_fraction": 0.3, "baseline": False}
    found = hf_xfmr.curve(frame(), sizes=[16, 32], repeats=1, output_dir=tmp_path / "out", **settings)
    assert list(found.table.index) == [16, 32]
    assert found.gain is None
    assert found.sentence.startswith("Too few sizes")
    assert "<iframe" in found.report._repr_html_()


@pytest.mark.parametrize(
    ("config", "more", "options", "message"),
    [
        ("gpt2", [], {}, "a curve is of a classification"),
        ("movie-reviewz", [], {}, "no ready configuration"),
        ("classify", ["--folds=5"], {}, "folds is given, but a curve chooses it itself"),
        ("classify", ["--seeds=1"], {}, "seeds is given"),
        ("classify", [], {"repeats": 0}, "--repeats is 0"),
        ("classify", [], {"sizes": [100]}, "--sizes is 100; give two or more"),
        ("classify", [], {"sizes": [4, 100]}, "--sizes is 4, 100; give two or more"),
        ("classify", [], {"language": "fr"}, "language is 'fr'"),
        ("classify", ["oops"], {}, "hf_xfmr curve --help"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(tmp_path, config, more, options, message):
    with pytest.raises(UserError, match=message):
        curve(config, more, output_dir=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_the_law_is_found_again_and_its_interval_holds_the_truth():
    draw, rows = np.random.default_rng(0), [100, 200, 400, 800, 1600] * 3
    told = [0.1 + 2 * n**-0.5 + draw.normal(0, 0.004) for n in rows]
    law = fit.law(rows, told)
    truth = 2 * (1600**-0.5 - 3200**-0.5)
    value, low, high = law.gain(1600, 1600)
    assert low < truth < high
    assert value == pytest.approx(truth, abs=0.006)
    assert law.error(3200) == pytest.approx(0.1 + 2 * 3200**-0.5, abs=0.01)
    assert fit.law([100, 200, 400], [0.3, 0.2, 0.1]) is None


def test_what_a_curve_means():
    def record(value: float, low: float, high: float) -> dict:
        gain = {"more": 2000, "value": value, "low": low, "high": high, "scale": 1.0}
        return {"gain": gain, "figure": "accuracy", "lower": False}

    assert said.sentence(record(0.012, 0.004, 0.02)) == (
        "2,000 more labels would bring about +1.2 points (+0.4 to +2.0) of accuracy."
    )
    assert said.sentence(record(0.002, 0.0, 0.006)).startswith("More labels will not help much: 2,000 more bring")
    assert said.sentence(record(0.012, 0.0, 0.05)).startswith("More labels may help")


def test_fewer_rows_are_part_of_more_and_labels_keep_their_share():
    texts, labels = [f"text {i}" for i in range(200)], [("a", "a", "a", "b")[i % 4] for i in range(200)]
    some, more = set(places(texts, labels, 40, 1)), set(places(texts, labels, 80, 1))
    assert some < more
    assert sum(labels[place] == "b" for place in some) == 10
    assert set(places(texts, labels, 40, 2)) != some
    ratings = np.linspace(0, 1, 200).tolist()
    assert np.mean([ratings[place] for place in places(texts, ratings, 20, 1)]) == pytest.approx(0.5, abs=0.05)
