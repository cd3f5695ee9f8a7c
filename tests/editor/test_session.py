"""A session with the language server over standard input and output, as an editor holds it."""

import asyncio
import sys
from pathlib import Path

import pytest
from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

from specc.ir.facts import METRICS
from tests.conftest import ROOT

TEXT = """\
use std.devices
use std.models
let nodes = 2
## Weekday traffic 重
workload chat { input = 3500 tok; output = 1500 tok; slo { tpot <= 50 ms } }
deployment a3 {
    model   = qwen3_32
    device  = atlas_800_a3_752t_die
    devices = 8 * nodes
}
deployment a2 extends a3 { device = atlas_800_a2_313t; model = qwen3_8b }
study s { workload = chat; deployments = [a2, a3] }
"""


@pytest.fixture
def session(tmp_path: Path):
    """Run a coroutine with a client whose document is TEXT; returns what it returns."""

    def run(talk):
        async def hold():
            client = LanguageClient("test", "1")
            published: asyncio.Queue = asyncio.Queue()

            @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
            def receive(params: lsp.PublishDiagnosticsParams) -> None:
                published.put_nowait(params.diagnostics)

            await client.start_io(sys.executable, "-m", "specc", "lsp", cwd=str(ROOT))
            uri = (tmp_path / "plan.spec").as_uri()
            await client.initialize_async(
                lsp.InitializeParams(
                    capabilities=lsp.ClientCapabilities(), root_uri=tmp_path.as_uri()
                )
            )
            client.initialized(lsp.InitializedParams())
            client.text_document_did_open(
                lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(uri, "specc", 1, TEXT))
            )
            first = await asyncio.wait_for(published.get(), 30)
            result = await talk(client, uri, first, published)
            await client.shutdown_async(None)
            client.exit(None)
            await client.stop()
            return result

        return asyncio.run(hold())

    return run


def _place(text: str, word: str, shift: int = 1) -> lsp.Position:
    offset = text.index(word) + shift
    line = text.count("\n", 0, offset)
    column = offset - (text.rfind("\n", 0, offset) + 1)
    return lsp.Position(line, column)


def _at(uri: str, word: str, shift: int = 1):
    return {"text_document": lsp.TextDocumentIdentifier(uri), "position": _place(TEXT, word, shift)}


