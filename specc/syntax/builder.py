"""Builds nodes while rules are read, so that no second tree is made and walked.

A method is named after its rule in `grammar/spec.lark` and receives what the rule matched.
"""

from typing import Any

from specc.diagnostics import Source, Span
from specc.syntax import nodes
from specc.syntax.automaton import Token

Children = list[Any]

_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


class TreeBuilder:
    """Builds nodes whose spans point into a source."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def _token_span(self, token: Token) -> Span:
        return Span(self.source, token.start_pos, token.start_pos + len(token))

    def _name(self, token: Token) -> nodes.Name:
        return nodes.Name(self._token_span(token), str(token))

    def _optional_name(self, token: Token | None) -> nodes.Name | None:
        return None if token is None else self._name(token)

    def start(self, children: Children) -> tuple[nodes.Statement, ...]:
        return tuple(children)

    def use(self, children: Children) -> nodes.Use:
        keyword, target, alias = children
        if isinstance(target, Token):
            target = self.string([target])
        name = self._optional_name(alias)
        return nodes.Use(self._token_span(keyword).to((name or target).span), target, name)

    def let(self, children: Children) -> nodes.Let:
        keyword, name, value = children
        return nodes.Let(self._token_span(keyword).to(value.span), self._name(name), value)

    def block(self, children: Children) -> nodes.Block:
        kind, name, base, *body, close = children
        span = self._token_span(kind).to(self._token_span(close))
        return nodes.Block(span, self._name(kind), self._optional_name(name), base, tuple(body))

    def field(self, children: Children) -> nodes.Field:
        path, value = children
        return nodes.Field(path.span.to(value.span), path, value)

    def constraint(self, children: Children) -> nodes.Constraint:
        path, operator, bound = children
        return nodes.Constraint(path.span.to(bound.span), path, str(operator), bound)

    def row(self, children: Children) -> nodes.TableRow:
        span = self._token_span(children[0]).to(self._token_span(children[-1]))
        return nodes.TableRow(span, tuple(c for c in children if not isinstance(c, Token)))

    def cell(self, children: Children) -> nodes.Cell:
        expression: nodes.Cell = children[0]
        return expression

    def heading(self, children: Children) -> nodes.ColumnHeading:
        words = tuple(self._name(token) for token in children)
        return nodes.ColumnHeading(words[0].span.to(words[-1].span), words)

    def sweep(self, children: Children) -> nodes.Sweep:
        keyword, path, values = children
        return nodes.Sweep(self._token_span(keyword).to(values.span), path, values)

    def sweep_zip(self, children: Children) -> nodes.SweepZip:
        keyword, *sweeps, close = children
        span = self._token_span(keyword).to(self._token_span(close))
        return nodes.SweepZip(span, tuple(sweeps))

    def assertion(self, children: Children) -> nodes.Assertion:
        return nodes.Assertion(*self._claim(children))

    def expectation(self, children: Children) -> nodes.Expectation:
        return nodes.Expectation(*self._claim(children))

    def _claim(self, children: Children) -> tuple[Span, nodes.Expression, nodes.String | None]:
        keyword, condition, reason = children
        text = None if reason is None else self.string([reason])
        return self._token_span(keyword).to((text or condition).span), condition, text

    def disjunction(self, children: Children) -> nodes.Binary:
        return self._infixed(children[0], "or", children[1])

    def conjunction(self, children: Children) -> nodes.Binary:
        return self._infixed(children[0], "and", children[1])

    def comparison(self, children: Children) -> nodes.Binary:
        return self._infixed(*children)

    def sum(self, children: Children) -> nodes.Binary:
        return self._infixed(*children)

    def product(self, children: Children) -> nodes.Binary:
        return self._infixed(*children)

    def _infixed(
        self, left: nodes.Expression, operator: str, right: nodes.Expression
    ) -> nodes.Binary:
        return nodes.Binary(left.span.to(right.span), str(operator), left, right)

    def negation(self, children: Children) -> nodes.Unary:
        return self._prefixed(children, "not")

    def negative(self, children: Children) -> nodes.Unary:
        return self._prefixed(children, "-")

    def _prefixed(self, children: Children, operator: str) -> nodes.Unary:
        token, operand = children
        return nodes.Unary(self._token_span(token).to(operand.span), operator, operand)

    def range(self, children: Children) -> nodes.Range:
        low, high, *by = children
        step = by[-1] if by else None
        geometric = any(isinstance(part, Token) for part in by)
        return nodes.Range(low.span.to((step or high).span), low, high, step, geometric)

    def group(self, children: Children) -> nodes.Expression:
        expression: nodes.Expression = children[1]
        return expression

    def number(self, children: Children) -> nodes.Number:
        return nodes.Number(self._token_span(children[0]), str(children[0]))

    def string(self, children: Children) -> nodes.String:
        token = children[0]
        return nodes.String(self._token_span(token), _unescaped(str(token)[1:-1]))

    def boolean(self, children: Children) -> nodes.Boolean:
        return nodes.Boolean(self._token_span(children[0]), children[0] == "true")

    def list(self, children: Children) -> nodes.List:
        opening, *items, closing = children
        span = self._token_span(opening).to(self._token_span(closing))
        return nodes.List(span, tuple(item for item in items if item is not None))

    def call(self, children: Children) -> nodes.Call:
        function, _, *arguments, closing = children
        span = function.span.to(self._token_span(closing))
        return nodes.Call(span, function, tuple(a for a in arguments if a is not None))

    def argument(self, children: Children) -> nodes.Argument:
        name, value = children
        label = self._optional_name(name)
        return nodes.Argument((label or value).span.to(value.span), label, value)

    def path(self, children: Children) -> nodes.Path:
        names = tuple(self._name(token) for token in children)
        return nodes.Path(names[0].span.to(names[-1].span), names)


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    parts = iter(text)
    return "".join(
        _ESCAPES.get(follow := next(parts, ""), follow) if c == "\\" else c for c in parts
    )
