"""What was evaluated with the weights that a run ends with is not predicted again."""

import numpy as np
import pytest
from training_runs import make_trainer

from hf_xfmr.run import training


@pytest.mark.parametrize("best_at_end", [True, False])
def test_the_last_or_best_evaluation_is_what_would_be_predicted(best_at_end, tmp_path, monkeypatch):
    trainer = make_trainer(
        tmp_path,
        load_best_model_at_end=best_at_end,
        learning_rate=0.02,  # so high that the best is not the last
    )
    trainer.compute_metrics = lambda outcome: {}  # without figures, an evaluation keeps no outputs
    training.train(trainer)
    if best_at_end:
        assert trainer.state.best_global_step < trainer.state.global_step
    anew = trainer.predict(trainer.eval_dataset).predictions
    asked = []
    predict = trainer.predict
    monkeypatch.setattr(trainer, "predict", lambda rows: asked.append(rows) or predict(rows))
    assert np.array_equal(trainer.predictions(trainer.eval_dataset), anew)
    assert not asked
    assert len(trainer.predictions(trainer.train_dataset)) == len(trainer.train_dataset)
    assert len(asked) == 1


def test_a_run_that_was_finished_before_predicts_the_same(tmp_path):
    found = []
    for _ in range(2):  # the second has no evaluation of its own
        trainer = make_trainer(tmp_path, max_steps=12)
        trainer.compute_metrics = lambda outcome: {}
        training.train(trainer)
        found.append(trainer.predictions(trainer.eval_dataset))
    assert np.array_equal(*found)
