"""Properties: what holds for every input, tried on many that hypothesis makes up, the same ones each time."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "the same each time",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("the same each time")
