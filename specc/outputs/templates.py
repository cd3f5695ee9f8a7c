"""The templates: an environment of Jinja in which a text is safe where it is shown."""

import hashlib
import json
import shlex
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    ModuleLoader,
    PrefixLoader,
    StrictUndefined,
)

from specc import resources
from specc.diagnostics import ExplainedError, visible, visible_line
from specc.reading import read_bytes

LARGEST_TEMPLATE_BYTES = 2**20


class WrongTemplateError(ExplainedError):
    """A template of a user that cannot be filled in."""


def filled(template: str, own: Path | None = None, /, **context: Any) -> str:
    """Return a template with its names filled in.

    Args:
        template: its name.
        own: a folder of a user; a template in it counts before that of specc with the same name,
            whatever folder that is in.
        context: the names.

    Raises:
        WrongTemplateError: the template of a user is none, or asks for a name that there is not.
    """
    if own is None:
        return _environment().get_template(template).render(**context)
    try:
        return _environment_with(own).get_template(template).render(**context)
    except jinja2.TemplateError as error:
        raise WrongTemplateError(
            f"the template '{template}' with those of '{own}' cannot be filled in: {error}",
            help="begin with a copy of that in templates/launch",
        ) from None


def _environment_with(own: Path) -> Environment:
    if not own.is_dir():
        raise WrongTemplateError(f"there is no folder '{own}'", help="check --templates")
    loader = PrefixLoader({"launch": FileSystemLoader(own)})
    return _environment_of(ChoiceLoader([loader, _sources()]))


def write_modules(folder: Path) -> None:
    """Write the templates as Python into a folder inside of another: Jinja takes 50 ms for that."""
    target = _modules_in(folder)
    target.mkdir(parents=True)
    _environment_of(_sources()).compile_templates(
        target, zip=None, ignore_errors=False, filter_func=lambda name: name != "README.md"
    )


def _sources() -> BaseLoader:
    return FileSystemLoader(resources.folder("templates"))


def _modules_in(folder: Path) -> Path:
    """Return where the modules of these templates lie, made by this Jinja and this file."""
    files = resources.folder("templates").rglob("*.j2")
    sources = [Path(__file__), *sorted(files)]
    digest = hashlib.sha256(jinja2.__version__.encode())
    for path in sources:
        digest.update(hashlib.sha256(read_bytes(path, LARGEST_TEMPLATE_BYTES)).digest())
    return folder / f"templates-{digest.hexdigest()[:24]}"


@cache
def _environment() -> Environment:
    modules = _modules_in(resources.MADE)
    made = [ModuleLoader(modules)] if modules.is_dir() else []
    return _environment_of(ChoiceLoader([*made, _sources()]))


def _environment_of(loader: BaseLoader) -> Environment:
    environment = Environment(
        loader=loader,
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
    environment.filters["sh"] = shlex.quote
    environment.filters["yaml"] = json.dumps
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
