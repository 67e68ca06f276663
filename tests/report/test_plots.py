"""The pictures: what stands in them, and that they fit into a page."""

import itertools
import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

from hf_xfmr.drawing import style
from hf_xfmr.report import curves, plots
from hf_xfmr.tasks.classification.calibration import reliability

HISTORY = [
    {"step": 10, "loss": 0.9, "learning_rate": 1e-4, "epoch": 0.5, "tokens_per_second": 900.0},
    {"step": 20, "loss": 0.5, "learning_rate": 5e-5, "epoch": 1.0, "tokens_per_second": 1100.0},
    {
        "step": 20,
        "eval_loss": 0.6,
        "eval_accuracy": 0.8,
        "eval_f1_micro": 0.8,
        "eval_runtime": 0.2,
        "eval_samples_per_second": 0.5,
        "epoch": 1.0,
    },
    {"step": 30, "loss": float("nan"), "learning_rate": 0.0},
    {"step": 30, "train_runtime": 12.0, "train_loss": 0.7, "epoch": 1.5},
]
NOWHERE = "\U0010fffd\U0010fffc"  # characters that no font has


def words(svg: str) -> list[str]:
    return [node.text for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_learning_curves_show_what_was_logged():
    loss, rate = curves.learning_curves(HISTORY).axes
    training, validation = (line.get_xydata().tolist() for line in loss.lines)
    assert training == [[10, 0.9], [20, 0.5]]
    assert validation == [[20, 0.6]]
    assert rate.lines[0].get_xydata().tolist() == [[10, 1e-4], [20, 5e-5], [30, 0]]
    assert {"loss", "learning rate", "training", "validation", "step"} <= set(words(plots.as_svg(loss.figure)))


def test_progress_curves_show_scores_and_speed_but_no_timing():
    assert curves.scores(HISTORY) == ["eval_accuracy", "eval_f1_micro"]
    later = {"step": 30, "eval_loss": 0.5, "eval_accuracy": 0.9, "eval_f1_micro": 0.9}
    scores, speed = curves.progress_curves([*HISTORY, later]).axes
    assert [line.get_xydata().tolist() for line in scores.lines] == [[[20, 0.8], [30, 0.9]]]
    assert speed.lines[0].get_ydata().tolist() == [900, 1100]


def test_progress_curves_draw_bleu_on_a_scale_of_its_own():
    figures = [{"eval_exact_match": 0.1, "eval_bleu": 12.5}, {"eval_exact_match": 0.3, "eval_bleu": 31.0}]
    history = [{"step": 10 * (i + 1), "eval_loss": 2.0, **figure} for i, figure in enumerate(figures)]
    shares, points = curves.progress_curves(history).axes
    assert [line.get_ydata().tolist() for line in shares.lines] == [[0.1, 0.3]]
    assert [line.get_ydata().tolist() for line in points.lines] == [[12.5, 31.0]]


def test_confusion_matrix_shows_counts_names_and_shares():
    text = words(plots.as_svg(plots.confusion_matrix(np.array([[1234, 12], [0, 7]]), ["no & <b>", "cost $5 $6"])))
    assert {"1,234", "12", "7", "99%", "100%", "no & <b>", "cost $5 $6", "gold", "predicted"} <= set(text)
    assert "0" not in text


@pytest.mark.parametrize("k", [2, 9, 30])
def test_confusion_matrix_is_readable_for_any_number_of_labels(k):
    counts = np.full((k, k), 3) + np.eye(k, dtype=int) * 4321
    figure = plots.confusion_matrix(counts, [f"label {i}" for i in range(k)])
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == k * k
    ticks = figure.axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == [f"label {i}" for i in range(k)]
    for row in (boxes[:k], [tick.get_window_extent() for tick in ticks]):
        assert all(left.x1 <= right.x0 + 1 for left, right in itertools.pairwise(row))
    assert min(text.get_fontsize() for text in figure.axes[0].texts) >= 5


def test_the_many_rows_of_all_others_make_no_other_number_small():
    counts = np.array([[1, 2, 0], [3, 0, 1], [5, 1234567, 7654321]])
    figure = plots.confusion_matrix(counts, ["a", "b", "(99,998 others)"], others=True)
    sizes = {text.get_text().split("\n")[0]: text.get_fontsize() for text in figure.axes[0].texts}
    assert sizes["3"] == sizes["1"] == 10
    assert sizes["7,654,321"] < sizes["3"]


def test_one_point_is_no_curve():
    (speed,) = curves.progress_curves(HISTORY).axes  # accuracy was measured once
    assert speed.get_title(loc="left") == "tokens per second"
    once = [{"step": 10, "loss": 0.9, "learning_rate": 1e-4}, {"step": 10, "eval_loss": 0.6, "eval_accuracy": 0.8}]
    assert not curves.have_losses(once)
    assert not curves.have_progress(once)


def test_small_differences_look_small():
    history = [{"step": i, "loss": 0.6931 + 0.0004 * (i % 2), "learning_rate": 1e-4 - i * 1e-9} for i in range(20)]
    loss, rate = curves.learning_curves(history).axes
    low, high = loss.get_ylim()
    assert low < 0.6931 < 0.6935 < high
    assert 0.0004 / (high - low) < 0.01
    assert rate.get_ylim()[0] == 0


def test_residuals_show_every_row_and_the_mean_of_tenths():
    gold = np.repeat(np.arange(10.0), 20)
    (axes,) = plots.residuals(gold, gold * 0.5).axes
    offsets = axes.collections[0].get_offsets()
    np.testing.assert_allclose(offsets, np.stack([gold, -gold / 2], axis=1))
    means = axes.lines[1].get_xydata()
    assert means[0][1] > means[-1][1]
    assert means[-1][1] < -4


def test_names_that_cannot_stand_along_an_axis_are_numbered():
    assert style.fonts_for(["abc äß", "Ω"])
    assert style.fonts_for([NOWHERE]) is None
    for names in (["yes", NOWHERE], ["yes", "a name of more than twenty-four letters"]):
        assert style.tick_names(names) is None
        text = words(plots.as_svg(plots.confusion_matrix(np.array([[50, 3], [4, 60]]), names)))
        assert {"1", "2"} <= set(text)
        assert not set(names) & set(text)


def test_chinese_names_are_drawn_only_with_a_font_that_has_them(recwarn, chinese_font):
    figure = plots.confusion_matrix(np.array([[5, 1], [2, 4]]), ["负面", "正面"])
    plots.as_svg(figure)
    assert not [w for w in recwarn if "missing from font" in str(w.message)]
    drawn = {tick.get_text() for tick in figure.axes[0].get_xticklabels()}
    assert drawn == ({"负面", "正面"} if chinese_font else {"1", "2"})


def test_reliability_shows_both_curves():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.01, 0.99, size=(200, 1))
    p, gold = np.concatenate([p, 1 - p], axis=1), rng.integers(0, 2, size=200)
    bins = reliability(p, gold)
    axes, rows = plots.reliability(bins, bins).axes
    np.testing.assert_allclose(axes.lines[1].get_xydata(), np.stack([bins.confidence, bins.accuracy], axis=1))
    assert rows.lines[0].get_ydata().sum() == 200
    assert "temperature-scaled" in words(plots.as_svg(axes.figure))
    assert "temperature-scaled" not in words(plots.as_svg(plots.reliability(bins)))


