"""Whole epochs beside stock's, and how cost grows: what the commands print and write, and what a slope means."""

import contextlib
import json

import pytest

from hf_xfmr import __main__ as command_line
from hf_xfmr.bench import epoch, scale
from hf_xfmr.bench.scale_chart import growth_chart
from hf_xfmr.drawing import style
from hf_xfmr.errors import UserError


def run(monkeypatch, *words) -> None:
    monkeypatch.setattr("sys.argv", ["hf_xfmr", "bench", *map(str, words)])
    command_line.run()


def test_a_slope_is_of_the_upper_half_and_has_a_bound():
    linear = scale.Line("work", "rows", "seconds", [(1, 5.0), (10, 5.5), (100, 50.0), (1000, 500.0)], 1.1)
    assert linear.slope == pytest.approx(0.98, abs=0.01)
    assert linear.holds
    assert "FASTER" not in linear.line()
    square = scale.Line("work", "rows", "seconds", [(1, 1.0), (10, 100.0), (100, 10_000.0)], 1.1)
    assert square.slope == pytest.approx(2)
    assert not square.holds
    assert "rows^2.00, at most 1.10  FASTER THAN IT MAY" in square.line()
    svg = style.as_svg(growth_chart([linear.record(), square.record()]))
    assert "rows^0.98" in svg
    assert "rows^2.00" in svg
    assert "1k" in svg


@pytest.mark.slow
def test_quick_scale_measures_each_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(scale.SIZES, "rows", {True: (200, 1_000)})
    monkeypatch.setattr(scale, "TOKENS", {True: 128})
    monkeypatch.setitem(scale.SIZES, "batch", {True: (1, 4)})
    with contextlib.suppress(SystemExit):  # seconds that others' work may have changed
        run(monkeypatch, "scale", "--quick", "--out", tmp_path)
    lines = json.loads((tmp_path / "scale.json").read_text())["lines"]
    assert [line["of"] for line in lines] == ["rows", "rows", "length", "vocabulary", "batch"]
    assert all(len(line["points"]) == 2 and line["points"][1][1] > 0 for line in lines)
    (loss,) = [line for line in lines if line["of"] == "vocabulary"]
    assert loss["holds"]  # bytes, which no other program's work changes
    assert capsys.readouterr().out.count("grows as") == 5
    assert (tmp_path / "scale.svg").exists()


@pytest.mark.parametrize("exponent", [1, 2])
def test_a_slope_that_is_too_steep_is_an_exit_code(exponent, tmp_path, monkeypatch, capsys):
    points = [(size, float(size) ** exponent) for size in (1, 10, 100)]
    line = scale.Line("a step", "batch", "seconds", points, 1.1)
    monkeypatch.setattr(scale, "MEASURED", {"batch": lambda sizes, quick: [line]})
    words = "scale", "--only", "batch", "--out", tmp_path
    if exponent == 1:
        run(monkeypatch, *words)
    else:
        with pytest.raises(SystemExit, match="1"):
            run(monkeypatch, *words)
    assert json.loads((tmp_path / "scale.json").read_text())["lines"][0]["holds"] == (exponent == 1)


def test_a_size_that_is_none_is_refused(tmp_path):
    with pytest.raises(UserError, match="nothing is measured by 'colour'; there are rows, length, vocabulary, batch"):
        scale.bench_scale(only=["colour"], out=tmp_path)


@pytest.mark.slow
def test_a_quick_epoch_trains_all_three_ways_to_like_losses(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(epoch.ROWS, True, 32)
    monkeypatch.setattr(epoch, "WARM", 4)
    run(monkeypatch, "epoch", "--quick", "--out", tmp_path)
    (found,) = json.loads((tmp_path / "epoch.json").read_text())["results"]
    assert list(found["seconds"]) == ["ours", "stock", "stock, padded to 128"]
    losses = [one["loss"] for one in found["seconds"].values()]
    assert losses == pytest.approx([0.69] * 3, abs=0.1)  # one step: dropout and the new head differ
    assert set(found["goals"]) == {"stock", "stock, padded to 128"}
    assert found["ratios"]["stock, padded to 128"] > 1
    out = capsys.readouterr().out
    assert "an epoch of 32 movie reviews in float32" in out
    assert "are loading and collating" in out
    assert max(map(len, out.splitlines()[1:5])) <= 80
