"""Who sets one of evaluation's and checkpoints' steps need not know of the other, or of the best checkpoint."""

import classify_bert
import pytest

from hf_xfmr.errors import UserError
from hf_xfmr.run.settings import parse


def parsed(tmp_path, *words):
    return parse(classify_bert.Settings, argv=["--dataset", "x.csv", "--output_dir", str(tmp_path / "run"), *words])[1]


@pytest.mark.parametrize(
    ("words", "expected", "said"),
    [
        ("", ("epoch", "epoch", True), ""),
        ("--save_strategy no", ("epoch", "no", False), "save_strategy is no: the run ends with the last step's"),
        ("--eval_strategy no", ("no", "epoch", False), "eval_strategy is no: the run ends with the last step's"),
        ("--save_strategy steps", ("steps", "steps", True), "eval_strategy is steps too: the best checkpoint needs"),
        ("--eval_strategy steps", ("steps", "steps", True), "save_strategy is steps too: the best checkpoint needs"),
        ("--save_strategy best", ("epoch", "best", True), ""),
        ("--save_strategy no --load_best_model_at_end false", ("epoch", "no", False), ""),
        ("--eval_strategy steps --save_strategy epoch --load_best_model_at_end false", ("steps", "epoch", False), ""),
    ],
)
def test_what_is_not_given_follows_what_is(tmp_path, words, expected, said):
    args = parsed(tmp_path, *words.split())
    found = (str(args.eval_strategy.value), str(args.save_strategy.value), args.load_best_model_at_end)
    assert found == expected
    assert " ".join(args.settled).startswith(said) if said else not args.settled


@pytest.mark.parametrize("name", ["eval_steps", "save_steps"])
def test_checkpoints_come_with_evaluations(tmp_path, name):
    args = parsed(tmp_path, "--eval_strategy", "steps", f"--{name}", "7")
    assert (args.eval_steps, args.save_steps) == (7, 7)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--save_strategy no --load_best_model_at_end true",
            "save_strategy is no, so that there is no best",
        ),
        ("--eval_strategy steps --save_strategy epoch", "needs both alike: leave one of them out, or add --load_best"),
        (
            "--eval_strategy steps --save_strategy steps --eval_steps 4 --save_steps 6",
            "make the first a multiple of the second, or add --load_best_model_at_end false",
        ),
    ],
)
def test_what_excludes_one_another_is_named_with_the_setting_that_nobody_gave(tmp_path, words, message):
    with pytest.raises(UserError) as caught:
        parsed(tmp_path, *words.split())
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("figure", "greater"),
    [("rmse", False), ("eval_mae", False), ("perplexity", False), ("bits_per_byte", False), ("loss", False),
     ("accuracy", True), ("eval_f1_macro", True), ("pearson", True)],
)  # fmt: skip
def test_the_best_checkpoint_has_the_least_of_what_is_better_low(tmp_path, figure, greater):
    """Trainer alone would take the most of whatever does not end with "loss": of ratings the worst checkpoint."""
    args = parsed(tmp_path, "--metric_for_best_model", figure)
    assert args.greater_is_better == greater


def test_a_direction_against_the_figure_is_refused(tmp_path):
    with pytest.raises(UserError, match="greater_is_better is true, and of rmse less is better: leave"):
        parsed(tmp_path, "--metric_for_best_model", "rmse", "--greater_is_better", "true")
    other = parsed(tmp_path, "--metric_for_best_model", "accuracy", "--greater_is_better", "false")
    assert other.greater_is_better is False
