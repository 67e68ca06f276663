"""A classifier behind an address: answers as `predict` gives them, in two schemas."""

import json
import threading

import pytest
from serving import in_thread
from small_checkpoints import make

from hf_xfmr.predict import load

TEXTS = ["good film", "bad", "a film " * 9, "good good bad film", "b a d"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = make(tmp_path_factory.mktemp("models"))
    pairs = root / "pairs"
    pairs.mkdir()
    for file in (root / "classifier").iterdir():
        (pairs / file.name).write_bytes(file.read_bytes())
    config = json.loads((pairs / "config.json").read_text())
    window = {"max_length": 32, "over_long": "head", "overlap": None, "pair": True}
    (pairs / "config.json").write_text(json.dumps({**config, "text_window": window}))
    return root


@pytest.fixture(scope="module")
def server(models):
    with in_thread(models / "classifier", max_chars=1000, max_texts=64, max_body=20_000) as address:
        yield address


@pytest.fixture(scope="module")
def expected(models) -> list[dict]:
    return list(load(str(models / "classifier"))(TEXTS))


def close(answer: dict, expected: dict) -> bool:
    """Alike up to what other company in a batch makes of the last digit."""
    shares = [{name: pytest.approx(share, abs=2e-6) for name, share in expected["probabilities"].items()}]
    return answer["label"] == expected["label"] and answer["probabilities"] == shares[0]


def test_answers_are_those_of_predict_alone_in_a_batch_and_at_once(server, expected):
    for text, one in zip(TEXTS, expected, strict=True):
        assert close(server.ask("/classify", {"inputs": text})[1], one)
    status, together, _ = server.ask("/classify", {"inputs": [[text] for text in TEXTS]})
    assert status == 200
    assert all(map(close, together, expected))
    found: dict[int, dict] = {}

    def ask(number: int) -> None:
        found[number] = server.ask("/classify", {"inputs": TEXTS[number % len(TEXTS)]})[1]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    batches = server.counted("hf_xfmr_batch_rows_count")
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(close(found[number], expected[number % len(TEXTS)]) for number in range(40))
    assert server.counted("hf_xfmr_batch_rows_count") - batches < 40, "none was computed with another"


def test_predict_speaks_as_text_embeddings_inference_does(server, expected):
    best, other = sorted(expected[0]["probabilities"].items(), key=lambda item: -item[1])
    for inputs in ("good film", ["good film"]):
        status, found, _ = server.ask("/predict", {"inputs": inputs, "truncate": True})
        assert status == 200
        assert [one["label"] for one in found] == [best[0], other[0]]
        assert found[0]["score"] == pytest.approx(best[1], abs=2e-6)
    batch = server.ask("/predict", {"inputs": [["good film"], ["bad"]], "parameters": {"ignored": True}})[1]
    assert [len(one) for one in batch] == [2, 2]
    assert batch[0][0]["label"] == best[0]


def test_raw_scores_are_what_softmax_makes_the_probabilities_of(server, expected):
    import numpy as np

    found = {one["label"]: one["score"] for one in server.ask("/predict", {"inputs": "bad", "raw_scores": True})[1]}
    shares = np.exp(list(found.values())) / np.exp(list(found.values())).sum()
    assert dict(zip(found, shares, strict=True)) == pytest.approx(expected[1]["probabilities"], abs=2e-6)


def test_a_long_text_is_read_as_in_training_or_refused_where_that_was_asked(server):
    long = {"inputs": "good film " * 40}
    assert server.ask("/predict", long)[0] == 200
    status, said, _ = server.ask("/predict", {**long, "truncate": False})
    assert (status, said["error_type"]) == (413, "Validation")
    assert "80 tokens, and 30 fit" in said["error"]
    assert server.ask("/predict", {"inputs": "good film", "truncate": False})[0] == 200


def test_pairs_are_answered_as_pairs_and_by_such_a_model_alone(models):
    pairs = list(load(str(models / "pairs"))(["good", "bad film"], ["bad", "good"]))
    with in_thread(models / "pairs") as server:
        assert close(server.ask("/classify", {"inputs": ["good", "bad"]})[1], pairs[0])
        found = server.ask("/classify", {"inputs": [["good", "bad"], ["bad film", "good"]]})[1]
        assert all(map(close, found, pairs))
        status, said, _ = server.ask("/predict", {"inputs": "good"})
        assert status == 422
        assert "pairs of texts" in said["error"]
        assert server.ask("/predict", {"inputs": [["good"], ["bad", "film"]]})[0] == 422
        assert server.ask("/words", {"inputs": ["good film", "bad"]})[1]["words"][-1]["of"] == 1


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 422, ""),
        (b"{", 422, "JSON"),
        (b"\xff\xfe", 422, ""),
        (b"[" * 9000, 400, "parsing the body"),
        ({}, 422, "inputs: Field required"),
        ({"inputs": None}, 422, "must be a text"),
        ({"inputs": []}, 422, "must be a text"),
        ({"inputs": 7}, 422, "must be a text"),
        ({"inputs": ["a", "b", "c"]}, 422, "must be a text"),
        ({"inputs": [["a"], "b"]}, 422, "must be a text"),
        ({"inputs": [["a"], []]}, 422, "must be a text"),
        ({"inputs": [["a"], ["a", "b"]]}, 422, "single texts and pairs"),
        ({"inputs": "  "}, 422, "empty"),
        ({"inputs": "a\ud800b"}, 422, "half a character"),
        ({"inputs": "a", "raw_scores": "perhaps"}, 422, "raw_scores"),
        ({"inputs": [["a"]] * 65}, 413, "65 texts, and a request at most 64"),
        ({"inputs": "a" * 1001}, 413, "1,001 characters"),
        ({"inputs": "a" * 30_000}, 413, "20,000 bytes"),
    ],
)
def test_what_can_not_be_is_one_sentence(server, body, status, says):
    found, said, _ = server.ask("/predict", body)
    assert (found, said["error_type"]) == (status, "Validation")
    assert says in said["error"]
    assert "\n" not in said["error"]


