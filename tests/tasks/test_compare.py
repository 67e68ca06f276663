"""Two runs on the same rows: real differences are found, chance is called chance, other rows are refused."""

import csv
import json

import numpy as np
import pytest

from hf_xfmr.commands import compare as command
from hf_xfmr.errors import UserError
from hf_xfmr.report.verdict import short
from hf_xfmr.tasks.compare import compare
from hf_xfmr.tasks.tagging.metrics import tagging_metrics


def write(folder, name, columns, rows, **run):
    folder.mkdir()
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if name.endswith("tsv") else ",")
        writer.writerow(columns)
        writer.writerows(rows)
    (folder / "run.json").write_text(json.dumps(run))
    return folder


def classified(folder, right: np.ndarray, seed=0, texts=None, order=None):
    """A run that gets those rows right."""
    gold = np.random.default_rng(seed).integers(0, 2, len(right))
    said = np.where(right, gold, 1 - gold)
    texts = texts or [f"text {i}" for i in range(len(right))]
    rows = [
        (i, texts[i], "ab"[gold[i]], "ab"[said[i]], *((0.9, 0.1) if said[i] == 0 else (0.1, 0.9)))
        for i in (order if order is not None else range(len(right)))
    ]
    columns = ("id", "text", "gold", "predicted", "p_a", "p_b")
    return write(folder, "predictions-test.csv", columns, rows, problem_type="single_label_classification")


def test_mcnemar_by_hand_and_in_another_order(tmp_path, capsys):
    a, b = np.ones(200, bool), np.ones(200, bool)
    a[:30] = False  # 30 that only B has right
    b[30:40] = False  # 10 that only A has
    order = np.random.default_rng(0).permutation(200)
    found = compare(classified(tmp_path / "a", a), classified(tmp_path / "b", b, order=order))
    accuracy = found["figures"][0]
    assert accuracy["name"] == "accuracy"
    assert (accuracy["a"], accuracy["b"]) == (0.85, 0.95)
    # exact binomial: twice the chance of 10 or fewer of 40 flips
    from math import comb

    assert accuracy["p"] == pytest.approx(2 * sum(comb(40, k) for k in range(11)) / 2**40)
    assert accuracy["low"] == pytest.approx(0.1 - 1.96 * np.sqrt((40 / 200 - 0.1**2) / 200), abs=0.015)
    command.run(type("Arguments", (), {"a": tmp_path / "a", "b": tmp_path / "b", "json": False}))
    said = capsys.readouterr().out
    assert "McNemar, exact: 30 rows only B has right, 10 only A" in said
    assert said.startswith(
        "B is better than A, and not by chance: accuracy A 0.850, B 0.950 on 200 test rows (p = 0.002)"
    )
    assert "accuracy: B is better" in said.splitlines()


def test_what_chance_explains_is_no_significant_difference(tmp_path, capsys):
    draw = np.random.default_rng(0)
    runs = [classified(tmp_path / name, draw.random(4000) < 0.8) for name in "ab"]
    command.run(type("Arguments", (), {"a": runs[0], "b": runs[1], "json": False}))
    said = capsys.readouterr().out
    assert said.startswith("No difference between A and B that chance would not make: accuracy A ")
    assert all(short(one) == "no difference beyond chance" for one in compare(runs[0], runs[0])["figures"])


def test_other_rows_are_refused_naming_the_first(tmp_path):
    right = np.ones(20, bool)
    a = classified(tmp_path / "a", right)
    texts = [f"text {i}" for i in range(20)]
    texts[7] = "another"
    b = classified(tmp_path / "b", right, texts=texts)
    with pytest.raises(
        UserError, match=r"row 7 \(id 7\) has another text in .*a/predictions-test\.csv than in .*b/pred"
    ):
        compare(a, b)
    with pytest.raises(UserError, match=r"row 18 of .*a.* \(id 18\) is not in .*c"):
        compare(a, classified(tmp_path / "c", right, order=range(18)))
    with pytest.raises(UserError, match=r"row 18 of .*a.* \(id 18\) is not in .*c"):
        compare(tmp_path / "c", a)
    with pytest.raises(UserError, match=r"has another gold label"):
        compare(a, classified(tmp_path / "d", right, seed=1))
    with pytest.raises(UserError, match=r"holds no run\.json"):
        compare(a, tmp_path)
    write(tmp_path / "e", "translations-test.tsv", ("id",), [])
    with pytest.raises(UserError, match=r"e/predictions-test\.csv is missing"):
        compare(a, tmp_path / "e")


