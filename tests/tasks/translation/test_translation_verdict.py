"""What the verdict says of translations: against copying the source, and of what is wrong with them."""

import numpy as np
from datasets import Dataset

from hf_xfmr.tasks.translation import verdict

DRAW = np.random.default_rng(0)
NUMBERS = [list(DRAW.integers(0, 40, 8)) for _ in range(150)]
SOURCES, REFERENCES = ([" ".join(f"{letter}{n}" for n in row) for row in NUMBERS] for letter in "sr")


def told(translations, sources=SOURCES, references=REFERENCES, train=("another",)):
    splits = {
        "train": Dataset.from_dict({"source": list(train), "target": ["x"] * len(train)}),
        "test": Dataset.from_dict({"source": sources, "target": references}),
    }
    return verdict.of_run(splits, "test", translations, "xx", [], {"num_train_epochs": 3})


def texts(found):
    return " | ".join(one["text"] for one in found["warnings"])


def nearly(references, share=0.2):
    return [" ".join(word if DRAW.random() > share else "x" for word in line.split()) for line in references]


def test_better_than_copying_and_no_better():
    good = told(nearly(REFERENCES))
    assert good["level"] == "better"
    assert good["sentence"].startswith("Better than copying the source, and not by chance: BLEU ")
    copied = told(SOURCES)
    assert copied["level"] == "useless"
    assert "150 of 150 translations are the source, unchanged" in texts(copied)
    assert "BLEU 0.0 is low" in texts(copied)


def test_languages_that_are_alike():
    alike = [" ".join([*line.split()[:6], "z", "z"]) for line in REFERENCES]
    found = told(nearly(REFERENCES, 0.4), sources=alike)
    assert found["level"] == "useless"
    assert found["sentence"].startswith("Useless as it stands, worse than copying the source: BLEU ")
    assert "copying the source already gives BLEU" in texts(found)


def test_empty_equal_and_circling_translations_are_told():
    assert "150 of 150 translations are empty" in texts(told([""] * 150))
    same = told(["r1 r2 r3 r4"] * 150)
    assert '150 of 150 translations are the same: "r1 r2 r3 r4"' in texts(same)
    assert "150 of 150 translations go round in circles" in texts(told(["r1 r2 " * 20] * 150))


def test_where_copying_is_the_task_it_is_no_rival_and_a_leak_is_told():
    found = told(SOURCES, references=SOURCES)
    assert found["claim"]["rivals"] == []
    assert "copying is right" in texts(found)
    assert "20 % of the test texts stand in train too" in texts(told(nearly(REFERENCES), train=SOURCES[:30]))


def test_four_pairs_tell_no_interval():
    few = {"sources": SOURCES[:4], "references": REFERENCES[:4]}
    assert told(nearly(REFERENCES)[:4], **few)["claim"]["low"] is None
    few = {"sources": SOURCES[:10], "references": REFERENCES[:10]}
    assert told(nearly(REFERENCES)[:10], **few)["claim"]["low"] is not None
