"""Processes of arrivals, and traces of requests: `poisson(12 req/s)`, `trace("day.csv")`."""

import hashlib
from array import array
from collections.abc import Sequence
from itertools import islice
from operator import gt

from specc.check.convert import convert
from specc.check.evaluate import Called, Symbol, Value, kind_of
from specc.check.problems import problem
from specc.check.table_files import table_of, text_of
from specc.diagnostics import Span, did_you_mean
from specc.ir import Arrival, Process, Trace
from specc.ir.ranges import extent_of
from specc.ir.vocabulary import NumberType
from specc.tables import (
    ColumnSchema,
    Date,
    Kind,
    Real,
    Schema,
    TypedTable,
    Whole,
    Wholes,
)
from specc.units import DIMENSIONLESS, REQUESTS, TIME, TOKENS
from specc.workspace import Workspace

PROMPT, OUTPUT = "num_prefill_tokens", "num_decode_tokens"
LARGEST_TOKENS = int(extent_of(TOKENS).largest)
LATEST = 1e12
MILLISECONDS = 1e-3

_RATE = NumberType(REQUESTS / TIME, above=0)
_CLIENTS = NumberType(DIMENSIONLESS, whole=True, at_least=1, at_most=1_000_000)
_PAUSE = NumberType(TIME, at_least=0, at_most=86400)
_CV = NumberType(DIMENSIONLESS, at_least=0.05, at_most=20)

_SECONDS = Real("time", at_least=0, below=LATEST)
# Who publishes traces in a layout, what its times are, its names of time, prompt and output, and
# the fewest output tokens: those of BurstGPT have failed calls, which have none.
_LAYOUTS: tuple[tuple[str, Kind, str, str, str, int], ...] = (
    ("", _SECONDS, "arrived_at", PROMPT, OUTPUT, 1),
    (
        " of Mooncake",
        Real("time", at_least=0, below=LATEST, scale=MILLISECONDS),
        "timestamp",
        "input_length",
        "output_length",
        1,
    ),
    (" of BurstGPT", _SECONDS, "Timestamp", "Request tokens", "Response tokens", 0),
    (" of Azure", Date(), "TIMESTAMP", "ContextTokens", "GeneratedTokens", 1),
)


def arrival_of(value: Value, span: Span, workspace: Workspace, field: str) -> Arrival:
    """Return the process that a value describes.

    Raises:
        ProblemError: it is no process, or lacks what it needs; a trace cannot be read.
    """
    names = [process.value for process in Process]
    if isinstance(value, Symbol) and value.path.text in names:
        value = Called(value.path.text, span, {})
    if not isinstance(value, Called) or value.function not in names:
        shown = value.path.text if isinstance(value, Symbol) else ""
        raise problem(
            span,
            "E0301",
            f"'{field}' takes a process of arrivals",
            label=f"this is {kind_of(value)}",
            help=did_you_mean(shown, names, "process") if shown else "write poisson(12 req/s)",
        )
    process = Process(value.function)
    if process is Process.TRACE:
        return Arrival(process, trace=_trace(value, workspace))
    if process is Process.CONCURRENCY:
        return _clients(value, span)
    rate = _argument(value, "rate", _RATE)
    cv = _argument(value, "cv", _CV)
    if cv is None and process in (Process.GAMMA, Process.WEIBULL):
        raise problem(
            span,
            "E0401",
            f"'{process.value}' lacks the coefficient of variation of the gaps",
            help=f"write {process.value}(12 req/s, 2): 1 is Poisson, more is burstier",
        )
    return Arrival(process, rate, 1.0 if cv is None else cv)


def _clients(call: Called, span: Span) -> Arrival:
    clients = _argument(call, "clients", _CLIENTS)
    if clients is None:
        raise problem(
            span,
            "E0401",
            "'concurrency' lacks the number of clients",
            help="write concurrency(20): each client sends its next request when the last is done",
        )
    think, ramp = (_argument(call, name, _PAUSE) for name in ("think", "ramp"))
    return Arrival(Process.CONCURRENCY, clients=int(clients), think=think or 0.0, ramp=ramp or 0.0)


def _argument(call: Called, name: str, type_: NumberType) -> float | None:
    if name not in call.arguments:
        return None
    value, span = call.arguments[name]
    number = convert(type_, value, span, name)
    if number is None:
        raise problem(span, "E0301", f"'{name}' cannot be 'auto'")
    return float(number)


def _trace(call: Called, workspace: Workspace) -> Trace:
    name, text = text_of(call, workspace)
    span = call.arguments["file"][1]
    table = table_of(name, text, span, *trace_schemas())
    times, hashes = table.columns["arrived_at"], table.columns.get("hash_ids")
    order: Sequence[int] = answered(table, span)
    if any(map(gt, times, islice(times, 1, None))):
        order = sorted(order, key=times.__getitem__)
    start = times[order[0]]
    return Trace(
        name,
        hashlib.sha256(text.encode()).hexdigest(),
        len(order),
        omitted=len(table) - len(order),
        arrival=array("d", [times[i] - start for i in order]),
        input=array("q", [table.columns[PROMPT][i] for i in order]),
        output=array("q", [table.columns[OUTPUT][i] for i in order]),
        hashes=_hashes_of_all(table, hashes, order, span) if hashes else None,
    )


def answered(table: TypedTable, span: Span) -> Sequence[int]:
    """Return the rows of a trace that have an output; failed calls have none.

    Raises:
        ProblemError: there is none.
    """
    outputs = table.columns[OUTPUT]
    if min(outputs) > 0:
        return range(len(table))
    found = [row for row, tokens in enumerate(outputs) if tokens]
    if not found:
        raise problem(span, "E0004", f"no request of '{table.name}' has an output")
    return found


def _hashes_of_all(
    table: TypedTable, hashes: Sequence[tuple[int, ...] | None], order: Sequence[int], span: Span
) -> tuple[tuple[int, ...], ...] | None:
    found = tuple(row for i in order if (row := hashes[i]) is not None)
    if found and len(found) < len(order):
        without = next(i for i, row in enumerate(hashes) if row is None)
        raise problem(
            span,
            "E0004",
            f"{len(order) - len(found)} of the {len(order)} requests of '{table.name}' have no "
            "'hash_ids'",
            why=f"the first of them is in line {table.lines[without]}",
            help="give them to all requests, or to none",
        )
    return found or None


def trace_schemas(*, timed: bool = True) -> tuple[Schema, ...]:
    """Return the layouts of published traces; without `timed`, those whose times do not count."""
    return tuple(
        Schema(
            f"a trace{of}",
            (
                *((ColumnSchema(arrived, time, key="arrived_at"),) if timed else ()),
                ColumnSchema(prompt, Whole(at_most=LARGEST_TOKENS), key=PROMPT),
                ColumnSchema(output, Whole(at_least=least, at_most=LARGEST_TOKENS), key=OUTPUT),
                *((ColumnSchema("hash_ids", Wholes(), required=False),) if timed else ()),
            ),
        )
        for of, time, arrived, prompt, output, least in _LAYOUTS
    )
