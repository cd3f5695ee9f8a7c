"""Reports: results → view model → Jinja templates → files. Deterministic to the byte.

In: `Results`, the name of the spec and the hashes of the inputs. Out: a `Report`, which is the
text of each file; `files.py` writes or compares them. Read `render.py` first, then `view.py`.
"""

from specc.report.files import Report, stale_files, write_files
from specc.report.render import render
from specc.writing import WriteError

__all__ = ["Report", "WriteError", "render", "stale_files", "write_files"]
