"""Diagnostics: what is wrong with an input, where, why, and what to write instead.

A `Diagnostic` is data: a stable code, one plain sentence, labelled spans, a reason, a remedy and
quick fixes. Stages return diagnostics as values; only the CLI prints them. Read `diagnostic.py`
first; what there is to say about a code is its `Rule`, in `rules/`; `render.py` makes text and JSON
of diagnostics.
"""

from specc.diagnostics.diagnostic import Diagnostic, Label
from specc.diagnostics.explained import ExplainedError
from specc.diagnostics.fix import Fix, Help
from specc.diagnostics.severity import Severity
from specc.diagnostics.span import Source, Span
from specc.diagnostics.suggest import did_you_mean, list_known, meant, nearest
from specc.diagnostics.visible import visible, visible_json, visible_line

__all__ = [
    "Diagnostic",
    "ExplainedError",
    "Fix",
    "Help",
    "Label",
    "Severity",
    "Source",
    "Span",
    "did_you_mean",
    "list_known",
    "meant",
    "nearest",
    "visible",
    "visible_json",
    "visible_line",
]
