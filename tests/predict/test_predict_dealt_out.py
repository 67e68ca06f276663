"""The recipes of docs/how-to/many-rows.md for Ray Data and Spark, on this machine; where those are installed."""

import shutil
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import small_checkpoints

import hf_xfmr
from hf_xfmr.predict import predict

N = 300


@pytest.fixture
def given(tmp_path):
    """A model, a Parquet file of rows, and the labels that `predict` gives them."""
    model = small_checkpoints.make(tmp_path) / "classifier"
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(small_checkpoints.WORDS[5:], draw.integers(1, 20))) for _ in range(N)]
    pq.write_table(pa.table({"key": range(N), "text": texts}), tmp_path / "rows.parquet", row_group_size=50)
    return model, tmp_path / "rows.parquet", [one["label"] for one in predict(str(model), texts)]


@pytest.mark.slow
def test_ray_deals_out_batches(given, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", ":".join(filter(None, sys.path)))  # of its workers
    model, rows, expected = given
    ray.init(num_cpus=4, include_dashboard=False, object_store_memory=200_000_000)
    try:
        ray.data.read_parquet(str(rows)).map_batches(
            hf_xfmr.Predict,
            fn_constructor_args=[str(model)],
            batch_size=100,
            compute=ray.data.ActorPoolStrategy(size=2),
            num_cpus=1,
        ).write_parquet(str(tmp_path / "answers"))
    finally:
        ray.shutdown()
    found = pq.read_table(tmp_path / "answers").sort_by("key").to_pydict()
    assert found["key"] == list(range(N))
    assert found["label"] == expected
    assert all(0 <= one <= 1 for one in found["probability"])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark runs on Java")
def test_spark_asks_a_function_of_a_column(given, tmp_path, monkeypatch):
    sql = pytest.importorskip("pyspark.sql")
    from pyspark.sql.functions import pandas_udf

    monkeypatch.setenv("PYTHONPATH", ":".join(filter(None, sys.path)))
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    model, rows, expected = given
    spark = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    ask = hf_xfmr.Predict(model)

    @pandas_udf("label string, probability double, error string")
    def answer(texts: pd.Series) -> pd.DataFrame:
        return ask(pd.DataFrame({"text": texts}))[["label", "probability", "error"]]

    try:
        answered = spark.read.parquet(str(rows)).withColumn("answer", answer("text"))
        answered.write.parquet(str(tmp_path / "answers"))
    finally:
        spark.stop()
    found = pq.read_table(tmp_path / "answers").sort_by("key").to_pydict()
    assert found["key"] == list(range(N))
    assert [one["label"] for one in found["answer"]] == expected
