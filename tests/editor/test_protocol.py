"""The language server and clients that do what the protocol does not want."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

GOOD = "use std.devices\nlet a = 1\n"


class Client:
    """Talks to a server in bytes; what it waits for ends with the server."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "specc", "lsp"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.uri = (folder / "plan.spec").as_uri()
        self.number = 0

    def write(self, data: bytes) -> None:
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, method: str, params: Any = None, **more: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        self.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def receive(self) -> dict[str, Any]:
        size = 0
        while line := self.process.stdout.readline().strip():
            if line.startswith(b"Content-Length:"):
                size = int(line.partition(b":")[2])
        assert size, "the server has ended"
        return json.loads(self.process.stdout.read(size))

    def until(self, wanted) -> dict[str, Any]:
        while not wanted(message := self.receive()):
            pass
        return message

    def ask(self, method: str, params: Any = None) -> dict[str, Any]:
        self.number += 1
        number = self.number
        self.send(method, params, id=number)
        return self.until(lambda message: message.get("id") == number and "method" not in message)

    def start(self, text: str = GOOD) -> None:
        self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        self.send("initialized", {})
        self.open(self.uri, text)

    def open(self, uri: str, text: str) -> None:
        document = {"uri": uri, "languageId": "specc", "version": 1, "text": text}
        self.send("textDocument/didOpen", {"textDocument": document})

    def change(self, version: int, text: str) -> None:
        document = {"uri": self.uri, "version": version}
        params = {"textDocument": document, "contentChanges": [{"text": text}]}
        self.send("textDocument/didChange", params)

    def problems(self, version: int) -> list[str]:
        """The codes that are published for a version."""
        found = self.until(
            lambda m: (
                m.get("method") == "textDocument/publishDiagnostics"
                and m["params"].get("version") == version
            )
        )
        return [d["code"] for d in found["params"]["diagnostics"]]

    def hover(self, uri: str, line: int, character: int) -> dict[str, Any]:
        place = {"line": line, "character": character}
        return self.ask("textDocument/hover", {"textDocument": {"uri": uri}, "position": place})

    def lives(self) -> bool:
        return "result" in self.hover(self.uri, 1, 4)

    def end(self) -> tuple[int, bytes]:
        """Close standard input; returns the exit code and what standard error holds."""
        self.process.stdin.close()
        self.process.stdout.read()
        errors = self.process.stderr.read()
        return self.process.wait(60), errors


@pytest.fixture
def client(tmp_path: Path):
    found = Client(tmp_path)
    yield found
    found.process.kill()
    for stream in (found.process.stdin, found.process.stdout, found.process.stderr):
        stream.close()
    found.process.wait()


def test_closing_the_input_ends_it(client) -> None:
    client.start()
    assert client.lives()
    assert client.end() == (0, b"")


def test_an_input_that_is_closed_at_once(client) -> None:
    assert client.end() == (0, b"")


def test_shutdown_and_exit(client) -> None:
    client.start()
    assert client.ask("shutdown")["result"] is None
    client.send("exit")
    assert client.process.wait(60) == 0


@pytest.mark.parametrize(
    "garbage",
    [
        b"hello\r\n\r\n",
        b"\x00\xff\xfe" * 1000 + b"\r\n",
        b"x" * 100_000 + b"\r\n",
        b"Content-Length: nonsense\r\n\r\n",
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: 0\r\n\r\n",
        b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"Content-Length: 5\r\n\r\nhello",
        b"Content-Length: 5\r\n\r\n{}[]3",
        b"Content-Length: 1\r\n\r\n3",
        b"Content-Length: 2\r\n\r\n[]",
        b"Content-Length: 2\r\n\r\n{}",
        b"Content-Length: 4\r\n\r\nnull",
        b'Content-Length: 17\r\n\r\n{"jsonrpc":"1.0"}',
        b'Content-Length: 17\r\n\r\n{"jsonrpc":"2.0"}',
        b"Content-Length: 2\r\n\r\n\xff\xfe",
        b"Content-Length: 60000\r\n\r\n" + b"[" * 60000,
        b"Content-Length: 70000000\r\n\r\n" + b" " * 70_000_000,
        b'Content-Length: 3\r\n\r\n{"jsonrpc": "2.0", "method": "x"}\r\n',
    ],
    ids=range(19),
)
def test_garbage(client, garbage: bytes) -> None:
    client.start()
    client.write(garbage)
    assert client.lives()
    assert client.end() == (0, b"")


