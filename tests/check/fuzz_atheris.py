"""A coverage-guided fuzzer for the parser, the formatter and the checker.

    pip install atheris && python -m tests.check.fuzz_atheris -max_total_time=60

It ends with the text that gave a traceback, if it finds one. Not part of the suite: atheris has no
wheels for every platform; `test_fuzz.py` runs everywhere.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["specc"]):
    from specc.check import check
    from specc.diagnostics import Source
    from specc.diagnostics.render import render_terminal
    from specc.syntax import parse
    from specc.syntax.formatter import format_source
    from specc.workspace import Workspace

FOLDER = Path(tempfile.mkdtemp())


def one_input(data: bytes) -> None:
    """Check one text, and format it if it parses."""
    path = FOLDER / "plan.spec"
    path.write_bytes(data)
    render_terminal(check(Workspace(FOLDER), path)[1], color=False)
    text = data.decode("utf-8", errors="ignore")
    source = Source("plan.spec", text)
    if not parse(source)[1]:
        format_source(source)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
