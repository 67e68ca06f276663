"""The bench: contestants that take turns, memory that is counted, and a table anyone can make."""

import json
import time

import pytest
import torch

from hf_xfmr.bench import contests, measure
from hf_xfmr.bench.chart import ratios_chart
from hf_xfmr.bench.machine import matrix_rate
from hf_xfmr.bench.table import markdown
from hf_xfmr.bench.workloads import WORKLOADS, Setting
from hf_xfmr.drawing import style

CPU = torch.device("cpu")


def test_contestants_take_turns_on_the_same_batches_and_who_begins_changes():
    seen = []
    work = {name: lambda turn, name=name: seen.append((name, turn)) for name in ("stock", "ours")}
    times = measure.in_turns(work, CPU, until=time.perf_counter() + 60, turns=3)
    warming, turns = seen[:2], seen[2:]
    assert warming == [("stock", 0), ("ours", 0)]
    assert [turn for _, turn in turns] == [0, 0, 1, 1, 2, 2]
    assert [name for name, _ in turns] == ["ours", "stock", "stock", "ours", "ours", "stock"]
    assert {name: len(taken) for name, taken in times.seconds.items()} == {"stock": 3, "ours": 3}


def test_the_ratio_is_the_median_over_turns():
    times = measure.Times({"stock": [4.0, 9.0, 2.0], "ours": [2.0, 3.0, 2.0]})
    assert times.ratio("stock", "ours") == (2.0, 1.5, 2.5)


def test_time_is_up_after_two_turns_at_the_earliest():
    times = measure.in_turns({"ours": lambda turn: time.sleep(0.01)}, CPU, until=time.perf_counter(), turns=9)
    assert len(times.seconds["ours"]) == 2


def test_peak_counts_what_was_held_at_one_time():
    def work():
        a = torch.zeros(1024, 1024)
        b = a + 1
        del a
        return (b * 2).sum()

    assert measure.peak_bytes(work, CPU) == pytest.approx(2 * 4 * 1024**2, abs=4096)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2-rows", "translation-train"])
def test_both_contestants_train_on_the_same_weights_to_the_same_loss(name):
    made = WORKLOADS[name](Setting(CPU, torch.float32, layers=2))
    stock, ours = (float(made.contestants[who](0)) for who in ("stock", "ours"))
    assert ours == pytest.approx(stock, rel=0.01)  # each has dropout of its own
    assert made.tokens(0) > 100


@pytest.mark.slow
def test_sorted_batches_hold_the_same_reviews_without_padding():
    drawn, in_order = (
        WORKLOADS[name](Setting(CPU, torch.float32, layers=1), rows=20) for name in ("bert-infer-sorted", "bert-infer")
    )
    counts = [[made.tokens(turn) for turn in range(50)] for made in (drawn, in_order)]
    assert sum(counts[0]) == sum(counts[1])
    assert counts[0] != sorted(counts[0])  # else the first turns would be the shortest texts'
    assert max(counts[0]) > 2 * max(min(counts[0]), 1)
    answers = [
        torch.as_tensor(work(0)[0] if name == "ONNX Runtime" else work(0)) for name, work in drawn.contestants.items()
    ]
    for theirs in answers:
        torch.testing.assert_close(theirs, answers[0], atol=1e-4, rtol=0)


def test_the_ceiling_is_that_of_the_shape_a_processor_likes_best():
    shapes = ((512, 64, 8), (512, 512, 512))  # the narrow one far below what the square reaches
    best = matrix_rate(torch.float32, CPU, shapes=shapes)
    assert best == pytest.approx(matrix_rate(torch.float32, CPU, shapes=shapes[1:]), rel=0.5)


def test_all_contestants_write_the_same_words():
    prompts = WORKLOADS["gpt2-generate-batch"](Setting(CPU, torch.float32, layers=1), rows=3, new_tokens=5)
    words = {name: work(0) for name, work in prompts.contestants.items()}
    assert torch.equal(words["stock"], words["ours"])
    if "CTranslate2" in words:
        assert [row.sequences_ids[0] for row in words["CTranslate2"]] == words["ours"][:, -5:].tolist()


@pytest.mark.slow
def test_beam_search_ends_each_sentence_at_its_length():
    made = WORKLOADS["translation-beam"](Setting(CPU, torch.float32, layers=2), rows=4)
    stock, ours = (made.contestants[name](0) for name in ("stock", "ours"))
    assert torch.equal(stock, ours)
    ends = (ours == 1).int().argmax(1)  # the end mark, after the mark of the beginning
    assert int(ends.sum()) == made.tokens(0)
    assert len(set(ends.tolist())) > 1


def test_the_chart_names_every_contest():
    results = [
        {"name": "bert-train", "precision": "float32", "ratio": 2.5, "quartiles": [2.4, 2.6]},
        {"name": "import", "precision": "", "ratio": 20.0},
    ]
    svg = style.as_svg(ratios_chart(results))
    assert "bert-train float32" in svg
    assert "20.00" in svg


def test_a_line_keeps_its_columns_apart_and_says_where_ours_is_slower():
    result = {
        "name": "gpt2-generate-batch", "precision": "bfloat16", "ratio": 0.5, "quartiles": [0.4, 12.6],
        "seconds": {"stock": 12.34, "ours": 24.68}, "tokens_per_second": 34567.0, "memory_ratio": 0.47,
        "others": {"CTranslate2": 0.76},
    }  # fmt: skip
    table, *more = contests._lines(result)
    assert len(table) <= 80
    cells = "gpt2-generate-batch bfloat16 0.50 0.4-12.6 12,340.0 ms 24,680.0 ms 34,567"
    assert table.split() == cells.split()
    assert table.split() == [
        "gpt2-generate-batch",
        "bfloat16",
        "0.50",
        "0.4-12.6",
        "12,340.0",
        "ms",
        "24,680.0",
        "ms",
        "34,567",
    ]
    assert more == [
        "  slower than stock: 2.00 times its time",
        "  to CTranslate2: 0.76 (slower)",
        "  memory at its peak: 0.47 of stock's",
    ]
    assert len(contests._HEADER) == 80


