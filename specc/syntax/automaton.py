"""Tokens, and the automaton that reads them: LALR, driven by tables.

It is fed token by token, so that the parser can look at its state and recover after an error.
"""

from collections.abc import Collection, Iterator
from typing import Any

from specc.syntax.grammar import END, Tables


class Token(str):
    """The text of a token, with its type and the place where it begins."""

    __slots__ = ("start_pos", "type")

    type: str
    start_pos: int

    def __new__(cls, kind: str, text: str, start_pos: int = 0) -> "Token":
        """Make a token of a type."""
        token = super().__new__(cls, text)
        token.type = kind
        token.start_pos = start_pos
        return token


def tokens(tables: Tables, text: str, ignored: Collection[str]) -> Iterator[Token]:
    """Split a text into tokens, and leave out those of some types."""
    words = tables.words
    for match in tables.pattern.finditer(text):
        kind: Any = match.lastgroup
        if kind in ignored:
            continue
        part = match.group()
        if kind in words:
            kind = words[kind].get(part, kind)
        yield Token(kind, part, match.start())


class Automaton:
    """A text that is being read: the states that led here, and what was made of it so far."""

    def __init__(self, tables: Tables, builder: object) -> None:
        self.states = [0]
        self.values: list[Any] = []
        self._table = tables.states
        self._rules = tables.rules
        self._builder = builder

    def fits(self, kind: str) -> bool:
        """Tell whether a token of a type would be taken here, without building anything.

        LALR builds before it notices an error, and values share lists, so a token that does not
        fit must not be fed at all.
        """
        stack = self.states
        copied = False
        while (goal := self._table[stack[-1]].get(kind)) is not None:
            if goal >= 0:
                return True
            if not copied:
                stack, copied = stack[:], True
            rule = self._rules[~goal]
            if rule.size:
                del stack[-rule.size :]
            stack.append(self._table[stack[-1]][rule.origin])
        return False

    def fitting(self) -> set[str]:
        """Return the types of the tokens that would be taken here."""
        return {kind for kind in self._table[self.states[-1]] if kind.isupper() and self.fits(kind)}

    def feed(self, token: Token) -> None:
        """Take a token that fits."""
        while (goal := self._table[self.states[-1]][token.type]) < 0:
            self._apply(~goal)
        self.states.append(goal)
        self.values.append(token)

    def finish(self) -> Any:
        """Take the end of the text, where it fits, and return what was made of it."""
        self.feed(Token(END, ""))
        return self.values[0]

    def drop(self) -> None:
        """Forget what was made last."""
        self.states.pop()
        self.values.pop()

    def _apply(self, number: int) -> None:
        origin, size, builds, single, symbols = self._rules[number]
        read = self.values[-size:] if size else []
        children: list[Any] = []
        for place in symbols:
            if place is None:
                children.append(None)
            elif place >= 0:
                children.append(read[place])
            elif children:
                children += read[~place]
            else:
                children = read[~place]  # nobody else has it: the rest of a long list is added
        value: Any = children
        if single and len(children) == 1:
            value = children[0]
        elif builds:
            value = getattr(self._builder, builds)(children)
        if size:
            del self.states[-size:], self.values[-size:]
        self.states.append(self._table[self.states[-1]][origin])
        self.values.append(value)
