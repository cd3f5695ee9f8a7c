"""The language server: translates between the protocol and `analysis.py`."""

import asyncio
import logging
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from lsprotocol import types as lsp
from pygls import uris
from pygls.exceptions import FeatureRequestError, JsonRpcException, JsonRpcParseError
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, default_converter
from pygls.workspace import TextDocument

from specc._version import __version__
from specc.check.problems import AlreadyReportedError, ProblemError
from specc.diagnostics import Diagnostic, Source, Span
from specc.diagnostics.visible import message
from specc.editor.analysis import Analysis, OutlineItem
from specc.workspace import UnreadableError, Workspace

_KINDS = {
    "kind": lsp.CompletionItemKind.Class,
    "block": lsp.CompletionItemKind.Struct,
    "field": lsp.CompletionItemKind.Field,
    "choice": lsp.CompletionItemKind.EnumMember,
    "variable": lsp.CompletionItemKind.Variable,
    "module": lsp.CompletionItemKind.Module,
    "keyword": lsp.CompletionItemKind.Keyword,
}
_SYMBOLS = {"let": lsp.SymbolKind.Variable, "field": lsp.SymbolKind.Field}


PAUSE_S = 0.15  # without a change, until what was typed is checked
LONGEST_MESSAGE = 64 * 2**20
_LONGEST_HEADER = 1024


class _Input:
    """Standard input of the protocol, whatever a client writes there."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readline(self) -> bytes:
        """Return a line of a header; a piece of what is longer fits no header."""
        line = self._stream.readline(_LONGEST_HEADER)
        return line if line.endswith(b"\n") or not line else b"?\r\n"

    def read(self, size: int) -> bytes:
        """Return a message; one that is too long is skipped, and not understood."""
        if size <= LONGEST_MESSAGE:
            return self._stream.read(size)
        while size > 0 and (part := self._stream.read(min(size, 2**20))):
            size -= len(part)
        return b"?"


class _Protocol(LanguageServerProtocol):
    """Answers a request that it cannot understand, where its number is known."""

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Return the message that data stand for."""
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" not in data or "method" not in data:
                raise
            self._send_response(data["id"], error=error.to_response_error())
            return super().structure_message({"jsonrpc": self.VERSION, "method": "$/none"})


class SpecServer(LanguageServer):
    """The server with the analysis of each open document, renewed when its text changes."""

    def __init__(self, allow_paths: tuple[Path, ...] = ()) -> None:
        super().__init__(
            "specc", __version__, protocol_cls=_Protocol, converter_factory=default_converter
        )
        self.allow_paths = allow_paths
        self.analyses: dict[str, tuple[object, Analysis]] = {}
        self._waiting: asyncio.TimerHandle | None = None

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Tell the log of the client; no window opens for what a user has not done."""
        if source is FeatureRequestError:
            return  # the answer to the request has it
        text = message(f"{type(error).__name__}: {error}")
        if source is JsonRpcException:
            parse = JsonRpcParseError(text).to_response_error()
            self.protocol._send_response(None, error=parse)  # type: ignore[arg-type]
            return
        self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Error, text))

    def publish_soon(self) -> None:
        """Check all open documents when no change has come for a moment."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = asyncio.get_running_loop().call_later(PAUSE_S, self._publish)

    def _publish(self) -> None:
        self._waiting = None
        for uri in list(self.workspace.text_documents):
            try:
                _publish(self, uri)
            except Exception as error:
                self.report_server_error(error, type(error))

    def analysis(self, uri: str) -> Analysis:
        """Return the analysis of a document as it stands now."""
        document = self.workspace.get_text_document(uri)
        # What another open file says counts too.
        documents = self.workspace.text_documents
        state = sorted((other.uri, other.version or 0) for other in documents.values())
        known = self.analyses.get(uri)
        if known is not None and known[0] == state:
            return known[1]
        others = {_path(other): _text(other) for other in documents.values() if other.uri != uri}
        is_open = any(other is document for other in documents.values())
        text = _text(document) if is_open else _text_on_disk(document)
        fresh = Analysis.of(_path(document), text, others, self.allow_paths)
        self.analyses[uri] = (state, fresh)
        return fresh


def serve(allow_paths: tuple[Path, ...] = ()) -> None:
    """Serve a client over standard input and output, until it ends the session or is gone."""
    if not os.environ.get("SPECC_DEBUG"):
        # What a client does wrong is told to it; nobody else can help it.
        logging.getLogger().addHandler(logging.NullHandler())
    with open(1, "wb", closefd=False) as output:
        server = create_server(allow_paths)
        server.start_io(_Input(sys.stdin.buffer), output)  # type: ignore[arg-type]


