"""Calibration and bootstrap intervals against closed forms, scikit-learn, scipy and brute force."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, softmax
from sklearn.metrics import f1_score, precision_recall_fscore_support

from hf_xfmr.report import bootstrap
from hf_xfmr.tasks.classification import calibration


def classes(rows, temperature, seed=0, labels=3):
    """Gold drawn from a model's true probabilities, and what it says with logits `temperature` times as large."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, labels)) * 2
    gold = (softmax(logits, axis=1).cumsum(1) < rng.random((rows, 1))).sum(1)
    return softmax(logits * temperature, axis=1), gold


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_spoilt_the_probabilities_is_found(temperature):
    probabilities, gold = classes(20_000, temperature)
    found = calibration.fit_temperature(probabilities, gold)
    assert found == pytest.approx(temperature, rel=0.05)
    held_out, held_out_gold = classes(20_000, temperature, seed=1)
    scaled = calibration.scale(held_out, found, several=False)
    np.testing.assert_allclose(scaled.sum(1), 1)
    np.testing.assert_array_equal(scaled.argmax(1), held_out.argmax(1))
    before, after = (calibration.reliability(p, held_out_gold).error for p in (held_out, scaled))
    assert after < 0.015
    assert temperature == 1.0 or before > 5 * after


def test_the_temperature_of_several_labels_a_row():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5000, 4)) * 2
    gold = rng.random((5000, 4)) < expit(logits)
    found = calibration.fit_temperature(expit(3 * logits), gold)
    assert found == pytest.approx(3, rel=0.06)
    scaled = calibration.scale(expit(3 * logits), found, several=True)
    assert calibration.reliability(scaled, gold).error < 0.02 < calibration.reliability(expit(3 * logits), gold).error


def test_rows_that_are_all_right_have_no_temperature():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert calibration.fit_temperature(probabilities, np.array([0, 1])) is None
    assert calibration.fit_temperature(probabilities[:0], np.array([], int)) is None


def test_rounded_probabilities_of_zero_keep_the_likelihood_finite():
    probabilities, gold = np.array([[1.0, 0.0], [1.0, 0.0], [0.4, 0.6]]), np.array([0, 1, 1])
    assert np.isfinite(calibration.negative_log_likelihood(probabilities, gold))
    assert np.isfinite(calibration.scale(probabilities, 2.0, several=False)).all()


def test_calibration_error_by_hand():
    # Confidence 0.9 twice, one right; 0.6 three times, all right: |0.9 - 1/2| * 2/5 + |0.6 - 1| * 3/5
    top = np.array([0.9, 0.9, 0.6, 0.6, 0.6])
    bins = calibration.reliability(np.stack([top, 1 - top], axis=1), np.array([0, 1, 0, 0, 0]))
    assert bins.rows.tolist() == [3, 2]
    assert bins.error == pytest.approx(0.4 * 2 / 5 + 0.4 * 3 / 5)


def test_figures_at_a_threshold_are_scikit_learns():
    rng = np.random.default_rng(0)
    probability, gold = rng.random(500), rng.random(500) < 0.3
    for threshold in (0.2, 0.5, 0.9):
        yes = probability >= threshold
        precision, recall, f1, _ = precision_recall_fscore_support(gold, yes, average="binary")
        row = calibration.at_threshold(probability, gold, threshold)
        assert [row[k] for k in ("precision", "recall", "f1")] == pytest.approx([precision, recall, f1])
        assert row["accuracy"] == pytest.approx((yes == gold).mean())
        assert row["share"] == pytest.approx(yes.mean())
    assert np.isnan(calibration.at_threshold(probability, gold, 1.1)["precision"])


