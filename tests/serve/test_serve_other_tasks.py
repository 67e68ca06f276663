"""Entities, masked words and translations behind an address: answers as the commands give them."""

import pytest
from serving import in_thread
from small_checkpoints import make

from hf_xfmr.predict import load
from hf_xfmr.tasks.pretraining.filler import fill
from hf_xfmr.tasks.translation.translator import translate


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return make(tmp_path_factory.mktemp("models"))


def test_entities_are_those_of_predict(models):
    texts = ["good film", "a bad film 😀 good"]
    expected = list(load(str(models / "tagger"))(texts))
    with in_thread(models / "tagger") as server:
        assert server.ask("/info")[1]["task"] == "tagging"
        found = server.ask("/tag", {"inputs": texts})[1]
        assert found == [server.ask("/tag", {"inputs": text})[1] for text in texts]
        for one, other in zip(found, expected, strict=True):
            assert [entity["text"] for entity in one["entities"]] == [entity["text"] for entity in other["entities"]]
            for entity, same in zip(one["entities"], other["entities"], strict=True):
                assert entity == {**same, "probability": pytest.approx(same["probability"], abs=2e-6)}
        assert server.ask("/predict", {"inputs": "a"})[0] == 404
        assert server.ask("/tag", {"inputs": [["a", "b"]]})[0] == 422


def test_questions_are_answered_as_by_predict(models):
    asked = [{"question": "a good film", "context": "bad b c good 😀 d"}, {"question": "who", "context": "x y z " * 40}]
    expected = list(
        load(str(models / "questions"))(*([one[name] for one in asked] for name in ("question", "context")))
    )
    with in_thread(models / "questions") as server:
        about = server.ask("/info")[1]
        assert (about["task"], about["may_have_no_answer"]) == ("question_answering", False)
        found = server.ask("/answer", {"inputs": asked})[1]
        assert found == [server.ask("/answer", {"inputs": one})[1] for one in asked]
        for one, other in zip(found, expected, strict=True):
            assert (one["answer"], one["start"], one["end"]) == (other["answer"], other["start"], other["end"])
        for wrong in (["a", "b"], {"question": "a"}, [], {"question": "a", "context": " "}):
            assert server.ask("/answer", {"inputs": wrong})[0] == 422
        assert server.ask("/predict", {"inputs": "a"})[0] == 404


def test_masked_words_are_those_of_fill(models):
    texts = ["good [MASK]", "a [MASK] b [MASK]"]
    expected = list(fill(str(models / "masked"), texts, top_k=3))
    with in_thread(models / "masked") as server:
        assert server.ask("/info")[1]["mask_token"] == "[MASK]"
        found = server.ask("/fill", {"inputs": texts, "top_k": 3})[1]
        assert [one["filled"] for one in found] == [one["filled"] for one in expected]
        assert [len(mask) for mask in found[1]["masks"]] == [3, 3]
        status, said, _ = server.ask("/fill", {"inputs": ["good [MASK]", "without any"]})
        assert status == 422
        assert "[MASK]" in said["error"]
        assert server.ask("/fill", {"inputs": "a [MASK]", "top_k": 0})[0] == 422


def test_translations_are_those_of_translate(models):
    texts = ["good film", "a bad film", "b"]
    expected = list(translate(str(models / "transformer"), texts))
    with in_thread(models / "transformer") as server:
        found = server.ask("/translate", {"inputs": texts})[1]
        assert [one["translation_text"] for one in found] == expected
        assert server.ask("/translate", {"inputs": texts[0]})[1] == {"translation_text": expected[0]}
        status, said, _ = server.ask("/translate", {"inputs": ["good", "a b c d e f g h " * 9]})
        assert status == 422
        assert "tokens" in said["error"]
