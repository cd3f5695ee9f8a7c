"""All formats that specc writes. A new one is a module and an entry here."""

from collections.abc import Callable

from attrs import frozen

from specc.outputs import csv, html, json, junit, markdown, perfetto, terminal
from specc.outputs.files import Report
from specc.outputs.material import Material
from specc.records import Record


@frozen(eq=False, repr=False)
class Output(Record):
    """A format.

    Attributes:
        name: what it is called; that of its option too.
        doc: what it is for.
        write: makes its text.
        ending: that of the file which a run writes beside the spec; none if it is asked for.
        beside: makes files that the text refers to, by their paths.
        option_of: the command that has an option for it, which names a file.
    """

    name: str
    doc: str
    write: Callable[[Material], str]
    ending: str = ""
    beside: Callable[[Material], dict[str, str]] = lambda _: {}
    option_of: str = ""


OUTPUTS = (
    Output(
        "markdown",
        "the report for a merge request",
        markdown.write,
        ending=".report.md",
        beside=markdown.pictures,
    ),
    Output("html", "the report as a page", html.write, ending=".report.html"),
    Output("json", "the results for scripts", json.write, ending=".result.json"),
    Output("terminal", "the summary that a run prints", terminal.write),
    Output(
        "csv",
        "a table: a row for each candidate, or for each configuration if one has several instances",
        csv.write,
        option_of="run",
    ),
    Output(
        "junit",
        "the expectations as JUnit XML, for what shows tests in CI",
        junit.write,
        option_of="run",
    ),
    Output(
        "perfetto",
        "every step and request of the first simulation, as a trace for ui.perfetto.dev",
        perfetto.write,
        option_of="simulate",
    ),
)


def render(material: Material) -> Report:
    """Return all files of a report."""
    usual = [output for output in OUTPUTS if output.ending]
    texts = {f"{material.stem}{output.ending}": output.write(material) for output in usual}
    for output in usual:
        texts |= output.beside(material)
    return Report(texts, own_folder=material.pictures)
