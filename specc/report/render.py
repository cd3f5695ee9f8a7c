"""Rendering: the view model through the templates."""

from functools import cache
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from specc import resources
from specc.diagnostics import visible
from specc.report.files import MANIFEST, Report, manifest
from specc.report.view import ReportView, view
from specc.results import Results


def render(results: Results, suffix: str = "") -> Report:
    """Render all files of a report; they are named after the spec, and a suffix of that."""
    shown = view(results)
    environment = _environment()
    header = results.header
    stem = (header.spec.removesuffix(".spec") or header.spec) + suffix
    folder = f"{stem}.report.charts"
    charts = _charts(environment, shown, folder)
    drawn = dict(picture for named in charts.values() for picture in named.values())
    if drawn:
        made = {PurePath(path).name: text for path, text in drawn.items()}
        drawn[f"{folder}/{MANIFEST}"] = manifest(header.spec, header.specc, made)
    return Report(
        {
            f"{stem}.report.md": _text(environment, "report.md.j2", report=shown, charts=charts),
            f"{stem}.report.html": _text(environment, "report.html.j2", report=shown),
            f"{stem}.result.json": results.to_json(),
            **drawn,
        },
        own_folder=folder,
    )


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


def _url(path: str) -> str:
    """Return the path of a file as a link has it, also one whose name is no text."""
    return quote(path, errors="surrogateescape")


def _charts(
    environment: Environment, report: ReportView, folder: str
) -> dict[str, dict[str, tuple[str, str]]]:
    """Draw the picture files of each study: path and text, in light and in dark."""
    drawn: dict[str, dict[str, tuple[str, str]]] = {}
    for study in report.studies:
        for picture in study.pictures:
            name = f"{study.slug}-{picture.name}"
            drawn[name] = {
                mode: (
                    f"{folder}/{name}-{mode}.svg",
                    _text(environment, "chart.svg.j2", picture=picture, dark=mode == "dark"),
                )
                for mode in ("light", "dark")
            }
    return drawn


def _text(environment: Environment, template: str, **context: Any) -> str:
    return environment.get_template(template).render(**context)
