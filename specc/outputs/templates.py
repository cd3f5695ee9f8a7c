"""The templates: an environment of Jinja in which a text is safe where it is shown."""

from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from specc import resources
from specc.diagnostics import visible, visible_line


def filled(template: str, **context: Any) -> str:
    """Return a template with its names filled in."""
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(resources.folder("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
        autoescape=lambda name: name is not None and (".html." in name or ".svg." in name),
    )
    environment.filters["md"] = _markdown_text
    environment.filters["code"] = _markdown_code
    environment.filters["urlencode"] = _url
    return environment


def _shown(value: Any) -> Any:
    """Return a value as a report may show it; every expression of every template passes here."""
    # What a macro has made has passed here already, piece by piece.
    return visible(value) if type(value) is str else value


def _markdown_text(text: str) -> str:
    """Escape what Markdown would take for markup; a bar would end a table cell."""
    for character in "\\|*_<>`[]":
        text = text.replace(character, f"\\{character}")
    return text


def _markdown_code(text: str) -> str:
    """Return a text as code in a cell of a table; with back-ticks of its own it is a text."""
    line = visible_line(text)
    if not line or "`" in line:
        return _markdown_text(line)
    return "`{}`".format(line.replace("|", "\\|"))


def _url(path: str) -> str:
    """Return the path of a file as a link has it, also one whose name is no text."""
    return quote(path, errors="surrogateescape")
