"""Nothing in a test reaches beyond loopback: any other connection is refused, at once and by name."""

import ipaddress
import os
import socket

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # inherited by processes that tests start; read when huggingface_hub is imported
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def _is_loopback(address) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return address[0] == "localhost"


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch):
    connect = socket.socket.connect

    def guarded(self, address):
        if not _is_loopback(address):
            raise ConnectionRefusedError(f"tests reach loopback only, not {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
