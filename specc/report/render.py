"""Rendering: the view model through the templates."""

import json
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from specc import resources
from specc._version import __version__
from specc.ir.json import to_json
from specc.plan import Results
from specc.report.files import Report
from specc.report.format import rounded
from specc.report.view import ReportView, view
from specc.serving import definitions

RESULT_FORMAT = 3


def render(
    results: Results, spec: str, hashes: dict[str, str], overrides: Sequence[str] = ()
) -> Report:
    """Render all files of a report.

    Args:
        results: what was found.
        spec: the file name of the spec; the files are named after it.
        hashes: SHA-256 of every input file, by path.
        overrides: fields set from the command line, as they were written.
    """
    shown = view(results, spec, __version__, hashes, overrides)
    environment = _environment()
    stem = spec.removesuffix(".spec") or spec
    folder = f"{stem}.report.charts"
    charts = _charts(environment, shown, folder)
    return Report(
        {
            f"{stem}.report.md": _text(environment, "report.md.j2", report=shown, charts=charts),
            f"{stem}.report.html": _text(environment, "report.html.j2", report=shown),
            f"{stem}.result.json": _result_json(results, spec, hashes, overrides),
            **{path: text for named in charts.values() for path, text in named.values()},
        },
        own_folder=folder,
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(resources.folder("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=lambda name: name is not None and (".html." in name or ".svg." in name),
    )
    environment.filters["md"] = _markdown_text
    return environment


def _markdown_text(text: str) -> str:
    """Escape what Markdown would take for markup; a bar would end a table cell."""
    for character in "\\|*_<>`[]":
        text = text.replace(character, f"\\{character}")
    return text


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


def _result_json(
    results: Results, spec: str, hashes: dict[str, str], overrides: Sequence[str]
) -> str:
    data = {
        "format": RESULT_FORMAT,
        "specc": __version__,
        "spec": spec,
        "inputs": hashes,
        "overrides": list(overrides),
        "definitions": {name: d.text for name, d in definitions(results.simulated).items()},
        "units": "seconds, bytes, tokens, tokens a second, shares of 1",
        **to_json(results),
    }
    return json.dumps(rounded(data), indent=1, ensure_ascii=False) + "\n"