def test_other_paths_methods_and_kinds_of_content(server):
    assert server.ask("/nothing")[0] == 404
    assert server.ask("/predict")[0] == 405
    plain = {"Content-Type": "text/plain"}  # what a page elsewhere can post unasked
    assert server.ask("/predict", {"inputs": "a"}, headers=plain)[0] == 415
    status, _, headers = server.ask("/predict", {"inputs": "a"}, headers={"Origin": "http://elsewhere.example"})
    assert status == 200
    assert not {name for name in headers if name.lower().startswith("access-control")}


def test_words_say_what_leaving_each_out_changes(server):
    found = server.ask("/words", {"inputs": "good bad film"})[1]
    label = found["answer"]["label"]
    assert [(one["start"], one["end"]) for one in found["words"]] == [(0, 4), (5, 8), (9, 13)]
    without = server.ask("/classify", {"inputs": "bad film"})[1]["probabilities"][label]
    change = found["answer"]["probabilities"][label] - without
    assert found["words"][0]["change"] == pytest.approx(change, abs=5e-6)
    assert len(server.ask("/words", {"inputs": "good " * 190})[1]["words"]) <= 48


def test_info_health_and_metrics(server, models):
    from hashlib import sha256

    info = server.ask("/info")[1]
    assert info["model_id"] == "classifier"
    assert info["labels"] == ["LABEL_0", "LABEL_1"]
    assert info["model_type"]["classifier"]["id2label"] == {"0": "LABEL_0", "1": "LABEL_1"}
    weights = (models / "classifier" / "model.safetensors").read_bytes()
    assert info["hashes"]["model.safetensors"] == sha256(weights).hexdigest()
    assert {"hf_xfmr", "python", "tokenizers"} <= set(info["versions"])
    assert server.ask("/health")[0] == server.ask("/ready")[0] == 200
    assert server.counted("hf_xfmr_rows_total") > 0
    assert server.counted("hf_xfmr_ready") == 1
    before = server.counted("hf_xfmr_requests_total")
    server.ask("/a-text-in-a-path")
    assert server.counted("hf_xfmr_requests_total") > before
    assert b"a-text-in-a-path" not in server.ask("/metrics")[1]
    paths = server.ask("/openapi.json")[1]["paths"]
    assert {"/predict", "/classify", "/words", "/info", "/ready", "/health", "/metrics"} <= set(paths)


