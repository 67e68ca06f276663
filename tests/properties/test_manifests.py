"""A manifest whose seal is right and that says something odd: skipped by name, never an error of Python's."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_xfmr.errors import UserError
from hf_xfmr.training import checkpoints

NESTED: list = []
for _ in range(200):
    NESTED = [NESTED]
ODD = [
    None,
    True,
    -1,
    0,
    10**30,
    10**400,
    0.5,
    1e308,
    float("inf"),
    float("nan"),
    "",
    "x\0",
    "../x",
    [],
    {},
    [1],
    NESTED,
]


def places(value, path=()) -> list[tuple]:
    """Of everything in a manifest, where it stands."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        found += places(one, (*path, key))
    return found


def changed(manifest: dict, path: tuple, value, gone: bool) -> dict:
    manifest = copy.deepcopy(manifest)
    inner = manifest
    for key in path[:-1]:
        inner = inner[key]
    if gone:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return manifest


def write(path: Path, body: dict) -> None:
    """Sealed as `checkpoints.seal` does, which would not write what JSON has not."""
    path.write_text(json.dumps({**body, "sha256": checkpoints._seal_of(body)}))


@given(data=st.data())
def test_an_odd_manifest_is_skipped_refused_or_makes_no_difference(trainer, data):
    newest = Path(trainer.args.output_dir, "checkpoint-4")
    text, manifest = (newest / checkpoints.MANIFEST).read_text(), checkpoints.read(newest)
    everywhere = [path for path in places(manifest) if path[:2] != ("data", "settings") or len(path) < 4]
    path = data.draw(st.sampled_from(everywhere), "place")
    value, gone = data.draw(st.sampled_from(ODD), "value"), data.draw(st.booleans(), "gone")
    odd = changed(manifest, path, value, gone)
    try:
        write(newest / checkpoints.MANIFEST, odd)
        chosen = outcome(trainer)
    finally:
        (newest / checkpoints.MANIFEST).write_text(text)
    assert chosen in ("checkpoint-2", "checkpoint-4", "refused")
    depends = path[0] == "data" and path[1:2] not in (("settings",), ("held_out",), ("weights_only",))
    if path == ("data", "evaluated") and gone:  # of a run without evaluations, which may have them from now on
        depends = False
    if depends and odd != manifest:
        assert chosen != "checkpoint-4", "a fact that a run depends on was taken in silence"


def outcome(trainer) -> str:
    """The checkpoint that a run goes on from; or that a setting or the data are refused as others."""
    try:
        return trainer._choose(True)[0].name
    except UserError as error:
        return "refused" if "checkpoint-4 can't be resumed: " in str(error) else str(error)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (("data", "settings"), "does not say settings of its data"),
        (("data", "held_out"), "does not say held_out of its data"),
        (("log",), "does not say log"),
        (("machine",), "does not say machine"),
        (("data", "seed"), "does not say seed of its data"),
    ],
)
def test_a_manifest_without_a_part_is_skipped_in_one_line(trainer, capsys, path, says):
    newest = Path(trainer.args.output_dir, "checkpoint-4")
    text, manifest = (newest / checkpoints.MANIFEST).read_text(), checkpoints.read(newest)
    try:
        write(newest / checkpoints.MANIFEST, changed(manifest, path, None, gone=True))
        chosen, _ = trainer._choose(True)
        assert chosen.name == "checkpoint-2"
        assert capsys.readouterr().out.splitlines() == [f"skipped {newest} (its manifest.json {says})"]
    finally:
        (newest / checkpoints.MANIFEST).write_text(text)