def test_a_session(session) -> None:
    async def talk(client, uri, first, published):
        document = lsp.TextDocumentIdentifier(uri)
        (problem,) = first
        assert (problem.code, problem.range.start.line) == ("E0203", 6)
        actions = await client.text_document_code_action_async(
            lsp.CodeActionParams(
                document, problem.range, lsp.CodeActionContext(diagnostics=[problem])
            )
        )
        (edit,) = actions[0].edit.changes[uri]
        assert (actions[0].title, edit.new_text) == ("Change to 'qwen3_32b'", "qwen3_32b")

        client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(2, uri),
                [lsp.TextDocumentContentChangePartial(edit.range, edit.new_text)],
            )
        )
        assert not await asyncio.wait_for(published.get(), 30)

        async def hover(word: str, shift: int = 1) -> str:
            found = await client.text_document_hover_async(lsp.HoverParams(**_at(uri, word, shift)))
            return found.contents.value if found else ""

        assert "time per output token" in await hover("tpot")
        assert "Here: **50 ms**" in await hover("tpot")
        assert "Here: **16**" in await hover("devices =")
        assert "**2**" in await hover("nodes\n}")
        assert "tokens: **3,500 tok**" in await hover("3500 tok")
        assert "Weekday traffic 重" in await hover("chat {")
        assert "Atlas 800 A2, Ascend 910B3" in await hover("atlas_800_a2_313t")

        async def complete(text: str) -> list[str]:
            client.text_document_did_change(
                lsp.DidChangeTextDocumentParams(
                    lsp.VersionedTextDocumentIdentifier(complete.version, uri),
                    [lsp.TextDocumentContentChangeWholeDocument(TEXT + text)],
                )
            )
            complete.version += 1
            end = lsp.Position((TEXT + text).count("\n"), len(text.rpartition("\n")[2]))
            found = await client.text_document_completion_async(lsp.CompletionParams(document, end))
            return [item.label for item in found.items]

        complete.version = 3
        assert {"workload", "deployment", "use"} <= set(await complete(""))
        assert {"prefix_hit", "slo"} <= set(await complete("workload x {\n    "))
        slo = await complete("workload x {\n    slo { ")
        assert slo == ["ttft", "tpot", "confidence", *(f"{m}.p99" for m in METRICS)]
        assert "poisson" in await complete("study x {\n    simulate { arrival = ")
        assert "w8a8_dynamic" in await complete("deployment x {\n    quant = ")
        assert "qwen3_8b" in await complete("deployment x {\n    model = ")
        assert "exhaustive" in await complete("deployment x { search.strategy = ")
        assert await complete("use std.") == [
            "std.calibrations",
            "std.devices",
            "std.models",
            "std.workloads",
        ]
        assert {"expect", "sweep", "workload"} <= set(await complete("study x {\n    "))
        assert await complete("# a comment ") == []

        async def definition(word: str, shift: int = 1) -> tuple[str, int]:
            found = await client.text_document_definition_async(
                lsp.DefinitionParams(**_at(uri, word, shift))
            )
            return Path(found.uri).name, found.range.start.line

        assert await definition("nodes\n}") == ("plan.spec", 2)
        assert await definition("a3 { device = atlas") == ("plan.spec", 5)
        assert (await definition("atlas_800_a2_313t"))[0] == "devices.spec"

        symbols = await client.text_document_document_symbol_async(
            lsp.DocumentSymbolParams(document)
        )
        assert [s.name for s in symbols][:4] == ["nodes", "chat", "a3", "a2"]
        assert "slo" in [child.name for child in symbols[1].children]

        ugly = "let  a=1"
        client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(99, uri),
                [lsp.TextDocumentContentChangeWholeDocument(ugly)],
            )
        )
        edits = await client.text_document_formatting_async(
            lsp.DocumentFormattingParams(document, lsp.FormattingOptions(4, True))
        )
        assert [e.new_text for e in edits] == ["let a = 1\n"]
        return True

    assert session(talk)


def test_columns_are_those_of_the_protocol(session) -> None:
    """A character outside of the basic plane counts two in UTF-16."""

    async def talk(client, uri, _first, published):
        text = 'let a = ["😀", "重", 1 GIB]\n'
        client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(2, uri),
                [lsp.TextDocumentContentChangeWholeDocument(text)],
            )
        )
        (problem,) = await asyncio.wait_for(published.get(), 30)
        return problem.code, problem.range.start.character, problem.range.end.character

    start = len('let a = ["😀", "重", ') + 1
    assert session(talk) == ("E0304", start, start + len("1 GIB"))


def test_line_ends_of_windows_and_other_open_files(session, tmp_path: Path) -> None:
    async def talk(client, uri, _first, published):
        def change(version: int, address: str, text: str) -> None:
            client.text_document_did_change(
                lsp.DidChangeTextDocumentParams(
                    lsp.VersionedTextDocumentIdentifier(version, address),
                    [lsp.TextDocumentContentChangeWholeDocument(text)],
                )
            )

        change(2, uri, TEXT.replace("\n", "\r\n"))
        found = await client.text_document_hover_async(lsp.HoverParams(**_at(uri, "tpot")))
        assert "time per output token" in found.contents.value

        common = (tmp_path / "common.spec").as_uri()
        client.text_document_did_open(
            lsp.DidOpenTextDocumentParams(
                lsp.TextDocumentItem(common, "specc", 1, "let shared = 4\n")
            )
        )
        text = 'use "common.spec"\nlet mine = shared * 2\n'
        change(3, uri, text)
        place = {"text_document": lsp.TextDocumentIdentifier(uri)}
        where = lsp.Position(1, 5)
        found = await client.text_document_hover_async(lsp.HoverParams(position=where, **place))
        assert "**8**" in found.contents.value
        change(2, common, "let shared = 5\n")
        found = await client.text_document_hover_async(lsp.HoverParams(position=where, **place))
        assert "**10**" in found.contents.value
        return True

    assert session(talk)
