"""Commands in the text of a script, with what its variables say."""

import re
import shlex
from collections.abc import Iterator, Mapping

from attrs import frozen

from specc.records import Record

_SERVERS = (
    (("vllm", "serve"), "vllm"),
    (("vllm.entrypoints.openai.api_server",), "vllm"),
    (("sglang.launch_server",), "sglang"),
)
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::?-([^{}]*))?\}|([A-Za-z_]\w*))")
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)(\+?)=(.*)", re.S)
_ARRAY = re.compile(r"([A-Za-z_]\w*)\+?=\(\s*([^()]*(?:\([^()]*\)[^()]*)*)\)", re.S)
_COMMENT = re.compile(r"(?m)(^|\s)#.*$")


@frozen(eq=False, repr=False)
class Command(Record):
    """A command that launches a server.

    Attributes:
        engine: `vllm` or `sglang`.
        words: after its name.
        variables: that the script sets before.
    """

    engine: str
    words: tuple[str, ...]
    variables: Mapping[str, str]


def commands_in(text: str) -> Iterator[Command]:
    """Yield the commands of a script that launch servers.

    Raises:
        ValueError: its quotes do not match.
    """
    plain = _COMMENT.sub(r"\1", text.replace("\\\n", " "))
    arrays: dict[str, list[str]] = {}
    for name, body in _ARRAY.findall(plain):
        arrays.setdefault(name, []).extend(shlex.split(body))
    plain = _ARRAY.sub("", plain)
    variables: dict[str, str] = {}
    for line in _statements(plain):
        words = _split(line)
        while words and (assigned := _ASSIGNED.fullmatch(words[0])):
            _assign(assigned, variables)
            words = words[1:]
        if words[:1] == ["export"]:
            for word in words[1:]:
                if assigned := _ASSIGNED.fullmatch(word):
                    _assign(assigned, variables)
            continue
        found = _server(words)
        if found is not None:
            engine, rest = found
            flat = [one for word in rest for one in _of_array(word, arrays)]
            yield Command(engine, tuple(expanded(w, variables) for w in flat), dict(variables))


def _assign(assigned: re.Match[str], variables: dict[str, str]) -> None:
    name, more, value = assigned.groups()
    known = variables.get(name, "") if more else ""
    variables[name] = known + expanded(value, variables)


def _statements(text: str) -> Iterator[str]:
    """Yield statements: lines, and what quotes hold together."""
    kept = ""
    for line in text.splitlines():
        kept = f"{kept}\n{line}" if kept else line
        try:
            shlex.split(kept)
        except ValueError:
            continue
        yield kept
        kept = ""
    if kept:
        raise ValueError("a quote is not closed")


# What ends a command, or sends what it prints: a word of its own, or the start of one.
_END = re.compile(r"&&?|\|\|?|;|[012&]?>>?.*", re.S)


def _split(line: str) -> list[str]:
    """Return the words of a statement up to what ends its command that launches a server."""
    words = shlex.split(line)
    ends = [n for n, word in enumerate(words) if _END.fullmatch(word)]
    end = next((n for n in ends if _server(words[:n]) is not None), None)
    return words[:end]


def _server(words: list[str]) -> tuple[str, list[str]] | None:
    for names, engine in _SERVERS:
        size = len(names)
        for place in range(len(words) - size + 1):
            if tuple(words[place : place + size]) == names:
                return engine, words[place + size :]
    return None


def _of_array(word: str, arrays: Mapping[str, list[str]]) -> list[str]:
    found = re.fullmatch(r"\$\{(\w+)\[@\]\}", word)
    return arrays.get(found[1], [word]) if found else [word]


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """Return a text with the variables that are known filled in."""

    def value(found: re.Match[str]) -> str:
        known = variables.get(found[1] or found[3], found[2])
        return known or found[0]  # an empty one is set where the script is called

    return _VARIABLE.sub(value, text)
