"""Tables as people have them: each of the small files in files/, and what must be understood of it (table.yaml)."""

from pathlib import Path

import pytest
import yaml

from hf_xfmr.data.sources import load_dataset_dict
from hf_xfmr.data.table.reading import Reading
from hf_xfmr.data.table.settings import TableSettings
from hf_xfmr.errors import UserError
from hf_xfmr.tasks.classification.read import read_labelled
from hf_xfmr.tasks.classification.settings import ClassificationSettings

HERE = Path(__file__).parent
TABLE = yaml.safe_load((HERE / "table.yaml").read_text(encoding="utf-8"))
READ = [entry for entry in TABLE if "labelled" not in entry]
LABELLED = [entry for entry in TABLE if "labelled" in entry]


def name_of(entry: dict) -> str:
    return "-".join([entry["file"], *entry.get("flags", {}), *entry.get("labelled", {}).get("flags", {})])


@pytest.mark.parametrize("entry", LABELLED, ids=map(name_of, LABELLED))
def test_labels_are_understood_or_asked_about(entry):
    told = entry["labelled"]
    settings = ClassificationSettings(validation_fraction=0, test_fraction=0, **told.get("flags", {}))
    path = str(HERE / "files" / entry["file"])
    if "asks" in told:
        with pytest.raises(UserError) as caught:
            read_labelled(path, settings)
        assert told["asks"] in str(caught.value)
        return
    read = read_labelled(path, settings)
    assert (read.problem.problem_type, read.problem.label_names) == (told["problem"], told["labels"])
    assert len(read.splits["train"]) == told["rows"]
    assert [note for note in told.get("notes", []) if not any(note in said for said in read.notes)] == []


@pytest.mark.parametrize("entry", READ, ids=map(name_of, READ))
def test_a_file_is_understood_or_asked_about(entry):
    path, readings = HERE / "files" / entry["file"], []
    table = TableSettings(**entry.get("flags", {}))
    if "asks" in entry:
        with pytest.raises(UserError) as caught:
            load_dataset_dict(str(path), table=table)
        assert str(caught.value).startswith((str(path), "--"))
        assert entry["asks"] in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    told = entry["understood"]
    splits = load_dataset_dict(str(path), table=table, readings=readings)
    (reading,) = readings
    rows = next(iter(splits.values()))
    found = {name: str(rows.data.schema.field(name).type) for name in rows.column_names if name in told["columns"]}
    assert found == told["columns"]
    assert {split: len(part) for split, part in splits.items()} == told.get("splits", {"train": told["rows"]})
    if "first" in told:
        assert list(rows[0].values()) == told["first"]
    for name in ("format", "compression", "encoding", "delimiter", "rows", "header"):
        if name in told:
            assert getattr(reading, name) == told[name], name
    assert [note for note in told.get("notes", []) if not any(note in said for said in reading.notes)] == []
    assert len(reading.notes) >= len(told.get("notes", []))
    line = reading.line()
    assert line.startswith(f"read: {entry['file']} as {reading.format}")
    assert "\n" not in line


def test_every_file_stands_in_the_table():
    assert {entry["file"] for entry in TABLE} == {path.name for path in (HERE / "files").iterdir()}
    assert len(TABLE) >= 60


def test_the_line_says_how_the_file_was_read():
    readings: list[Reading] = []
    load_dataset_dict(str(HERE / "files/german-1252.csv"), readings=readings)
    assert readings[0].line() == "read: german-1252.csv as CSV, semicolons, windows-1252, 3 rows, 3 columns"
    load_dataset_dict(str(HERE / "files/kaggle.csv"), readings=readings)
    assert readings[1].line() == (
        "read: kaggle.csv as CSV, commas, UTF-8, 2 rows, 2 columns; 3 empty columns without a name at the end left out"
    )