def test_scatter_of_many_points_stays_small():
    rng = np.random.default_rng(0)
    gold = rng.normal(size=20_000)
    assert len(plots.as_svg(plots.scatter(gold, gold + rng.normal(size=20_000)))) < 400_000


def test_svgs_of_one_page_share_no_ids_and_every_reference_resolves():
    pictures = [
        curves.learning_curves(HISTORY),
        curves.progress_curves(HISTORY),
        plots.loss_by_position([3.0, 2.0, 1.5]),
    ]
    svgs = [plots.as_svg(figure) for figure in pictures]
    ids = [name for svg in svgs for name in re.findall(r' id="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    for svg in svgs:
        root = ElementTree.fromstring(svg)
        assert root.tag.endswith("svg")
        assert root.get("viewBox")
        assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg)) <= set(re.findall(r' id="([^"]+)"', svg))
        assert "<style" not in svg  # it would hold for the whole page
        assert "font-family" not in svg


def test_svg_takes_the_pages_colours_and_is_the_same_every_time():
    svg = plots.as_svg(curves.learning_curves(HISTORY))
    assert svg == plots.as_svg(curves.learning_curves(HISTORY))
    used = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", svg))
    assert used <= {"none"} | {f"var(--{name}, {colour})" for name, colour in style.COLOURS.items()}


def test_files(tmp_path):
    figure = plots.confusion_matrix(np.array([[5, 1], [2, 4]]), ["no", "yes"])
    pixels = imread(plots.save(figure, tmp_path / "confusion.png"))
    assert pixels.shape[0] > 400
    assert pixels[0, 0].tolist() == [1, 1, 1, 1]
    assert "yes" in plots.save(figure, tmp_path / "confusion.svg").read_text()


def test_matplotlibs_own_settings_are_left_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    plots.save(curves.learning_curves(HISTORY), tmp_path / "a.png")
    plots.as_svg(plots.loss_by_position([1.0, 0.5]))
    assert dict(matplotlib.rcParams) == before