@pytest.mark.parametrize("size", [500, 2 * 10**12, 10**20])
def test_a_message_that_never_ends(client, size: int) -> None:
    client.start()
    client.write(b"Content-Length: %d\r\n\r\n{" % size)
    assert client.end() == (0, b"")


def test_requests_that_cannot_be_answered_are_refused(client) -> None:
    client.start()
    document = {"textDocument": {"uri": client.uri}}
    for method, params, code in (
        ("textDocument/unknown", {}, -32601),
        ("textDocument/hover", {}, -32602),
        ("textDocument/hover", None, -32602),
        ("textDocument/hover", {**document, "position": {"line": "x", "character": 0}}, -32602),
        ("textDocument/hover", {**document, "position": {"line": -1, "character": 0}}, -32602),
        ("textDocument/completion", [], -32602),
        ("textDocument/codeAction", {**document}, -32602),
    ):
        assert client.ask(method, params)["error"]["code"] == code, (method, params)
    for method in ("textDocument/didOpen", "textDocument/didChange", "$/cancelRequest", "$/none"):
        client.send(method, {})
    client.send("textDocument/didChange", {
        "textDocument": {"uri": "file:///never/opened.spec", "version": 3},
        "contentChanges": [{"text": "x"}],
    })  # fmt: skip
    assert client.lives()
    assert client.end() == (0, b"")


@pytest.mark.parametrize("place", [(0, 99_999), (99_999, 0), (2, 0), (2**31 - 1, 2**31 - 1)])
def test_places_beyond_the_text(client, place: tuple[int, int]) -> None:
    client.start()
    assert "result" in client.hover(client.uri, *place)
    for method in ("definition", "completion"):
        params = {
            "textDocument": {"uri": client.uri},
            "position": {"line": place[0], "character": place[1]},
        }
        assert "result" in client.ask(f"textDocument/{method}", params)
    assert client.lives()


@pytest.mark.parametrize(
    "uri",
    [
        "untitled:Untitled-1",
        "http://example.org/plan.spec",
        "file:///none/plan.spec",
        "file:///dev/zero",
        "file:///",
        "file://server/share/plan.spec",
        "",
        "plan",
        "\x1b\u202e",
        "file:///%00%ff",
        "git:/plan.spec?ref=1",
    ],
)
def test_addresses_that_are_no_files(client, uri: str) -> None:
    client.start()
    assert "result" in client.hover(uri, 0, 0)
    client.open(uri, "let a = = 1\n")
    assert "result" in client.hover(uri, 0, 5)
    assert client.lives()
    assert client.end() == (0, b"")


def test_a_large_document(client) -> None:
    client.start("let a = 1\n" * 1_000_000)
    assert client.problems(1) == ["E0003"]
    client.change(2, GOOD)
    assert "E0003" not in client.problems(2)


def test_the_last_of_many_changes_wins(client) -> None:
    client.start()
    for version in range(2, 302):
        client.change(version, "let a = = 1\n" if version < 301 else "assert 1 == 1\n")
    assert client.problems(301) == []
    assert client.lives()
    assert client.end() == (0, b"")


def test_requests_that_are_cancelled(client) -> None:
    client.start()
    place = {"textDocument": {"uri": client.uri}, "position": {"line": 1, "character": 4}}
    for number in range(1000, 1020):
        client.send("textDocument/hover", place, id=number)
        client.send("$/cancelRequest", {"id": number})
    client.send("$/cancelRequest", {"id": "never sent"})
    answered = set()
    while len(answered) < 20:
        message = client.receive()
        if message.get("id"):
            answered.add(message["id"])
    assert answered == set(range(1000, 1020))
    assert client.lives()
    assert client.end() == (0, b"")


def test_a_closed_document_has_no_problems_any_more(client) -> None:
    client.start("let a = = 1\n")
    assert client.problems(1) == ["E0101"]
    client.send("textDocument/didClose", {"textDocument": {"uri": client.uri}})
    found = client.until(lambda m: m.get("method") == "textDocument/publishDiagnostics")
    assert found["params"]["diagnostics"] == []


def test_a_client_that_is_gone(client) -> None:
    client.start()
    client.process.stdout.close()
    client.change(2, "let a = = 1\n")
    client.process.stdin.close()
    assert client.process.wait(60) == 0
    assert client.process.stderr.read() == b""
