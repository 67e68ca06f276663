"""Properties: what holds for every input, tried on many that hypothesis makes up, the same ones each time."""

import pytest
from hypothesis import HealthCheck, settings
from training_runs import make_trainer

settings.register_profile(
    "the same each time",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("the same each time")


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    """Of a run with the checkpoints of steps 2 and 4."""
    folder = tmp_path_factory.mktemp("run")
    options = {"max_steps": 4, "save_steps": 2, "eval_strategy": "no", "save_total_limit": None}
    trainer = make_trainer(folder, **options, load_best_model_at_end=False, metric_for_best_model=None)
    trainer.train()
    return trainer
