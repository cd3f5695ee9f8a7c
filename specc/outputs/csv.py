"""CSV: a row for each candidate, or for each configuration, for spreadsheets."""

from specc.outputs.material import Material


def write(material: Material) -> str:
    """Return what reports list."""
    from specc.results.frame import listed

    return listed(material.results).to_csv(index=False, lineterminator="\n")
