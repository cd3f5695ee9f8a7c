"""HTML: one page that fetches nothing, and reads completely where its script does not run."""

from specc.outputs.material import Material
from specc.report.document import Depth


def write(material: Material) -> str:
    """Return the report as a page."""
    from specc.outputs.templates import filled

    document = material.document
    return filled("report.html.j2", title=document.title, blocks=list(document.down_to(Depth.PAGE)))