@pytest.mark.parametrize("decimals", [1, 6])  # with and without many equal probabilities
def test_the_best_threshold_is_the_best_of_all(decimals):
    rng = np.random.default_rng(1)
    gold = rng.random(300) < 0.4
    probability = np.round(expit(rng.normal(size=300) + gold), decimals)
    best = calibration.best_threshold(probability, gold)
    tried = [f1_score(gold, probability >= t) for t in np.unique(probability)]
    assert f1_score(gold, probability >= best) >= max(tried) - 1e-12
    assert calibration.best_threshold(probability, np.zeros(300, bool)) is None


def test_bootstrap_of_a_share_agrees_with_its_standard_error():
    right = np.arange(1000) < 800
    table = np.array([800, 200])
    se = np.sqrt(0.8 * 0.2 / 1000)
    by_counts = bootstrap.resample(lambda t: t[:, :1] / t.sum(1, keepdims=True), bootstrap.counts(table))
    by_rows = bootstrap.resample(lambda w: (w @ right)[:, None] / w.sum(1, keepdims=True), bootstrap.weights(1000))
    for drawn in (by_counts, by_rows):
        assert drawn.shape == (bootstrap.RESAMPLES, 1)
        low, high = bootstrap.interval(drawn)
        assert low[0] == pytest.approx(0.8 - 1.96 * se, abs=0.005)
        assert high[0] == pytest.approx(0.8 + 1.96 * se, abs=0.005)


def test_resamples_are_seeded_and_draw_every_row_as_often_as_the_others():
    first, again = (np.concatenate(list(bootstrap.weights(50))) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first.sum(1), 50)
    assert abs(first.mean(0) - 1).max() < 0.15


def test_weighted_correlations_are_scipys_on_the_repeated_rows():
    rng = np.random.default_rng(2)
    x = rng.integers(0, 8, size=60).astype(float)  # ties
    y = x + rng.normal(size=60)
    weights = next(bootstrap.weights(60))[:5]
    pearson = bootstrap.pearson(x, y, weights)
    ranks = [bootstrap.weighted_ranks(values, weights) for values in (x, y)]
    spearman = bootstrap.pearson(*ranks, weights)
    for i, w in enumerate(weights.astype(int)):
        drawn_x, drawn_y = np.repeat(x, w), np.repeat(y, w)
        assert pearson[i] == pytest.approx(stats.pearsonr(drawn_x, drawn_y).statistic)
        assert spearman[i] == pytest.approx(stats.spearmanr(drawn_x, drawn_y).statistic)


def test_correlation_with_a_constant():
    x, weights = np.arange(10.0), np.ones((1, 10))
    assert bootstrap.pearson(x, np.ones(10), weights)[0] == 0  # predictions that explain nothing
    assert np.isnan(bootstrap.pearson(np.ones(10), x, weights)[0])


def test_a_figure_undefined_in_every_resample_has_no_interval():
    drawn = np.stack([np.full(1000, np.nan), np.linspace(0, 1, 1000)], axis=1)
    drawn[:500, 1] = np.nan
    low, high = bootstrap.interval(drawn)
    assert np.isnan(low[0])
    assert np.isnan(high[0])
    assert 0.5 < low[1] < high[1] < 1


def test_a_temperature_helps_where_probabilities_were_spoilt_and_seldom_where_not():
    spoilt = classes(2000, 2.0)
    assert calibration.helps(*spoilt, calibration.fit_temperature(*spoilt))
    right = [classes(500, 1.0, seed=seed) for seed in range(100)]
    assert sum(calibration.helps(*rows, calibration.fit_temperature(*rows)) for rows in right) <= 4


def test_adaptive_calibration_error_by_hand():
    # Bins of two: (0.95, 0.9) of which one is right, (0.6, 0.6) both right
    top = np.array([0.95, 0.6, 0.9, 0.6])
    bins = calibration.adaptive_reliability(np.stack([top, 1 - top], axis=1), np.array([0, 0, 1, 0]), bins=2)
    assert bins.rows.tolist() == [2, 2]
    assert bins.error == pytest.approx((abs(0.6 - 1) + abs(0.925 - 0.5)) / 2)