def test_ratings_by_a_paired_bootstrap(tmp_path):
    draw = np.random.default_rng(0)
    gold = draw.normal(size=400)
    runs = []
    for name, noise in (("a", 0.6), ("b", 0.4)):
        rows = [
            (i, f"t{i}", g, g + noise * e) for i, (g, e) in enumerate(zip(gold, draw.normal(size=400), strict=True))
        ]
        columns = ("id", "text", "gold", "predicted")
        runs.append(write(tmp_path / name, "predictions-test.csv", columns, rows, problem_type="regression"))
    found = {one["name"]: one for one in compare(*runs)["figures"]}
    assert short(found["pearson"]) == short(found["mae"]) == "B is better"
    assert found["mae"]["difference"] < 0 < found["pearson"]["difference"]


def test_translations_by_sacrebleu(tmp_path):
    draw, words = np.random.default_rng(1), [f"w{i}" for i in range(50)]
    references = [" ".join(draw.choice(words, 8)) for _ in range(120)]

    def spoilt(share):
        keep = [[w if draw.random() > share else "x" for w in line.split()] for line in references]
        return [" ".join(line) for line in keep]

    runs = []
    for name, share in (("a", 0.5), ("b", 0.3), ("c", 0.3)):
        rows = [(i, f"s{i}", r, t) for i, (r, t) in enumerate(zip(references, spoilt(share), strict=True))]
        columns = ("id", "source", "reference", "translation")
        runs.append(write(tmp_path / name, "translations-test.tsv", columns, rows, data=["BLEU nrefs:1|tok:13a|x"]))
    better = compare(runs[0], runs[1])["figures"]
    assert [one["name"] for one in better] == ["BLEU", "chrF"]
    assert [short(one) for one in better] == ["B is better"] * 2
    same = compare(runs[1], runs[2])["figures"]
    assert [short(one) for one in same] == ["too few rows to tell"] * 2  # of BLEU a difference of 2 may hide
    assert all(one["low"] < 0 < one["high"] for one in same)


def test_language_models_by_document(tmp_path):
    draw = np.random.default_rng(0)
    size = draw.integers(50, 500, 100)
    hard = size * draw.gamma(4, 0.3, 100)
    columns = ("id", "text", "sha256", "bytes", "characters", "tokens", "nats")

    def language_model(name, factor, documents=100):
        rows = [(i, "t", f"{i:x}", size[i], size[i], size[i], hard[i] * factor) for i in range(documents)]
        return write(tmp_path / name, "documents-validation.csv", columns, rows)

    a, b = language_model("a", 1.0), language_model("b", 0.98)
    found = compare(a, b)
    assert found["split"] == "validation"
    (figure,) = found["figures"]
    assert figure["a"] == pytest.approx(hard.sum() / np.log(2) / size.sum())
    assert short(figure) == "B is better"  # 2 % in every document: paired, that is plain
    with pytest.raises(UserError, match="has 5 documents; fewer than 10 say nothing about chance"):
        compare(language_model("c", 1, 5), language_model("d", 1, 5))


def test_taggers_by_sentence(tmp_path):
    draw = np.random.default_rng(0)
    gold = [["O", "B-LOC", "I-LOC", "O", "B-PER"] for _ in range(200)]

    def tagger(name, share):
        rows = [
            {
                "id": str(i),
                "tokens": list("ab\u2028de"),
                "gold": tags,
                "predicted": tags if hit else ["O"] * 4 + tags[4:],
            }
            for i, (tags, hit) in enumerate(zip(gold, draw.random(200) < share, strict=True))
        ]
        folder = write(tmp_path / name, "unused.csv", (), (), recipe="tag_bert")
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / "predictions-test.jsonl").write_text(lines, encoding="utf-8")
        return folder, tagging_metrics(gold, [row["predicted"] for row in rows])["f1"]

    (a, f1_a), (b, f1_b), (c, _) = tagger("a", 0.5), tagger("b", 0.7), tagger("c", 0.5)
    found = compare(a, b)
    (figure,) = found["figures"]
    assert (found["kind"], found["rows"]) == ("tagging", 200)
    assert (figure["a"], figure["b"]) == (pytest.approx(f1_a), pytest.approx(f1_b))
    assert short(figure) == "B is better"
    assert short(compare(a, c)["figures"][0]) in ("no difference beyond chance", "too few rows to tell")
    pretrained = write(tmp_path / "pretrained", "unused.csv", (), (), metrics={"validation": {"mlm_loss": 2.0}})
    with pytest.raises(UserError, match=r"pre-training run .* fine-tune from both"):
        compare(pretrained, pretrained)
