"""Where the report comes from: version, overrides, and the hashes of all that was read."""

from collections.abc import Iterator

from specc.report.document import Column, Heading, Note, ReportBlock, Row, Table
from specc.results import Results


def blocks(results: Results) -> Iterator[ReportBlock]:
    """Yield what made the report, and from what."""
    header = results.header
    yield Heading(id="report-provenance", text="Provenance", level=2)
    yield Note(id="report-version", text=f"specc {header.specc}")
    if header.overrides:
        yield Table(
            id="report-overrides",
            title="Set on the command line",
            whole=True,
            columns=(Column("Option", numeric=False, code=True),),
            rows=tuple(Row((f"--set {override}",)) for override in header.overrides),
        )
    yield Table(
        id="report-inputs",
        title="Files read",
        whole=True,
        columns=(Column("File", numeric=False), Column("SHA-256", numeric=False, code=True)),
        rows=tuple(Row(pair) for pair in header.inputs.items()),
    )
