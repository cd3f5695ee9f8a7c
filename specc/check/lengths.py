"""`lengths_from(file)`: the bins of a workload from a trace of requests, or from a table of bins.

A trace is a CSV with a row for each request and the columns `num_prefill_tokens` and
`num_decode_tokens`; it is cut into bins by the length of the prompt. A table of bins is a CSV with
the columns of `requests`, or a YAML list of mappings with these keys; its cells are written as in
a spec.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import attrs

from specc.check.arrivals import positive_counts
from specc.check.convert import convert
from specc.check.evaluate import Called, Interval, Items, Value
from specc.check.problems import ProblemError, problem
from specc.check.tables import overlaps
from specc.diagnostics import Span
from specc.ir import LengthBin
from specc.ir.vocabulary import NumberType, SizesType, TextType, entries
from specc.units import (
    DIMENSIONLESS,
    NumberError,
    Quantity,
    UnknownUnitError,
    parse_quantity,
)
from specc.workspace import UnreadableError, Workspace

TRACE_COLUMNS = ("num_prefill_tokens", "num_decode_tokens")
USUAL_BINS = 8
MOST_BINS = 1000

Cells = Mapping[str, str]


def bins_of(call: Called, workspace: Workspace, field: str) -> tuple[LengthBin, ...]:
    """Return the bins that a call of `lengths_from` describes.

    Raises:
        ProblemError: the file cannot be read, or does not hold what it should.
    """
    if "file" not in call.arguments:
        raise problem(call.span, "E0401", "lengths_from lacks the name of a file")
    value, span = call.arguments["file"]
    name = convert(TextType(), value, span, "file")
    try:
        path = workspace.folder_of(call.span.source) / name
        text = workspace.read(path, span).text
    except UnreadableError as error:
        raise ProblemError(error.diagnostic) from None
    rows = _rows(name, text, span)
    if rows and set(TRACE_COLUMNS) <= set(rows[0]):
        return _from_trace(name, rows, call)
    for argument in ("bins", "edges"):
        if argument in call.arguments:
            raise problem(
                call.arguments[argument][1],
                "E0415",
                f"'{name}' has bins already, so '{argument}' has no use",
                why=f"a trace has the columns {' and '.join(TRACE_COLUMNS)}",
            )
    return _from_table(name, rows, span)


def _rows(name: str, text: str, span: Span) -> list[Cells]:
    if name.endswith((".yaml", ".yml")):
        return _yaml_rows(name, text, span)
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        found = list(reader)
    except csv.Error as error:
        raise problem(span, "E0004", f"'{name}' is no CSV: {error}") from None
    header = [column.strip() for column in reader.fieldnames or ()]
    rows: list[Cells] = []
    for number, row in enumerate(found, start=2):
        if None in row or None in row.values():
            raise problem(
                span, "E0004", f"line {number} of '{name}' has not as many cells as line 1"
            )
        rows.append(dict(zip(header, row.values(), strict=True)))
    if not rows:
        raise problem(span, "E0004", f"'{name}' has no rows")
    return rows


def _yaml_rows(name: str, text: str, span: Span) -> list[Cells]:
    import yaml

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise problem(span, "E0004", f"'{name}' is no YAML: {reason}") from None
    if not isinstance(data, list) or not data or not all(isinstance(row, dict) for row in data):
        raise problem(
            span,
            "E0004",
            f"'{name}' is no list of bins",
            help="write one mapping a bin: - {share: 50%, input: 1 .. 2Ki, output: 64 .. 512}",
        )
    return [{str(key): str(cell) for key, cell in row.items()} for row in data]


def _from_trace(name: str, rows: list[Cells], call: Called) -> tuple[LengthBin, ...]:
    import numpy as np

    span = call.arguments["file"][1]
    lengths = np.array(
        [
            positive_counts(name, number, TRACE_COLUMNS, [row[c] for c in TRACE_COLUMNS], span)
            for number, row in enumerate(rows, 2)
        ]
    )
    prompts, answers = lengths[:, 0], lengths[:, 1]
    edges = _edges(call, prompts)
    bins = []
    for low, high in pairwise(edges):
        inside = (prompts >= low) & (prompts < high)
        if not inside.any():
            continue
        own_prompts, own_answers = prompts[inside], answers[inside]
        bins.append(
            LengthBin(
                share=float(inside.sum()),
                input=(int(low), int(high)),
                output=(int(own_answers.min()), int(own_answers.max()) + 1),
                means=(max(1, round(own_prompts.mean())), max(1, round(own_answers.mean()))),
                spans={"": span, "input": span, "output": span, "share": span},
            )
        )
    return tuple(bins)


def _edges(call: Called, prompts: Any) -> list[int]:
    """Return the edges of the bins: those given, or quantiles with as many requests in each."""
    import numpy as np

    if "bins" in call.arguments and "edges" in call.arguments:
        raise problem(
            call.arguments["edges"][1], "E0416", "'bins' counts quantiles, 'edges' sets the edges"
        )
    if "edges" in call.arguments:
        return _given_edges(*call.arguments["edges"], prompts)
    count = USUAL_BINS
    if "bins" in call.arguments:
        value, span = call.arguments["bins"]
        type_ = NumberType(DIMENSIONLESS, whole=True, at_least=1, at_most=MOST_BINS)
        count = convert(type_, value, span, "bins")
        if count is None:
            raise problem(span, "E0301", "'bins' cannot be 'auto'")
    quantiles = np.quantile(prompts, np.arange(1, count) / count, method="inverted_cdf")
    inner = sorted({int(q) + 1 for q in quantiles})
    return [int(prompts.min()), *(e for e in inner if e <= prompts.max()), int(prompts.max()) + 1]


def _given_edges(value: Value, span: Span, prompts: Any) -> list[int]:
    if isinstance(value, Items) and not _rise(value):
        raise problem(span, "E0402", "'edges' must rise", label="each above the one before")
    if isinstance(value, Items):  # the argument fixes the unit, as a column of a table does
        plain = [
            (Quantity(v.value) if isinstance(v, Quantity) and v.unit == "tok" else v, at)
            for v, at in value.values
        ]
        value = Items(tuple(plain))
    edges = convert(SizesType(at_least=0), value, span, "edges")
    if edges is None or len(edges) < 2:
        raise problem(span, "E0402", "'edges' needs at least two lengths")
    outside = int(((prompts < edges[0]) | (prompts >= edges[-1])).sum())
    if outside:
        raise problem(
            span,
            "E0417",
            f"{outside} requests lie outside of the edges",
            why=f"prompts have {prompts.min()} to {prompts.max()} tokens",
            help=f"begin at {prompts.min()} or below, and end above {prompts.max()}",
        )
    return list(edges)


def _rise(edges: Items) -> bool:
    numbers = [v.value for v, _ in edges.values if isinstance(v, Quantity)]
    return all(a < b for a, b in pairwise(numbers))


def _from_table(name: str, rows: Sequence[Cells], span: Span) -> tuple[LengthBin, ...]:
    known = entries(LengthBin)
    bins = []
    for number, row in enumerate(rows, start=1):
        cells = {key.strip().replace(" ", "_"): cell for key, cell in row.items()}
        for key in cells:
            if key not in known:
                raise problem(
                    span,
                    "E0004",
                    f"'{name}' has a column '{key}' that bins do not have",
                    help=f"columns of bins: {', '.join(known)}; of a trace: "
                    + ", ".join(TRACE_COLUMNS),
                )
        missing = [
            key for key, (a, _) in known.items() if a.default is attrs.NOTHING and key not in cells
        ]
        if missing:
            raise problem(span, "E0004", f"bin {number} of '{name}' lacks {', '.join(missing)}")
        values = {
            key: _cell(known[key][1].type, cell, span, f"{key} of bin {number} of {name}")
            for key, cell in cells.items()
        }
        spans = dict.fromkeys(["", *cells], span)
        bins.append(LengthBin(spans=spans, **values))
    for first, second in overlaps(bins):
        pair = bins.index(first) + 1, bins.index(second) + 1
        raise problem(span, "E0414", f"bins {pair[0]} and {pair[1]} of '{name}' overlap")
    return tuple(bins)


def _cell(type_: Any, text: str, span: Span, what: str) -> Any:
    try:
        ends = [parse_quantity(part.strip()) for part in text.split("..")]
    except (UnknownUnitError, NumberError):
        raise problem(span, "E0004", f"{what} is not understood", why=f"it is '{text}'") from None
    if len(ends) > 2:
        raise problem(span, "E0004", f"{what} is not understood", why=f"it is '{text}'")
    value: Value = ends[0] if len(ends) == 1 else Interval(ends[0], ends[1], None, False)
    converted = convert(type_, value, span, what)
    if converted is None:
        raise problem(span, "E0004", f"{what} is not understood", why=f"it is '{text}'")
    return converted
