"""Diagnostics: what is wrong with an input, where, why, and what to write instead.

A `Diagnostic` is data: a stable code, one plain sentence, labelled spans, a reason and a remedy.
Stages return diagnostics as values; only the CLI prints them. Read `diagnostic.py` first; every
code is registered in `codes.py`; `render.py` makes text and JSON of them.
"""

from specc.diagnostics.codes import CODES, Code, Severity
from specc.diagnostics.diagnostic import Diagnostic, Label
from specc.diagnostics.span import Source, Span
from specc.diagnostics.suggest import did_you_mean, list_known, nearest

__all__ = [
    "CODES",
    "Code",
    "Diagnostic",
    "Label",
    "Severity",
    "Source",
    "Span",
    "did_you_mean",
    "list_known",
    "nearest",
]
