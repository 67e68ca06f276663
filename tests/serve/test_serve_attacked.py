"""A server that is treated badly: no wrong answer, nothing hangs, memory stays bounded. Real processes and sockets."""

import asyncio
import json
import signal
import socket
import time

import psutil
import pytest
import torch
from serving import Address, in_thread, process
from small_checkpoints import GPT2, make
from transformers import AutoTokenizer

import hf_xfmr
from hf_xfmr.predict import load

TEXTS = ["good film", "bad", "a film " * 9, "good good bad film", "b a d"]
PATIENCE = 1.5
SECRET = "marzipan"  # a word that no log may have


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return make(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def server(models, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "serve.log"
    words = ("--max_body", 100_000, "--max_queue", 200)
    with log.open("w") as file, process(models / "classifier", *words, log=file) as address:
        address.log = log
        yield address.ready()


@pytest.fixture(scope="module")
def expected(models) -> dict[str, dict]:
    return dict(zip(TEXTS, load(str(models / "classifier"))(TEXTS), strict=True))


def post(body: bytes, path: str = "/classify", *, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    return head.encode() + body


def asked(text: str, path: str = "/classify") -> bytes:
    return post(json.dumps({"inputs": text}).encode(), path)


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    pieces = []
    try:
        while piece := connection.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def still_answers(server: Address, expected: dict) -> None:
    begun = time.monotonic()
    answer = server.ask("/classify", {"inputs": "good film"})[1]
    assert answer["label"] == expected["good film"]["label"]
    assert time.monotonic() - begun < 5


async def one(port: int, text: str) -> tuple[int, dict, dict]:
    for _ in range(5):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except OSError:  # the system's own queue of connections is full
            await asyncio.sleep(0.2)
    writer.write(asked(text))
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    size = int(head.split("content-length: ")[1].split("\r\n")[0])
    body = json.loads(await reader.readexactly(size))
    writer.close()
    headers = dict(line.split(": ", 1) for line in head.strip().split("\r\n")[1:])
    return int(head.split()[1]), body, headers


def test_a_thousand_at_once_are_answered_right_or_told_to_come_again(server, expected):
    async def all_at_once():
        texts = [TEXTS[number % len(TEXTS)] for number in range(1000)]
        return texts, await asyncio.wait_for(asyncio.gather(*(one(server.port, text) for text in texts)), 90)

    texts, answers = asyncio.run(all_at_once())
    good = 0
    for text, (status, body, headers) in zip(texts, answers, strict=True):
        if status == 503:
            assert body["error_type"] == "Overloaded"
            assert 1 <= int(headers["retry-after"]) <= 60
            continue
        assert status == 200
        assert body["label"] == expected[text]["label"]
        assert body["probabilities"] == pytest.approx(expected[text]["probabilities"], abs=2e-6)
        good += 1
    assert good >= 200
    assert server.counted("hf_xfmr_queue_rows") == 0
    still_answers(server, expected)


def test_large_bodies_take_no_memory(server, expected):
    own = psutil.Process(server.process.pid)
    server.ask("/classify", {"inputs": "a " * 40_000})
    before, most = own.memory_info().rss, 0
    large = b'{"inputs": "' + b"a" * 10_000_000 + b'"}'
    chunk = f"{1_000_000:x}\r\n".encode() + b"a" * 1_000_000 + b"\r\n"
    chunked = (
        b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    for _ in range(3):
        status, said, _ = server.ask("/classify", large)
        assert status == 413
        assert "100,000 bytes" in said["error"]
        with server.socket() as connection:  # without a word of its length
            connection.sendall(chunked + chunk * 10 + b"0\r\n\r\n")
            connection.settimeout(10)
            assert b" 413 " in connection.recv(100)
        most = max(most, own.memory_info().rss)
    assert most - before < 30_000_000
    still_answers(server, expected)


@pytest.fixture
def hasty(models):
    with in_thread(models / "classifier", patience=PATIENCE) as address:
        yield address


def test_who_sends_slowly_is_left_and_costs_nobody_else_anything(hasty, expected):
    server = hasty
    slow_head, slow_body, silent = server.socket(), server.socket(), server.socket()
    begun = time.monotonic()
    slow_body.sendall(post(b'{"inp', length=100))
    for byte in b"POST /classify HT":
        slow_head.sendall(bytes([byte]))
        time.sleep(0.02)
    still_answers(server, expected)
    assert b" 408 " in all_of(slow_body)
    assert all_of(slow_head) == all_of(silent) == b""
    assert time.monotonic() - begun < PATIENCE + 20  # on a busy machine
    for one in (slow_head, slow_body, silent):
        one.close()
    still_answers(server, expected)


def test_garbage_and_half_a_connection(server, expected):
    with server.socket() as connection:  # left open: the answer is sure to come
        connection.sendall(b"GET / HTTP/9.9\r\n\r\n")
        connection.settimeout(10)
        assert connection.recv(65536).startswith(b"HTTP/1.1 505 ")
    for garbage in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /classify HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /classify HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nabcde",
        b"\0" * 5000,
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Y: z\r\n" * 20_000,
    ):
        with server.socket() as connection:
            try:
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                continue
            assert all_of(connection)[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 505")
    with server.socket() as connection:  # asked, and closed for writing: nothing hangs, whether it is answered or not
        connection.sendall(asked("good film"))
        connection.shutdown(socket.SHUT_WR)
        answer = all_of(connection)
        assert answer == b"" or expected["good film"]["label"].encode() in answer
    with server.socket() as connection:  # two requests in one go
        connection.sendall(asked("good film") + asked("bad"))
        connection.settimeout(10)
        found = b""
        while found.count(b"probabilities") < 2:
            found += connection.recv(65536)
    still_answers(server, expected)


def test_logs_are_json_and_hold_no_text(server):
    server.ask("/classify", {"inputs": SECRET})
    server.ask("/classify", {"inputs": [SECRET, 7]})
    server.ask(f"/{SECRET}?{SECRET}=1", headers={"X-Request-Id": f"{SECRET} \x1b"})
    server.ask("/classify", {"inputs": "a"}, headers={"X-Request-Id": "mine-1"})
    until = time.monotonic() + 5
    while "mine-1" not in server.log.read_text() and time.monotonic() < until:  # it is written after the answer
        time.sleep(0.02)
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    assert SECRET not in server.log.read_text()
    assert {"request", "method", "path", "status", "seconds", "bytes", "time", "level", "message"} == set(lines[-1])
    assert lines[-1]["request"] == "mine-1"


def test_who_has_gone_leaves_the_batch_and_a_signal_lets_the_others_finish(models, expected):
    """Requests wait for company for 10 seconds here, so that there is time to go."""
    words = ("--max_wait_ms", 10_000, "--batch_size", 64, "--timeout", 60)
    with process(models / "classifier", *words) as server:
        server.ready()
        gone, stays = server.socket(), server.socket()
        gone.sendall(asked("bad"))
        stays.sendall(asked("good film"))
        until = time.monotonic() + 5
        while server.counted("hf_xfmr_queue_rows") < 2 and time.monotonic() < until:
            time.sleep(0.02)
        gone.close()
        while server.counted("hf_xfmr_queue_rows") > 1 and time.monotonic() < until:
            time.sleep(0.02)
        assert server.counted("hf_xfmr_queue_rows") == 1
        assert server.counted("hf_xfmr_cancelled_total") == 1
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        answer = all_of(stays)
        assert time.monotonic() - begun < 5, "it waited for company that could not come"
        assert b" 200 " in answer
        assert expected["good film"]["label"].encode() in answer
        assert server.process.wait(20) == 0
        stays.close()


def test_full_queues_and_late_answers(models):
    with in_thread(models / "classifier", max_wait_ms=5000, max_queue=2, max_texts=2, timeout=0.5) as server:
        with server.socket() as waiting:
            waiting.sendall(post(json.dumps({"inputs": [["good"], ["bad"]]}).encode()))
            until = time.monotonic() + 5
            while server.counted("hf_xfmr_queue_rows") < 2 and time.monotonic() < until:
                time.sleep(0.01)
            status, said, headers = server.ask("/classify", {"inputs": "good"})
            assert (status, said["error_type"]) == (503, "Overloaded")
            assert int(headers["retry-after"]) >= 1
            assert server.ask("/ready")[0] == 503
            assert server.ask("/health")[0] == 200
            assert b" 504 " in waiting.recv(1000)
        assert server.counted("hf_xfmr_queue_rows") == 0
        assert server.ask("/ready")[0] == 200


def long_writer(models, folder):
    """A model whose texts take a while: the token that ends them has a logit far below all others."""
    config = hf_xfmr.XfmrGPT2Config(**{**GPT2, "n_positions": 20_000})
    model = hf_xfmr.XfmrGPT2ForCausalLM(config)
    end = AutoTokenizer.from_pretrained(models / "gpt2").eos_token_id
    norm = [one for one in model.modules() if isinstance(one, torch.nn.LayerNorm)][-1]
    with torch.no_grad():
        norm.bias[0], model.get_input_embeddings().weight[end] = 10.0, 0.0
        model.get_input_embeddings().weight[end, 0] = -100.0
    model.save_pretrained(folder)
    for file in (models / "gpt2").glob("tokenizer*"):
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_reader_that_leaves_in_mid_stream_stops_the_writing(models, tmp_path):
    folder = long_writer(models, tmp_path / "long")
    body = {"prompt": "good", "max_tokens": 19_000, "temperature": 1, "stream": True}
    with in_thread(folder, timeout=120) as server:
        with server.socket() as connection:
            connection.sendall(post(json.dumps(body).encode(), "/v1/completions"))
            seen = b""
            while seen.count(b"data:") < 3:
                seen += connection.recv(4096)
        begun = time.monotonic()
        status, said, _ = server.ask("/v1/completions", {"prompt": "bad", "max_tokens": 2})
        assert status == 200
        assert said["usage"]["completion_tokens"] <= 2
        assert time.monotonic() - begun < 5
        while not server.counted("hf_xfmr_cancelled_total") and time.monotonic() < begun + 5:
            time.sleep(0.02)
        assert server.counted("hf_xfmr_cancelled_total") == 1


def test_who_reads_a_stream_slowly_holds_nobody_up_and_is_closed(models, tmp_path):
    """The answer, with its prompts 6 MB at once, is longer than what sockets hold; the reader takes nothing of it."""
    folder = long_writer(models, tmp_path / "long")
    body = {"prompt": "good" + " " * 99_000, "max_tokens": 19_000, "temperature": 0, "n": 64}
    body |= {"echo": True, "stream": True}
    with in_thread(folder, timeout=300, patience=1.5, batch_size=128) as server:
        own = psutil.Process()
        stalled = socket.socket()
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", server.port))
        stalled.sendall(post(json.dumps(body).encode(), "/v1/completions"))
        before, most, begun = own.memory_info().rss, 0, time.monotonic()
        while not server.counted("hf_xfmr_cancelled_total") and time.monotonic() < begun + 120:
            asked = time.monotonic()
            status, said, _ = server.ask("/v1/completions", {"prompt": "bad", "max_tokens": 2})
            assert (status, said["usage"]["completion_tokens"] <= 2) == (200, True)
            assert time.monotonic() - asked < 20
            most = max(most, own.memory_info().rss)
        assert server.counted("hf_xfmr_cancelled_total") == 1, "a reader that reads nothing is kept"
        assert most - before < 200_000_000
        stalled.close()
