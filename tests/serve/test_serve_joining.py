"""Texts that are written together though their clients came at different times: what joins, leaves, and is said."""

import json
import threading
import time

import pytest
import torch
from serving import in_thread
from small_checkpoints import GPT2, make

import hf_xfmr
from hf_xfmr import engines
from hf_xfmr.engines.drawing import Drawing
from hf_xfmr.tasks.language_modeling.generator import generate

LONG = 500  # tokens
PROMPTS = ["good film", "a", "b bad film good", "film film", "good", "z y x w v u", "bad bad", "f"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """One with room for texts that take a while."""
    root = make(tmp_path_factory.mktemp("models"))
    torch.manual_seed(0)
    config = hf_xfmr.XfmrGPT2Config(**{**GPT2, "n_positions": LONG + 10}, initializer_range=0.5)
    hf_xfmr.XfmrGPT2ForCausalLM(config).save_pretrained(root / "gpt2")
    return str(root / "gpt2")


@pytest.fixture(scope="module")
def server(model):
    with in_thread(model, batch_size=8, timeout=300) as address:
        yield address


def streamed(server, said: list, **asked) -> None:
    """A stream's events with the time at which each came."""
    with server.socket() as connection:
        body = json.dumps({"stream": True, "temperature": 0, **asked}).encode()
        head = (
            f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        connection.sendall(f"{head}\r\n\r\n".encode() + body)
        seen = b""
        while b"[DONE]" not in seen:
            piece = connection.recv(65536)
            assert piece, "the server closed the connection"
            seen += piece
            said.append(time.monotonic())


def test_who_comes_while_a_long_text_is_written_does_not_wait_for_its_end(server):
    slow: list[float] = []
    thread = threading.Thread(target=streamed, args=(server, slow), kwargs={"prompt": "z", "max_tokens": LONG})
    thread.start()
    while len(slow) < 3:
        time.sleep(0.01)
    status, answer, _ = server.ask("/v1/completions", {"prompt": "good film", "max_tokens": 4, "temperature": 0})
    answered = time.monotonic()
    thread.join(120)
    assert status == 200
    assert answer["usage"]["completion_tokens"] <= 4
    assert answered < slow[-1], "it waited for the end of the other text"


def test_eight_that_ask_otherwise_are_one_batch_and_each_text_is_its_own(server, model):
    expected = {
        prompt: next(iter(generate(model, [prompt], max_new_tokens=20, temperature=0)))["text"] for prompt in PROMPTS
    }
    found: dict[str, str] = {}

    def ask(number: int, prompt: str) -> None:
        time.sleep(0.01 * number)
        if number % 2:  # drawn, among those that are not
            server.ask("/v1/completions", {"prompt": prompt, "max_tokens": 30, "temperature": 0.7 + number})
        body = {"prompt": prompt, "max_tokens": 20, "temperature": 0, "echo": True}
        found[prompt] = server.ask("/v1/completions", body)[1]["choices"][0]["text"]

    threads = [threading.Thread(target=ask, args=given) for given in enumerate(PROMPTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {one: text.split() for one, text in found.items()} == {one: text.split() for one, text in expected.items()}


def test_a_seed_gives_its_texts_in_any_company(server):
    asked = {"prompt": "good", "n": 2, "seed": 7, "temperature": 1.0, "top_p": 0.9, "top_k": 20, "max_tokens": 12}

    def texts(**more) -> list[str]:
        return [one["text"] for one in server.ask("/v1/completions", {**asked, **more})[1]["choices"]]

    alone = texts()
    thread = threading.Thread(target=streamed, args=(server, []), kwargs={"prompt": "a b", "max_tokens": 400})
    thread.start()
    assert texts() == alone
    thread.join(60)
    assert len(set(alone)) == 2
    assert texts(seed=8) != alone


def test_rows_that_join_and_leave_compute_what_each_computes_alone(model):
    """The logits of every step, among prompts of unequal lengths."""
    running = engines.writer(model, "AutoModelForCausalLM").running()
    alone = engines.writer(model, "AutoModelForCausalLM")
    prompts = [[5, 6, 7, 8, 9], [10], [11, 12, 13]]
    rows: list[list[int]] = []

    def check() -> None:
        tokens = running.draw()
        with torch.inference_mode():
            for place, row in enumerate(rows):
                logits = alone.model(torch.tensor([row])).logits[0, -1]
                assert torch.allclose(running.logits[place], logits, atol=1e-4)
                row.append(tokens[place])

    greedy = Drawing(0.0, 0, 1.0)
    running.join(prompts[:2], [greedy] * 2)
    rows += [list(one) for one in prompts[:2]]
    check()
    running.go_on([row[-1] for row in rows])
    running.join(prompts[2:], [greedy])
    rows.append(list(prompts[2]))
    check()
    running.leave([0])
    rows.pop(0)
    for _ in range(70):  # further than the room behind a cache
        running.go_on([row[-1] for row in rows])
        check()
    assert running.mask.shape[1] == max(map(len, rows)) - 1, "nothing is kept of a row that has left"
    running.leave([0, 1])
    assert len(running) == 0


def test_draws_follow_the_shares_that_top_k_and_top_p_leave(model):
    running = engines.writer(model, "AutoModelForCausalLM").running()
    draws = 600
    running.join([[5, 6]], [Drawing(1.0, 0, 1.0)])
    logits = running.logits.expand(draws, -1)
    shares = logits[0].softmax(-1)
    for options, allowed in (((1.0, 0, 1.0), None), ((1.0, 3, 1.0), 3), ((0.5, 0, 0.6), None)):
        running.logits, running.drawings = logits, [Drawing(*options, f"{place}") for place in range(draws)]
        counts = torch.bincount(torch.tensor(running.draw()), minlength=len(shares)) / draws
        likely = (shares ** (1 / options[0])) / (shares ** (1 / options[0])).sum()
        ordered = likely.sort(descending=True)
        keep = allowed or int((ordered.values.cumsum(0) - ordered.values < options[2]).sum())
        wanted = torch.zeros_like(likely)
        wanted[ordered.indices[:keep]] = ordered.values[:keep] / ordered.values[:keep].sum()
        assert (counts > 0).le(wanted > 0).all(), "what is left out is never drawn"
        assert (counts - wanted).abs().max() < 0.08
