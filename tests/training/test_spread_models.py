"""Where no process holds a whole model, all write with it together, and none waits for another in vain."""

import json

import pytest
import spread_runs
from process_runs import launch


@pytest.mark.distributed
def test_a_spread_model_samples_translates_and_scores_as_a_whole_one(tmp_path):
    done = launch("spread", tmp_path, 2, script=spread_runs.__file__, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    alone = spread_runs.run(tmp_path / "alone", True)
    main, other = (json.loads((tmp_path / f"found-{rank}.json").read_text()) for rank in (0, 1))
    assert len(alone["samples"]) == 2
    assert len(set(alone["translations"])) > 1
    assert main["samples"] == alone["samples"]
    assert other["samples"] == []  # one process prints them
    for found in (main, other):
        assert found["translations"] == alone["translations"]
        assert found["scores"] == pytest.approx(alone["scores"], rel=1e-5)
    assert done.stdout.count("sample at step") == 2
