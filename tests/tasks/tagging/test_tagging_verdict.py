"""What the verdict says of taggers: against a dictionary of train's entities, asked for or not."""

from datasets import Dataset

from hf_xfmr.tasks.tagging import verdict


def sentences(rows):
    tokens = [words for words, _ in rows]
    return Dataset.from_dict(
        {"tokens": tokens, "tags": [tags for _, tags in rows], "text": list(map(" ".join, tokens))}
    )


def told(tags, *, rare=0, split="test", against=None, kind="none", known=True):
    """The verdict on these tags of each of 200 sentences, `rare` of which name an organisation too."""
    names = ("Anna", "Rome") if known else ("Zoe", "Lima")
    train = [(["Anna", "saw", "Rome", str(i)], ["B-per", "O", "B-geo", "O"]) for i in range(100)]
    rows = [([names[0], "saw", names[1], f"n{i}"], ["B-per", "O", "B-geo", "O"]) for i in range(200)]
    rows[:rare] = [([*words[:3], "Acme"], [*gold[:3], "B-org"]) for words, gold in rows[:rare]]
    data = {"train": sentences(train), split: sentences(rows)}
    return verdict.of_run(data, split, [tags] * 200, against, [], {"num_train_epochs": 3}, kind=kind)


RIGHT, NOTHING = ["B-per", "O", "B-geo", "O"], ["O"] * 4


def test_a_tagger_that_finds_nothing_is_useless():
    found = told(NOTHING)
    assert found["level"] == "useless"
    assert found["sentence"].startswith("Useless as it stands, no better than finding nothing: entity F1 0.000")
    assert "A dictionary of train's entities gets 1.000." in found["sentence"]


def test_half_of_what_a_dictionary_finds_is_worse_than_the_dictionary():
    found = told(["B-per", "O", "O", "O"], rare=5)
    assert found["level"] == "worse"
    assert found["sentence"].startswith("Worse than a dictionary of train's entities, and not by chance: entity F1 0.")
    texts = [one["text"] for one in found["warnings"]]
    assert 'never found: "geo", "org" (205 test entities)' in texts
    assert 'few test entities of "org": their figures may be far off' in texts


def test_names_never_seen_are_found_where_a_dictionary_has_none():
    found = told(RIGHT, known=False)
    assert found["level"] == "better"
    assert "perfect" in [one["kind"] for one in found["warnings"]]
    assert told(RIGHT, known=False, split="validation")["warnings"][-1]["kind"] == "validation_only"


def test_figures_of_entities_have_intervals_at_the_end_too():
    gold = [RIGHT] * 20
    shown = verdict.headline(gold, gold)
    assert shown["precision"]["value"] == shown["f1"]["value"] == 1
    assert 0.85 < shown["f1"]["low"] < 1
    assert 0.85 < shown["recall"]["low"] < 1