def test_the_page_s_table_names_the_processor_and_what_ours_is_slower_at():
    record = {
        "machine": {"device": "Some Chip, 2 cores", "threads": "2", "torch": "2.13", "transformers": "5.23"},
        "ceilings": {"matrix products, float32, flop/s": 3e11, "memory, bytes/s": 1e10},
        "layers": 12,
        "results": [
            {"name": "gpt2-generate", "precision": "float32", "ratio": 1.064, "others": {"CTranslate2": 0.76}},
            {"name": "import", "precision": "", "ratio": 20.0},
        ],
    }
    first, _, *rows = markdown(record).splitlines()
    assert first.startswith("Some Chip, 2 cores; 2 threads; torch 2.13")
    assert "300 Gflop/s in float32" in first
    about = "GPT-2 small, 64 new tokens, greedy, one prompt of 32 tokens"
    assert rows[2:] == [f"| {about} | stock | 1.06 |", f"| {about} | CTranslate2 | **0.76** |"]


@pytest.mark.slow
def test_the_command_prints_and_writes_the_table(capsys, tmp_path, monkeypatch):
    from hf_xfmr import __main__ as command_line

    words = ["bench", "--quick", "--only", "frozen-encoder", "--turns", "2", "--precision", "float32"]
    monkeypatch.setattr("sys.argv", ["hf_xfmr", *words, "--out", str(tmp_path)])
    command_line.run()
    assert "frozen-encoder" in capsys.readouterr().out
    [result] = json.loads((tmp_path / "bench.json").read_text())["results"]
    assert result["ratio"] > 5
    assert (tmp_path / "bench.svg").exists()


@pytest.mark.parametrize(("words", "message"), [
    ([], "there is no GPU that PyTorch can use here .* --device cpu --tiny"),
    (["--device", "cpu"], "--device cpu tries the script alone, and needs --tiny"),
    (["--device", "abacus"], "--device: PyTorch can't use 'abacus' here"),
    (["--device", "cpu", "--tiny", "--only", "bert"], "--only: there is no contest 'bert'; there are bert-train, "),
])  # fmt: skip
def test_a_gpu_s_bench_without_a_gpu_is_one_sentence(words, message, tmp_path, monkeypatch):
    from hf_xfmr import __main__ as command_line
    from hf_xfmr.errors import UserError

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["hf_xfmr", "bench", "gpu", *words, "--out", str(tmp_path)])
    with pytest.raises(UserError, match=message) as error:
        command_line.run()
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_gpu_s_bench_runs_end_to_end_on_a_cpu(capsys, tmp_path, monkeypatch):
    """The same script with tiny models: every part is computed, printed in 80 columns and written; what does not hold
    is said, and is the exit code."""
    from hf_xfmr import __main__ as command_line
    from hf_xfmr.bench.gpu import report

    words = ["bench", "gpu", "--device", "cpu", "--tiny", "--turns", "1", "--precision", "bfloat16"]
    monkeypatch.setattr("sys.argv", ["hf_xfmr", *words, "--out", str(tmp_path)])
    command_line.run()
    record = json.loads((tmp_path / "gpu.json").read_text())
    assert record["holds"]
    assert record["chosen"] == dict.fromkeys(("float32", "float16", "bfloat16"), "sequence by sequence")
    assert {(part["model"], part["precision"], part["what"]) for part in record["parity"]} == {
        (model, precision, what)
        for model in ("bert", "gpt2", "transformer")
        for precision in ("float32", "bfloat16")
        for what in ("logits", "loss", "gradients")
    }
    assert [part["varies"] for part in record["dropout"]] == [True] * 3
    assert [one["name"] for one in record["contests"]] == list(report.CONTESTS)
    assert set(record["contests"][1]["ratios"]) == {"stock", "stock, packed rows", "ours, packed rows"}
    assert 0 < record["contests"][2]["utilisation"] < 1
    printed = capsys.readouterr().out
    table = printed[printed.index("contest   ") :].partition("\n\n")[0].splitlines()
    assert max(map(len, table)) <= 80
    assert table[1].split()[:3] == ["bert-train", "bfloat16", "ours"]
    assert "all of it holds" in printed

    def breaks(on, dtype, size):
        raise RuntimeError("no kernel image is available\nfor this device")

    monkeypatch.setattr(report, "CONTESTS", {"bert-train": breaks})
    for part in ("kernels", "beside_stock", "dropout_means"):
        monkeypatch.setattr(report, part, lambda *args, part=part, **kwargs: record[
            {"kernels": "kernels", "beside_stock": "parity", "dropout_means": "dropout"}[part]
        ])  # fmt: skip
    record["parity"][0] |= {"holds": False, "ours": 0.5, "allowed": 0.1}
    with pytest.raises(SystemExit) as ended:
        command_line.run()
    assert ended.value.code == 1
    printed = capsys.readouterr().out
    assert "bert float32 logits: DOES NOT HOLD: 5.0e-01 apart, 1.0e-01 allowed" in printed
    assert "bert-train        bfloat16  FAILED: RuntimeError: no kernel image is available\n" in printed
    assert "2 of it DO NOT HOLD: see above" in printed