def test_a_client_of_hugging_face_reads_the_answers(server, models, monkeypatch):
    """Given the address: what it makes of labels, scores and errors. Offline it would not even ask this machine."""
    from huggingface_hub import InferenceClient, constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    client = InferenceClient(model=f"http://127.0.0.1:{server.port}/predict")
    (expected,) = load(str(models / "classifier"))(["good film"])
    found = client.text_classification("good film")
    best = found[0] if isinstance(found, list) else found
    assert (best.label, best.score) == (expected["label"], pytest.approx(expected["probability"], abs=2e-6))
    with pytest.raises(Exception, match="422"):
        client.text_classification("  ")


def test_answers_have_the_fields_that_text_embeddings_inference_publishes(server):
    """By its OpenAPI description, version 1.7.1: names, types, and which are required."""
    info = server.ask("/info")[1]
    texts = {"model_id": str, "model_dtype": str, "version": str, "auto_truncate": bool, "model_type": dict}
    counts = ("max_concurrent_requests", "max_input_length", "max_batch_tokens", "max_client_batch_size")
    for name, kind in texts.items():
        assert type(info[name]) is kind, name
    for name in (*counts, "tokenization_workers"):
        assert type(info[name]) is int, name
        assert info[name] > 0, name
    kinds = info["model_type"]["classifier"]
    assert kinds["label2id"] == {label: int(number) for number, label in kinds["id2label"].items()}
    single = server.ask("/predict", {"inputs": "good", "truncate": None, "truncation_direction": "Right"})[1]
    batch = server.ask("/predict", {"inputs": [["good"], ["bad"]], "raw_scores": True})[1]
    for one in (*single, *batch[0], *batch[1]):
        assert {name: type(value) for name, value in one.items()} == {"score": float, "label": str}
    for asked, status in (({"inputs": 7}, 422), ({"inputs": [["a"]] * 65}, 413)):
        found, said, _ = server.ask("/predict", asked)
        assert found == status
        assert said.keys() == {"error", "error_type"}
        assert said["error_type"] in ("Unhealthy", "Backend", "Overloaded", "Validation", "Tokenizer")


def test_cors_and_the_key_where_they_are_asked_for(models):
    origin = {"Origin": "https://mine.example"}
    with in_thread(models / "classifier", key="s3cret", cors=["https://mine.example"]) as server:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "s3cret"}):
            status, said, _ = server.ask("/predict", {"inputs": "a"}, headers=headers)
            assert status == 401
            assert "Authorization: Bearer" in said["error"]
        assert server.ask("/metrics")[0] == server.ask("/info")[0] == server.ask("/openapi.json")[0] == 401
        assert server.ask("/health")[0] == server.ask("/")[0] == 200
        right = {"Authorization": "Bearer s3cret", **origin}
        status, _, headers = server.ask("/predict", {"inputs": "a"}, headers=right)
        assert (status, headers["access-control-allow-origin"]) == (200, "https://mine.example")
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        assert server.ask("/predict", method="OPTIONS", headers={**origin, **asks})[0] == 200
        elsewhere = {**right, "Origin": "https://other.example"}
        assert "access-control-allow-origin" not in server.ask("/predict", {"inputs": "a"}, headers=elsewhere)[2]


def test_the_page_says_everything_in_both_languages(server):
    from hf_xfmr.serve.page import words

    assert set(words()["en"]) == set(words()["zh"])
    assert not [text for name, text in words()["zh"].items() if text.isascii() and name != "other_name"]
    english, chinese = (server.ask(f"/?language={one}") for one in ("en", "zh"))
    assert '<html lang="zh-Hans">' in chinese[1].decode()
    assert '<html lang="en">' in english[1].decode()
    assert "script-src 'self'" in english[2]["content-security-policy"]
    assert server.ask("/page.js?text=owned")[1] == server.ask("/page.js")[1]
