"""`lengths_from(file)`: the bins of a workload from a trace of requests, or from a table of bins.

A trace has a row for each request, in any layout that `trace(file)` reads; it is cut into bins by
the length of the prompt. A table of bins has the columns of `requests`, and its cells are written
as in a spec. The published planner's bins have a weight and the length of prompts only.
"""

from itertools import pairwise
from typing import Any

from specc.check.arrivals import LARGEST_TOKENS, OUTPUT, PROMPT, answered, trace_schemas
from specc.check.convert import convert
from specc.check.evaluate import Called, Items, Value
from specc.check.problems import problem
from specc.check.table_files import node_schema, nodes_of, table_of, text_of
from specc.check.tables import overlaps
from specc.diagnostics import Span
from specc.ir import LengthBin
from specc.ir.vocabulary import LengthsType, NumberType, SizesType, entries
from specc.tables import ColumnSchema, Real, Schema, TypedTable, Whole
from specc.units import DIMENSIONLESS, Quantity
from specc.workspace import Workspace

USUAL_BINS = 8
MOST_BINS = 1000
_EDGES = SizesType(at_least=0, at_most=LARGEST_TOKENS + 1)
_OUTPUT, _SHARE = LengthsType(), entries(LengthBin)["share"][1].type
# msmodeling's --input-length file.yaml, from 84fec85 serving_cast/example: bins of prompts.
_PROMPTS = Schema(
    "bins of prompts",
    (
        ColumnSchema("min_tokens", Whole("whole number", 0, LARGEST_TOKENS)),
        ColumnSchema("max_tokens", Whole(at_most=LARGEST_TOKENS)),
        ColumnSchema("weight", Real()),
    ),
    closed=True,
)


def bins_of(call: Called, workspace: Workspace, field: str) -> tuple[LengthBin, ...]:
    """Return the bins that a call of `lengths_from` describes.

    Raises:
        ProblemError: the file cannot be read, or does not hold what it should.
    """
    name, text = text_of(call, workspace)
    span = call.arguments["file"][1]
    bins = node_schema(LengthBin, "a table of bins")
    table = table_of(name, text, span, *trace_schemas(timed=False), _PROMPTS, bins)
    if table.schema is _PROMPTS:
        return _of_prompts(table, call)
    if "output" in call.arguments:
        raise problem(
            call.arguments["output"][1],
            "E0415",
            f"'{name}' has output tokens already, so 'output' has no effect",
        )
    if table.schema is not bins:
        return _from_trace(table, call)
    for argument in ("bins", "edges"):
        if argument in call.arguments:
            raise problem(
                call.arguments[argument][1],
                "E0415",
                f"'{name}' has bins already, so '{argument}' has no effect",
                why=f"a trace has the columns {PROMPT} and {OUTPUT}",
            )
    found: tuple[LengthBin, ...] = nodes_of(LengthBin, table, span)
    for first, second in overlaps(found):
        lines = [table.lines[found.index(row)] for row in (first, second)]
        raise problem(
            span, "E0414", f"the bins in lines {lines[0]} and {lines[1]} of '{name}' overlap"
        )
    return found


def _of_prompts(table: TypedTable, call: Called) -> tuple[LengthBin, ...]:
    """Return bins of prompts, all with the outputs that the call names."""
    span = call.arguments["file"][1]
    if "output" not in call.arguments:
        raise problem(
            call.span,
            "E0401",
            f"'{table.name}' says nothing of output tokens",
            help=f'write lengths_from("{table.name}", output = 1500 tok)',
        )
    output = convert(_OUTPUT, *call.arguments["output"], "output")
    found = []
    for line, cells in table.rows():
        low, high = cells["min_tokens"], cells["max_tokens"]
        if high <= low:
            raise problem(span, "E0402", f"the bin in line {line} of '{table.name}' is empty")
        what = f"weight of line {line}"
        share = convert(_SHARE, Quantity(cells["weight"], DIMENSIONLESS), span, what)
        spans = dict.fromkeys(("", "share", "input", "output"), span)
        found.append(LengthBin(share=share, input=(low, high), output=output, spans=spans))
    return tuple(found)


def _from_trace(table: TypedTable, call: Called) -> tuple[LengthBin, ...]:
    import numpy as np

    span = call.arguments["file"][1]
    rows = answered(table, span)
    prompts, outputs = (np.array(table.columns[column])[rows] for column in (PROMPT, OUTPUT))
    edges = _edges(call, prompts)
    bins = []
    for low, high in pairwise(edges):
        inside = (prompts >= low) & (prompts < high)
        if not inside.any():
            continue
        own_prompts, own_outputs = prompts[inside], outputs[inside]
        bins.append(
            LengthBin(
                share=float(inside.sum()),
                input=(int(low), int(high)),
                output=(int(own_outputs.min()), int(own_outputs.max()) + 1),
                means=(max(1, round(own_prompts.mean())), max(1, round(own_outputs.mean()))),
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
        raise problem(span, "E0402", "'edges' must increase", label="each above the one before")
    if isinstance(value, Items):  # the argument fixes the unit, as a column of a table does
        plain = [
            (Quantity(v.value) if isinstance(v, Quantity) and v.unit == "tok" else v, at)
            for v, at in value.values
        ]
        value = Items(tuple(plain))
    edges = convert(_EDGES, value, span, "edges")
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