def create_server(allow_paths: tuple[Path, ...] = ()) -> SpecServer:
    """Build the server with all that it can do, for specs that may read from these folders."""
    server = SpecServer(allow_paths)

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def changed(
        params: lsp.DidOpenTextDocumentParams
        | lsp.DidChangeTextDocumentParams
        | lsp.DidSaveTextDocumentParams,
    ) -> None:
        server.publish_soon()

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        server.analyses.pop(uri, None)
        server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    def hover(params: lsp.HoverParams) -> lsp.Hover | None:
        analysis, offset = _at(server, params)
        try:
            text = analysis.hover(offset)
        except (ProblemError, AlreadyReportedError):
            return None  # a value that has a problem of its own, which is shown there
        if text is None:
            return None
        return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, text))

    @server.feature(
        lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=[".", "=", " "])
    )
    def completion(params: lsp.CompletionParams) -> lsp.CompletionList:
        analysis, offset = _at(server, params)
        items = [
            lsp.CompletionItem(
                c.word, kind=_KINDS.get(c.kind, lsp.CompletionItemKind.Reference), detail=c.about
            )
            for c in analysis.completions(offset)
        ]
        return lsp.CompletionList(is_incomplete=False, items=items)

    @server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    def definition(params: lsp.DefinitionParams) -> lsp.Location | None:
        analysis, offset = _at(server, params)
        span = analysis.definition(offset)
        if span is None:
            return None
        path = analysis.workspace.path_of(span.source)
        return lsp.Location(_uri(path), _range(server, span))

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def symbols(params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        found = server.analysis(params.text_document.uri).symbols()
        return [_symbol(server, symbol) for symbol in found]

    @server.feature(lsp.TEXT_DOCUMENT_FORMATTING)
    def formatting(params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit]:
        analysis = server.analysis(params.text_document.uri)
        text = analysis.formatted()
        if text is None or text == analysis.text:
            return []
        end = lsp.Position(analysis.text.count("\n") + 1, 0)
        return [lsp.TextEdit(lsp.Range(lsp.Position(0, 0), end), text)]

    @server.feature(
        lsp.TEXT_DOCUMENT_CODE_ACTION,
        lsp.CodeActionOptions(code_action_kinds=[lsp.CodeActionKind.QuickFix]),
    )
    def code_actions(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        uri = params.text_document.uri
        analysis = server.analysis(uri)
        return [
            lsp.CodeAction(
                diagnostic.title_of(fix),
                kind=lsp.CodeActionKind.QuickFix,
                diagnostics=[_diagnostic(server, diagnostic)],
                edit=lsp.WorkspaceEdit({uri: [lsp.TextEdit(_range(server, fix.span), fix.text)]}),
            )
            for diagnostic in analysis.diagnostics()
            if _meets(_diagnostic(server, diagnostic).range, params.range)
            for fix in diagnostic.fixes
            if fix.span.source is analysis.source
        ]

    return server


def _publish(server: SpecServer, uri: str) -> None:
    found = server.analysis(uri).diagnostics()
    server.text_document_publish_diagnostics(
        lsp.PublishDiagnosticsParams(
            uri,
            [_diagnostic(server, diagnostic) for diagnostic in found],
            version=server.workspace.get_text_document(uri).version,
        )
    )


def _diagnostic(server: SpecServer, diagnostic: Diagnostic) -> lsp.Diagnostic:
    start = lsp.Position(0, 0)
    place = _range(server, diagnostic.span) if diagnostic.span else lsp.Range(start, start)
    shown = diagnostic.shown
    parts = [shown.message, shown.why, shown.help]
    severity = (
        lsp.DiagnosticSeverity.Error if diagnostic.is_error else lsp.DiagnosticSeverity.Warning
    )
    return lsp.Diagnostic(
        place,
        "\n".join(part for part in parts if part),
        severity=severity,
        code=diagnostic.code,
        source="specc",
    )


def _symbol(server: SpecServer, symbol: OutlineItem) -> lsp.DocumentSymbol:
    place = _range(server, symbol.span)
    return lsp.DocumentSymbol(
        symbol.name,
        _SYMBOLS.get(symbol.kind, lsp.SymbolKind.Class),
        place,
        place,
        detail=symbol.kind,
        children=[_symbol(server, child) for child in symbol.children],
    )


def _at(
    server: SpecServer,
    params: lsp.HoverParams | lsp.CompletionParams | lsp.DefinitionParams,
) -> tuple[Analysis, int]:
    document = server.workspace.get_text_document(params.text_document.uri)
    analysis = server.analysis(document.uri)
    lines = _lines(analysis.text)
    place = server.workspace.position_codec.position_from_client_units(lines, params.position)
    return analysis, sum(len(line) for line in lines[: place.line]) + place.character


def _range(server: SpecServer, span: Span) -> lsp.Range:
    codec = server.workspace.position_codec
    lines = _lines_of(span.source)
    return codec.range_to_client_units(
        lines, lsp.Range(_position(span.source, span.start), _position(span.source, span.end))
    )


def _position(source: Source, offset: int) -> lsp.Position:
    line, column = source.position(min(offset, len(source.text)))
    return lsp.Position(line - 1, column - 1)


def _lines(text: str) -> list[str]:
    """Split where spans count lines: at line feeds alone."""
    return [f"{line}\n" for line in text.split("\n")]


@lru_cache(maxsize=4)
def _lines_of(source: Source) -> list[str]:
    return _lines(source.text)


def _text(document: TextDocument) -> str:
    return document.source.replace("\r\n", "\n").replace("\r", "\n")


def _text_on_disk(document: TextDocument) -> str:
    """Return the text of a document that a client names and has not opened, if there is one."""
    path = _path(document)
    try:
        return Workspace.of_spec(path).read(path).text
    except UnreadableError:
        return ""


def _meets(a: lsp.Range, b: lsp.Range) -> bool:
    def key(position: lsp.Position) -> tuple[int, int]:
        return position.line, position.character

    return key(a.start) <= key(b.end) and key(b.start) <= key(a.end)


def _path(document: TextDocument) -> Path:
    return Path(document.path.replace("\0", "\ufffd")).absolute()


def _uri(path: Path) -> str:
    return uris.from_fs_path(os.path.realpath(path)) or ""
