"""The parser: lark's LALR tables, driven token by token so that it can recover after an error."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lark import Token
from lark.exceptions import UnexpectedToken
from lark.lark import PostLex
from lark.parsers.lalr_analysis import Shift

from specc.diagnostics import Diagnostic, Label, Source, Span
from specc.syntax.builder import TreeBuilder
from specc.syntax.comments import attach_documentation
from specc.syntax.grammar import parser_of
from specc.syntax.nodes import File

if TYPE_CHECKING:
    from lark.parsers.lalr_interactive_parser import InteractiveParser

MOST_ERRORS = 50
DEEPEST_NESTING = 64

_OPENERS = {"LBRACE": "CLOSE", "OPEN_GROUP": "CLOSE_GROUP", "OPEN_LIST": "CLOSE_LIST"}
_CLOSERS = {closer: opener for opener, closer in _OPENERS.items()}
_BRACKETS = {"LBRACE": "{", "OPEN_GROUP": "(", "OPEN_LIST": "["}
_KEYWORDS = {"USE", "LET", "SWEEP", "ASSERT", "EXPECT", "EXTENDS", "IN", "ZIP", "ELSE", "BY", "AS"}
_KEYWORDS |= {"AND", "OR", "NOT", "TRUE", "FALSE"}


def parse(source: Source) -> tuple[File, list[Diagnostic]]:
    """Parse a source into its syntax tree.

    After an error, parsing goes on at the next statement, so the tree holds what could be read.
    """
    return _Parse(source).run()


def all_tokens(source: Source) -> list[Token]:
    """Return every token of a source, comments and white space included, without parsing."""
    tables = _tables()
    tables.line_ends.keeps_all = True
    try:
        return list(tables.lark.lex(source.text, dont_ignore=True))
    finally:
        tables.line_ends.keeps_all = False


def _tables() -> "_ParserEngine":
    global _engine  # noqa: PLW0603 - the tables take 300 ms to build; one copy serves all
    _engine = _engine or _ParserEngine()
    return _engine


class _LineEnds(PostLex):
    """Drops line ends inside ( ) and [ ]. A brace or an error resets it."""

    always_accept = ("STRAY",)

    def __init__(self) -> None:
        self.depth = 0
        self.keeps_all = False

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        self.depth = 0
        for token in stream:
            if token.type in ("OPEN_GROUP", "OPEN_LIST"):
                self.depth += 1
            elif token.type in ("CLOSE_GROUP", "CLOSE_LIST"):
                self.depth = max(0, self.depth - 1)
            elif token.type in ("LBRACE", "CLOSE"):
                self.depth = 0
            elif token.type == "_END" and self.depth and ";" not in token and not self.keeps_all:
                continue
            yield token


class _ParserEngine:
    """Lark's tables with the builder and the filter they call; made once."""

    def __init__(self) -> None:
        self.builder = TreeBuilder()
        self.line_ends = _LineEnds()
        self.lark = parser_of(self.builder, self.line_ends)


_engine: _ParserEngine | None = None


