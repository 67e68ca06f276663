"""At any byte: a checkpoint that is cut off or flipped is found out, and predictions lose no row and repeat none."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_xfmr.errors import UserError
from hf_xfmr.predict.file import Csv, JsonLines, PredictionFile
from hf_xfmr.predict.parquet import Parquet
from hf_xfmr.predict.row import Row
from hf_xfmr.training import checkpoints
from hf_xfmr.training.checkpoints import Damaged


@given(data=st.data())
def test_a_checkpoint_damaged_anywhere_is_not_resumed_from(trainer, data):
    newest = Path(trainer.args.output_dir, "checkpoint-4")
    path = data.draw(st.sampled_from(sorted(path for path in newest.rglob("*") if path.is_file())))
    whole, said = path.read_bytes(), checkpoints.read(newest)
    if data.draw(st.booleans(), "cut off"):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1), "bytes left")]
    else:
        place = data.draw(st.integers(0, len(whole) - 1), "byte")
        other = data.draw(st.integers(0, 255).filter(lambda value: value != whole[place]), "becomes")
        damaged = whole[:place] + bytes([other]) + whole[place + 1 :]
    path.write_bytes(damaged)
    try:
        says_the_same = False  # white space in the manifest is nobody's business
        with suppress(Damaged):
            says_the_same = path.name == checkpoints.MANIFEST and checkpoints.read(newest) == said
        chosen, manifest = trainer._choose(True)
        assert (chosen.name, manifest["step"]) == (("checkpoint-4", 4) if says_the_same else ("checkpoint-2", 2))
        if not says_the_same:
            with pytest.raises(Damaged):
                checkpoints.check(newest)
    finally:
        path.write_bytes(whole)
    assert trainer._choose(True)[0].name == "checkpoint-4"


COLUMNS = ["id", "text", "label"]
FORMS = {".csv": lambda: Csv(COLUMNS), ".jsonl": JsonLines, ".parquet": lambda: Parquet(COLUMNS, (), {})}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
WINDOWS = st.lists(st.lists(TEXTS, min_size=1, max_size=3), min_size=1, max_size=4)


def predict(folder: Path, windows: list[list[Row]], suffix: str, stop: int | None = None) -> PredictionFile:
    """As `predict` does; `stop` leaves the file after so many windows, as a kill does."""
    out = PredictionFile(folder / f"out{suffix}", FORMS[suffix](), {"model": "m"})
    rows = list(out.rest(row for window in windows for row in window))
    many = len(windows[0])
    for number, start in enumerate(range(0, len(rows), many)):
        if stop == number:
            out.file.flush()
            return out
        window = rows[start : start + many]
        out.write(window, [{"id": row.id, "text": row.text, "label": row.text[::-1]} for row in window])
    if stop is None:
        out.finish()
    return out


@pytest.mark.parametrize(
    "suffix", [".csv", *(pytest.param(one, marks=pytest.mark.slow) for one in (".jsonl", ".parquet"))]
)
@given(windows=WINDOWS, data=st.data())
def test_predictions_killed_at_any_byte_end_as_those_that_were_not(tmp_path, suffix, windows, data):
    folders = [tmp_path / name for name in ("whole", "longer", "killed")]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    whole, longer, killed = folders
    texts = [text for window in windows for text in window]
    rows = [[Row(str(number), text, None) for number, text in enumerate(texts)]]
    many = len(windows[0])
    rows = [rows[0][start : start + many] for start in range(0, len(texts), many)]
    predict(whole, rows, suffix)
    stop = data.draw(st.integers(0, len(rows)), "windows the state knows of")
    predict(killed, rows, suffix, stop=stop)
    predict(longer, rows, suffix, stop=min(stop + 1, len(rows)))
    partial = f"out{suffix}.partial"
    known, written = (killed / partial).stat().st_size, (longer / partial).read_bytes()
    lost = known if stop else 0  # without a state, any part of the beginning may be there
    cut = data.draw(st.integers(lost, max(lost, len(written))), "bytes there")
    (killed / partial).write_bytes(written[:cut])
    predict(killed, rows, suffix)
    found, expected = (folder / f"out{suffix}" for folder in (killed, whole))
    if suffix == ".parquet":  # how rows lie in its pages is as they came
        assert pq.read_table(found).equals(pq.read_table(expected))
    else:
        assert found.read_bytes() == expected.read_bytes()
    assert [path.name for path in killed.iterdir()] == [f"out{suffix}"]


@given(data=st.data())
def test_a_state_that_is_cut_off_is_one_sentence(tmp_path, data):
    shutil.rmtree(tmp_path / "a", ignore_errors=True)
    rows = [[Row("0", "a", None)], [Row("1", "b", None)]]
    (tmp_path / "a").mkdir()
    predict(tmp_path / "a", rows, ".csv", stop=1)
    state = tmp_path / "a" / "out.csv.state"
    text = state.read_text()
    state.write_text(text[: data.draw(st.integers(0, len(text) - 1))])
    with pytest.raises(UserError, match=r"out\.csv\.state is damaged, so that out\.csv\.partial can't be gone on with"):
        predict(tmp_path / "a", rows, ".csv")
    state.write_text(json.dumps({**json.loads(text), "bytes": None}))
    with pytest.raises(UserError, match="is damaged"):
        predict(tmp_path / "a", rows, ".csv")
