"""The reading of a table beside pyarrow's: what the command prints and writes, and that memory keeps its bar."""

import json

from hf_xfmr.bench.data import bench_data


def test_reading_takes_little_more_than_pyarrow_and_the_file(tmp_path, capsys):
    """Of time only that it was measured: other tests run beside this one."""
    record = bench_data(rows=200_000, turns=1, out=tmp_path)
    assert json.loads((tmp_path / "data.json").read_text())["seconds"] == record["seconds"]
    assert min(record["seconds"].values()) > 0
    assert 0.5 < record["memory"]["ours"] < 4.5  # a file of 22 MB: what Arrow sets aside counts for more
    out = capsys.readouterr().out
    assert "a table of 200,000 rows" in out
    assert "times pyarrow's (median)" in out