class _Parse:
    def __init__(self, source: Source) -> None:
        self.engine = _tables()
        self.engine.builder.source = source
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self.open: list[Token] = []

    def run(self) -> tuple[File, list[Diagnostic]]:
        parser = self.engine.lark.parse_interactive(self.source.text)
        tokens = parser.lexer_thread.lex(parser.parser_state)
        for token in tokens:
            self._track(token)
            if len(self.open) > DEEPEST_NESTING:
                self._report_depth(token)
                return File(self.source, ()), self.diagnostics
            if not self._fed(parser, token) and not self._recovered(parser, token, tokens):
                return File(self.source, ()), self.diagnostics
        statements = self._finish(parser)
        return File(self.source, attach_documentation(self.source, statements)), self.diagnostics

    def _fed(self, parser: "InteractiveParser", token: Token) -> bool:
        """Feed a token; report it if the grammar has no place for it."""
        if not _fits(parser, token.type):
            if token.type not in _KEYWORDS or not _fits(parser, "NAME"):
                self._report(token, parser.accepts())
                return False
            token = Token.new_borrow_pos("NAME", token, token)
        parser.feed_token(token)
        return True

    def _recovered(
        self, parser: "InteractiveParser", wrong: Token, tokens: Iterator[Token]
    ) -> bool:
        """Skip to the end of the statement and drop what was read of it."""
        if len(self.diagnostics) >= MOST_ERRORS:
            return False
        self.engine.line_ends.depth = 0
        if wrong.type == "CLOSE" and not self.open:
            return True  # a stray "}" is skipped alone
        if self._unclosed_before(wrong):
            # The bracket ended with its line; what follows is a statement of its own.
            while self.open[-1].type != "LBRACE":
                self.open.pop()
                if not self.open:
                    break
            _unwind(parser, Token("_END", "\n"))
            if _fits(parser, wrong.type):
                parser.feed_token(wrong)
                return True
        token: Token | None = wrong
        depth = 0
        while token is not None:
            if token is not wrong:
                self._track(token)
            if token.type == "LBRACE":
                depth += 1
            elif token.type == "CLOSE":
                depth -= 1
            if depth < 0 or (depth == 0 and token.type == "_END"):
                break
            token = next(tokens, None)
            self.engine.line_ends.depth = 0
        if token is not None:
            _unwind(parser, token)
        return True

    def _track(self, token: Token) -> None:
        if token.type in _OPENERS:
            self.open.append(token)
        elif token.type in _CLOSERS:
            while self.open and self.open[-1].type != _CLOSERS[token.type]:
                if token.type != "CLOSE":
                    return
                self.open.pop()
            if self.open:
                self.open.pop()
        elif token.type == "_END":
            # A line end that came through ends every parenthesis left open by an error.
            while self.open and self.open[-1].type != "LBRACE":
                self.open.pop()

    def _finish(self, parser: "InteractiveParser") -> tuple[Any, ...]:
        """Feed the end of the file; close what is open, so that its statements are kept."""
        closed = False
        for _ in range(len(self.open) + 2):
            try:
                tree: tuple[Any, ...] = parser.feed_eof()
            except UnexpectedToken:
                if not closed:
                    self._report_unclosed(parser)
                closed = True
                _unwind(parser, Token("CLOSE", "}", start_pos=len(self.source.text), end_pos=None))
            else:
                return tree
        return ()

    def _report(self, token: Token, accepted: set[str]) -> None:
        span = self._span(token)
        if token.type == "STRAY" and token == '"':
            self._add(
                span, "E0101", "a text in quotes is not closed", help='end it with " on its line'
            )
            return
        if token.type == "CLOSE" and not self.open:
            self._add(span, "E0102", "this '}' closes nothing", help="remove it")
            return
        if self._unclosed_before(token):
            self._report_bracket(self.open[-1], span, "something else begins here")
            return
        found = f"'{token}'"
        if token.type == "_END":
            found = "';'" if token.startswith(";") else "the end of the line"
        self._add(
            span,
            "E0101",
            f"{found} does not fit here",
            label="unexpected",
            why=_expected(accepted),
            help=_advice(token, self.source.text[max(0, span.start - 1) : span.end + 1], accepted),
        )

    def _report_unclosed(self, parser: "InteractiveParser") -> None:
        end = Span(self.source, len(self.source.text.rstrip()), len(self.source.text.rstrip()) + 1)
        if self.open:
            self._report_bracket(self.open[-1], end, "the file ends here")
        elif not self.diagnostics:
            self._add(
                end,
                "E0101",
                "the text ends in the middle of a statement",
                why=_expected(parser.accepts()),
            )

    def _report_bracket(self, opener: Token, end: Span, remark: str) -> None:
        bracket = _BRACKETS[opener.type]
        self.diagnostics.append(
            Diagnostic(
                "E0102",
                f"this '{bracket}' is never closed",
                (Label(self._span(opener), "opened here"), Label(end, remark)),
                help=f"add its closing '{_closing(bracket)}'",
            )
        )

    def _unclosed_before(self, token: Token) -> bool:
        """Tell whether a parenthesis of an earlier line is still open at a token."""
        if not self.open or self.open[-1].type == "LBRACE" or token.type == "$END":
            return False
        opened, here = self.open[-1].line, token.line
        return opened is not None and here is not None and opened < here

    def _report_depth(self, token: Token) -> None:
        self._add(
            self._span(token),
            "E0103",
            f"brackets are nested more than {DEEPEST_NESTING} deep",
            help="split the expression with let, or the block into several",
        )

    def _add(
        self,
        span: Span,
        code: str,
        message: str,
        *,
        label: str = "",
        why: str = "",
        help: str = "",
    ) -> None:
        found = Diagnostic.at(span, code, message, label=label, why=why, help=help)
        self.diagnostics.append(found)

    def _span(self, token: Token) -> Span:
        start = token.start_pos or 0
        return Span(self.source, start, start + (1 if token.type == "_END" else len(token)))


