"""A language model behind /v1/completions: OpenAI's schema, read by OpenAI's own client."""

import json

import openai
import pytest
from serving import in_thread
from small_checkpoints import make

from hf_xfmr.tasks.language_modeling.generator import generate


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(make(tmp_path_factory.mktemp("models")) / "gpt2")


@pytest.fixture(scope="module")
def server(model):
    with in_thread(model, key="s3cret", max_texts=16) as address:
        yield address


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="s3cret", max_retries=0) as one:
        yield one


def greedy(client, **asked):
    return client.completions.create(**{"model": "gpt2", "max_tokens": 8, "temperature": 0, **asked})


def test_a_continuation_is_the_one_of_generate(client, model):
    prompts = ["good film", "a", "b bad film good"]
    expected = [one["text"] for one in generate(model, prompts, max_new_tokens=8, temperature=0)]
    found = greedy(client, prompt=prompts)
    for prompt, choice, whole in zip(prompts, found.choices, expected, strict=True):
        assert " ".join((prompt + choice.text).split()) == " ".join(whole.split())
        assert choice.finish_reason in ("length", "stop")
    assert [choice.index for choice in found.choices] == [0, 1, 2]
    assert found.usage.completion_tokens <= 24
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens
    echoed = greedy(client, prompt="good film", echo=True).choices[0].text
    assert echoed == "good film" + found.choices[0].text


def test_a_stream_says_the_same_in_pieces(client):
    whole = greedy(client, prompt=["good film", "bad"], n=2)
    texts, reasons, usage, pieces = [""] * 4, [None] * 4, None, 0
    for event in greedy(client, prompt=["good film", "bad"], n=2, stream=True, stream_options={"include_usage": True}):
        usage = event.usage or usage
        for choice in event.choices:
            texts[choice.index] += choice.text
            reasons[choice.index] = choice.finish_reason or reasons[choice.index]
            pieces += bool(choice.text)
    assert texts == [choice.text for choice in whole.choices]
    assert reasons == [choice.finish_reason for choice in whole.choices]
    assert usage == whole.usage
    assert pieces > 8


def test_a_stop_is_left_out_and_ends_the_text(client):
    text = greedy(client, prompt="good film", max_tokens=12).choices[0].text
    stop = text[3:6]
    found = greedy(client, prompt="good film", max_tokens=12, stop=[stop, "never there"]).choices[0]
    assert found.text == text[: text.index(stop)]
    assert found.finish_reason == "stop"
    streamed = "".join(
        event.choices[0].text for event in greedy(client, prompt="good film", max_tokens=12, stop=stop, stream=True)
    )
    assert streamed == found.text


def test_a_seed_gives_the_same_texts_whatever_the_company(client):
    asked = {"prompt": "good", "n": 3, "seed": 7, "temperature": 1.0, "top_p": 0.9}
    first, again = (greedy(client, **asked) for _ in range(2))
    assert [one.text for one in first.choices] == [one.text for one in again.choices]
    other = greedy(client, **{**asked, "seed": 8})
    assert [one.text for one in first.choices] != [one.text for one in other.choices]
    assert len({one.text for one in first.choices}) > 1


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"logprobs": 3}, "logprobs is not supported"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"n": 17}, "at most 16"),
        ({"best_of": 3}, "best_of"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 4000}, "32 positions"),
        ({"temperature": -1}, "temperature"),
        ({"prompt": [[1, 2]]}, "prompt"),
        ({"stop": list("abcde")}, "at most 4"),
        ({"max_tokens": 4000, "stream": True}, "32 positions"),
    ],
)
def test_what_can_not_be_is_an_error_of_the_client(client, asked, says):
    with pytest.raises((openai.BadRequestError, openai.APIStatusError)) as error:
        greedy(client, **{"prompt": "good", **asked})
    assert error.value.status_code in (400, 413)
    assert says in error.value.body["message"]


def test_models_and_the_key(client, server):
    assert [one.id for one in client.models.list()] == ["gpt2"]
    with pytest.raises(openai.AuthenticationError):
        greedy(client.with_options(api_key="wrong"), prompt="good")
    assert json.dumps(server.ask("/openapi.json", headers={"Authorization": "Bearer s3cret"})[1])
