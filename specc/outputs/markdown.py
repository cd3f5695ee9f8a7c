"""Markdown, for a merge request; its pictures are files beside it."""

from pathlib import PurePath

from specc.outputs.files import MANIFEST, manifest
from specc.outputs.material import Material
from specc.report.document import Chart, Depth, ReportDocument

MOST_ROWS = 6  # of a table; the page has all


def write(material: Material) -> str:
    """Return the report in Markdown."""
    return of_document(material.document, material.pictures)


def of_document(document: ReportDocument, pictures: str = "") -> str:
    """Return a document in Markdown; its pictures lie in a folder of that name."""
    from specc.outputs.templates import filled

    return filled(
        "report.md.j2",
        title=document.title,
        blocks=list(document.down_to(Depth.REPORT)),
        pictures=pictures,
        most_rows=MOST_ROWS,
    )


def pictures(material: Material) -> dict[str, str]:
    """Return the pictures as files, in light and in dark, and the manifest that lists them."""
    from specc.outputs.templates import filled

    charts = [b for b in material.document.down_to(Depth.REPORT) if isinstance(b, Chart)]
    drawn = {
        f"{material.pictures}/{chart.id}-{mode}.svg": filled(
            "chart.svg.j2", chart=chart, dark=mode == "dark"
        )
        for chart in charts
        for mode in ("light", "dark")
    }
    if not drawn:
        return {}
    header = material.results.header
    made = {PurePath(path).name: text for path, text in drawn.items()}
    return {**drawn, f"{material.pictures}/{MANIFEST}": manifest(header.spec, header.specc, made)}