def _unwind(parser: "InteractiveParser", token: Token) -> None:
    """Drop the unfinished statement: pop states until `token` fits, then feed it."""
    state = parser.parser_state
    while not _fits(parser, token.type):
        if len(state.state_stack) == 1:
            return
        state.state_stack.pop()
        state.value_stack.pop()
    parser.feed_token(token)


def _fits(parser: "InteractiveParser", token_type: str) -> bool:
    """Tell whether a token would be shifted, without reducing anything.

    LALR reduces before it notices an error, and lark's values share lists, so a token that does
    not fit must not be fed at all.
    """
    states = parser.parser_state.parse_conf.states
    stack = parser.parser_state.state_stack
    copied = False
    while (entry := states[stack[-1]].get(token_type)) is not None:
        action, rule = entry
        if action is Shift:
            return True
        if not copied:
            stack, copied = stack[:], True
        if rule.expansion:
            del stack[-len(rule.expansion) :]
        stack.append(states[stack[-1]][rule.origin.name][1])
    return False


_WORDS = {
    "QUANTITY": "a number",
    "NAME": "a name",
    "STRING": "a text in quotes",
    "COMPARE": "a comparison",
    "_END": "the end of the line",
    "$END": "the end of the file",
    "LBRACE": "'{'",
    "CLOSE": "'}'",
    "EQUAL": "'='",
    "OPEN_GROUP": "'('",
    "CLOSE_GROUP": "')'",
    "OPEN_LIST": "'['",
    "CLOSE_LIST": "']'",
    "BAR": "'|'",
    "COMMA": "','",
    "DOT": "'.'",
    "IN": "'in'",
    "BY": "'by'",
}
_VALUE = {"QUANTITY", "STRING", "OPEN_GROUP", "OPEN_LIST", "NAME"}


def _expected(accepted: set[str]) -> str:
    """Say what the grammar would take here, in a few words."""
    parts = []
    if accepted >= _VALUE:
        accepted = accepted - _VALUE
        parts.append("a value (a number, a name, a text, a list)")
    parts += sorted(_WORDS[name] for name in accepted if name in _WORDS)
    return "what fits here: " + ", ".join(parts) if parts else ""


def _advice(token: Token, around: str, accepted: set[str]) -> str:
    """Guess what was meant; `around` is the token with the characters beside it."""
    if token == ":" and "EQUAL" in accepted:
        return "a field has '=', not ':'"
    if token == "/" and "//" in around:
        return "a comment begins with '#'"
    if token == "," and "_END" in accepted:
        return "a statement ends with its line: remove the ','"
    if token.type == "QUANTITY" and "NAME" in accepted and not accepted >= _VALUE:
        return "a statement begins with a name: ttft <= 2 s"
    if "LBRACE" in accepted and "EQUAL" in accepted:
        return "a field is written 'name = value', a block 'kind name { … }'"
    if "LBRACE" in accepted:
        return "a block is written 'kind name { … }'"
    if token.type == "EQUAL" and accepted >= _VALUE:
        return "one '=' gives a field its value; '==' compares"
    if token == "'":
        return 'texts stand in double quotes: "…"'
    return ""


def _closing(bracket: str) -> str:
    return {"{": "}", "(": ")", "[": "]"}[bracket]
