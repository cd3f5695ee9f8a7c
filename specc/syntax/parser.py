"""The parser: feeds the automaton token by token, so that it can recover after an error."""

from collections.abc import Iterator
from typing import Any

from specc.diagnostics import Diagnostic, Label, Source, Span
from specc.syntax.automaton import Automaton, Token, tokens
from specc.syntax.builder import TreeBuilder
from specc.syntax.comments import attach_documentation
from specc.syntax.grammar import END, tables
from specc.syntax.nodes import File

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
    return list(tokens(tables(), source.text, ignored=()))


class LineEnds:
    """Drops line ends inside ( ) and [ ]. A brace or an error resets it."""

    def __init__(self) -> None:
        self.depth = 0

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Yield the tokens that count."""
        for token in stream:
            if token.type in ("OPEN_GROUP", "OPEN_LIST"):
                self.depth += 1
            elif token.type in ("CLOSE_GROUP", "CLOSE_LIST"):
                self.depth = max(0, self.depth - 1)
            elif token.type in ("LBRACE", "CLOSE"):
                self.depth = 0
            elif token.type == "_END" and self.depth and ";" not in token:
                continue
            yield token


class _Parse:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.line_ends = LineEnds()
        self.automaton = Automaton(tables(), TreeBuilder(source))
        self.diagnostics: list[Diagnostic] = []
        self.open: list[Token] = []

    def run(self) -> tuple[File, list[Diagnostic]]:
        rules = tables()
        stream = self.line_ends.process(tokens(rules, self.source.text, rules.ignored))
        for token in stream:
            self._track(token)
            if len(self.open) > DEEPEST_NESTING:
                self._report_depth(token)
                return File(self.source, ()), self.diagnostics
            if not self._fed(token) and not self._recovered(token, stream):
                return File(self.source, ()), self.diagnostics
        statements = self._finish()
        return File(self.source, attach_documentation(self.source, statements)), self.diagnostics

    def _fed(self, token: Token) -> bool:
        """Feed a token; report it if the grammar has no place for it."""
        if not self.automaton.fits(token.type):
            if token.type not in _KEYWORDS or not self.automaton.fits("NAME"):
                self._report(token, self.automaton.fitting())
                return False
            token = Token("NAME", token, token.start_pos)
        self.automaton.feed(token)
        return True

    def _recovered(self, wrong: Token, stream: Iterator[Token]) -> bool:
        """Skip to the end of the statement and drop what was read of it."""
        if len(self.diagnostics) >= MOST_ERRORS:
            return False
        self.line_ends.depth = 0
        if wrong.type == "CLOSE" and not self.open:
            return True  # a stray "}" is skipped alone
        if self._unclosed_before(wrong):
            # The bracket ended with its line; what follows is a statement of its own.
            while self.open[-1].type != "LBRACE":
                self.open.pop()
                if not self.open:
                    break
            self._unwind(Token("_END", "\n"))
            if self.automaton.fits(wrong.type):
                self.automaton.feed(wrong)
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
            token = next(stream, None)
            self.line_ends.depth = 0
        if token is not None:
            self._unwind(token)
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

    def _finish(self) -> tuple[Any, ...]:
        """Feed the end of the file; close what is open, so that its statements are kept."""
        closed = False
        for _ in range(len(self.open) + 2):
            if self.automaton.fits(END):
                tree: tuple[Any, ...] = self.automaton.finish()
                return tree
            if not closed:
                self._report_unclosed()
            closed = True
            self._unwind(Token("CLOSE", "}", len(self.source.text)))
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

    def _report_unclosed(self) -> None:
        end = Span(self.source, len(self.source.text.rstrip()), len(self.source.text.rstrip()) + 1)
        if self.open:
            self._report_bracket(self.open[-1], end, "the file ends here")
        elif not self.diagnostics:
            self._add(
                end,
                "E0101",
                "the text ends in the middle of a statement",
                why=_expected(self.automaton.fitting()),
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
        if not self.open or self.open[-1].type == "LBRACE":
            return False
        return self._span(self.open[-1]).line < self._span(token).line

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
        start = token.start_pos
        return Span(self.source, start, start + (1 if token.type == "_END" else len(token)))

    def _unwind(self, token: Token) -> None:
        """Drop the unfinished statement: pop states until `token` fits, then feed it."""
        while not self.automaton.fits(token.type):
            if len(self.automaton.states) == 1:
                return
            self.automaton.drop()
        self.automaton.feed(token)


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
