"""Processes of arrivals, and traces of requests: `poisson(12 req/s)`, `trace("day.csv")`."""

import csv
import hashlib
import io
import json
from array import array
from collections.abc import Iterator, Sequence

from specc.check.convert import convert
from specc.check.evaluate import Called, Symbol, Value, kind_of
from specc.check.problems import ProblemError, problem
from specc.diagnostics import Span, did_you_mean
from specc.ir import Arrival, Process, Trace
from specc.ir.vocabulary import NumberType, TextType
from specc.units import DIMENSIONLESS, REQUESTS, TIME
from specc.workspace import UnreadableError, Workspace

TRACE_COLUMNS = ("arrived_at", "num_prefill_tokens", "num_decode_tokens")
TRACE_KEYS = ("timestamp", "input_length", "output_length")
LARGEST_TRACE_BYTES = 256 * 2**20
LARGEST_TOKENS = 10**9
LATEST = 1e12
MILLISECONDS = 1e-3

_RATE = NumberType(REQUESTS / TIME, above=0, at_most=1e9)
_CV = NumberType(DIMENSIONLESS, at_least=0.05, at_most=20)

# arrival, prompt, answer, hashes of the prefix blocks
Row = tuple[float, int, int, tuple[int, ...] | None]


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
    rate = _argument(value, "rate", _RATE)
    cv = _argument(value, "cv", _CV)
    if cv is None and process in (Process.GAMMA, Process.WEIBULL):
        raise problem(
            span,
            "E0401",
            f"'{process.value}' lacks the coefficient of variation of the gaps",
            help=f"write {process.value}(12 req/s, 2): 1 is Poisson, more comes in clumps",
        )
    return Arrival(process, rate, 1.0 if cv is None else cv)


def _argument(call: Called, name: str, type_: NumberType) -> float | None:
    if name not in call.arguments:
        return None
    value, span = call.arguments[name]
    number = convert(type_, value, span, name)
    if number is None:
        raise problem(span, "E0301", f"'{name}' cannot be 'auto'")
    return float(number)


def _trace(call: Called, workspace: Workspace) -> Trace:
    if "file" not in call.arguments:
        raise problem(call.span, "E0401", "'trace' lacks the name of a file")
    value, span = call.arguments["file"]
    name = convert(TextType(), value, span, "file")
    try:
        path = workspace.folder_of(call.span.source) / name
        text = workspace.read(path, span, LARGEST_TRACE_BYTES).text
    except UnreadableError as error:
        raise ProblemError(error.diagnostic) from None
    read = _json_rows if name.endswith((".jsonl", ".json")) else _csv_rows
    rows = list(read(name, text, span))
    if not rows:
        raise problem(span, "E0004", f"'{name}' has no requests")
    rows.sort(key=lambda row: row[0])
    start = rows[0][0]
    hashes = tuple(row[3] for row in rows if row[3] is not None)
    if hashes and len(hashes) < len(rows):
        raise problem(
            span,
            "E0004",
            f"{len(rows) - len(hashes)} of the {len(rows)} requests of '{name}' have no 'hash_ids'",
            help="give them to all requests, or to none",
        )
    return Trace(
        name,
        hashlib.sha256(text.encode()).hexdigest(),
        len(rows),
        arrival=array("d", [row[0] - start for row in rows]),
        input=array("q", [row[1] for row in rows]),
        output=array("q", [row[2] for row in rows]),
        hashes=hashes or None,
    )


def _csv_rows(name: str, text: str, span: Span) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        missing = [column for column in TRACE_COLUMNS if column not in header]
        if missing:
            raise problem(
                span,
                "E0004",
                f"'{name}' lacks the column {missing[0]}",
                why=f"a trace has the columns {', '.join(TRACE_COLUMNS)}",
            )
        places = [header.index(column) for column in TRACE_COLUMNS]
        for number, cells in enumerate(reader, start=2):
            if not cells:
                continue
            if len(cells) != len(header):
                raise problem(
                    span, "E0004", f"line {number} of '{name}' has not as many cells as line 1"
                )
            values = [cells[place] for place in places]
            prompt, answer = positive_counts(name, number, TRACE_COLUMNS[1:], values[1:], span)
            yield _time(name, number, values[0], TRACE_COLUMNS[0], span), prompt, answer, None
    except csv.Error as error:
        raise problem(span, "E0004", f"'{name}' is no CSV: {error}") from None


def _json_rows(name: str, text: str, span: Span) -> Iterator[Row]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            raise problem(span, "E0004", f"line {number} of '{name}' is no JSON") from None
        if not isinstance(data, dict) or any(key not in data for key in TRACE_KEYS):
            raise problem(
                span,
                "E0004",
                f"line {number} of '{name}' is no request",
                why=f"a request has {', '.join(TRACE_KEYS)} and perhaps hash_ids",
            )
        values = [str(data[key]) for key in TRACE_KEYS]
        time = _time(name, number, values[0], TRACE_KEYS[0], span) * MILLISECONDS
        hashes = data.get("hash_ids")
        if hashes is not None and not (
            isinstance(hashes, list) and all(type(key) is int for key in hashes)
        ):
            raise problem(
                span, "E0004", f"line {number} of '{name}': 'hash_ids' is no list of whole numbers"
            )
        prompt, answer = positive_counts(name, number, TRACE_KEYS[1:], values[1:], span)
        yield time, prompt, answer, None if hashes is None else tuple(hashes)


def _time(name: str, number: int, text: str, column: str, span: Span) -> float:
    try:
        time = float(text)
    except ValueError:
        time = -1.0
    if not 0 <= time < LATEST:
        raise problem(
            span,
            "E0004",
            f"line {number} of '{name}': '{column}' is no time",
            why=f"it is '{text[:40]}'",
        )
    return time


def positive_counts(
    name: str, number: int, columns: Sequence[str], cells: Sequence[str], span: Span
) -> tuple[int, ...]:
    """Return the cells of a line as positive whole numbers, such as lengths in tokens.

    Raises:
        ProblemError: one is something else.
    """
    counts = []
    for column, text in zip(columns, cells, strict=True):
        cell = text.strip()
        if not (cell.isascii() and cell.isdigit() and 1 <= int(cell[:20]) <= LARGEST_TOKENS):
            raise problem(
                span,
                "E0004",
                f"line {number} of '{name}': '{column}' is no positive whole number",
                why=f"it is '{text[:40]}'",
            )
        counts.append(int(cell))
    return tuple(counts)
