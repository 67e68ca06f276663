"""Servers of one checkpoint under load, side by side: what the command measures, and what it refuses."""

import json

import pytest
from small_checkpoints import make

from hf_xfmr.bench.serve import bench_serve
from hf_xfmr.errors import UserError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = make(tmp_path_factory.mktemp("models")) / "classifier"
    config = json.loads((folder / "config.json").read_text())
    config["text_window"] = {"max_length": 32, "over_long": "head", "overlap": None, "pair": False}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_what_can_not_be_measured_is_said(model, tmp_path):
    with pytest.raises(UserError, match="at least one client"):
        bench_serve(str(model), clients=0, out=tmp_path)
    with pytest.raises(UserError, match="no run of train classify"):
        bench_serve(str(model.parent / "gpt2"), out=tmp_path)


@pytest.mark.slow
def test_every_server_answers_alike_and_is_measured(model, tmp_path, capsys):
    found = bench_serve(str(model), clients=8, requests=40, turns=1, out=tmp_path)
    assert {"ours", "FastAPI + pipeline"} <= set(found)
    for load in found.values():
        assert 0 < load["p50"] <= load["p99"]
        assert min(load.values()) > 0
    assert json.loads((tmp_path / "serve.json").read_text())["servers"] == found
    printed = capsys.readouterr().out
    assert "40 texts by 8 clients at a time" in printed
    assert max(map(len, printed.splitlines()[:-1])) <= 80
