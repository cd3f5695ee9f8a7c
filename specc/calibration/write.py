"""Writes a calibration as text of the language."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from attrs import evolve

from specc.calibration.classes import CLASSES
from specc.calibration.fitting import ClassReport
from specc.calibration.scaling import SCALED
from specc.diagnostics import visible_line
from specc.ir import CalibrationData, ServedRule
from specc.ir.vocabulary import Entry, Node, NumberType, entries
from specc.units import BYTES, FLOP_RATE, TIME

HEAD = "# Fitted by specc calibrate to "
_DIGITS = 5


def device_text(
    data: CalibrationData,
    base: CalibrationData,
    device: str,
    name: str,
    tables: Sequence[str],
    reports: Sequence[ClassReport],
) -> str:
    """Return a spec with a fitted calibration and a device that uses it.

    Args:
        data: the fitted calibration.
        base: calibration that gives what was not fitted.
        device: device that was measured.
        name: name of the new device.
        tables: names of the tables of kernels.
        reports: what was fitted.
    """
    fitted = {block for report in reports if report.fit for block in _BLOCKS[report.kind]}
    tables = [visible_line(table).replace('"', "'") for table in tables]
    written = fitted if base.device == device else fitted | set(SCALED)
    own = {
        block: evolve(getattr(data, block), source=", ".join(tables))
        for block in fitted
        if hasattr(getattr(data, block), "source")
    }
    lines = [
        f"{HEAD}{', '.join(tables)}",
        "use std.calibrations",
        "use std.devices",
        "",
        f"## Coefficients fitted on {device}; what is not here is that of {base.name}",
        f"calibration {name}_kernels extends {base.name} {{",
        f'    source = "{", ".join(tables)}"',
        f'    device = "{name}"',
        f"    cores = {data.cores}",
        f"    memory_bandwidth = {_rounded(data.memory_bandwidth / 1e9)} GB/s",
        *_node_lines("cube", data.cube, "    "),
    ]
    for block in sorted(written):
        lines += _node_lines(block, own.get(block, getattr(data, block)), "    ")
    lines += [
        "}",
        *_device_lines(device, name, "kernels"),
    ]
    return "\n".join(lines)


def served_text(
    rules: Mapping[str, ServedRule],
    base: CalibrationData,
    device: str,
    name: str,
    table: str,
    devices: Sequence[str],
) -> str:
    """Return a spec with a calibration that has fitted engines, and a device that uses it.

    Args:
        rules: by engine, `other` with them.
        base: calibration that gives what was not fitted.
        device: device whose runs were measured.
        name: name of the new device.
        table: name of the table of runs.
        devices: devices of the runs.
    """
    table = visible_line(table).replace('"', "'")
    lines = [
        f"{HEAD}{table}",
        "use std.calibrations",
        "use std.devices",
        "",
        f"## Engines fitted to runs on {', '.join(devices)}; the rest is that of {base.name}",
        f"calibration {name}_served extends {base.name} {{",
        *([f'    device = "{name}"'] if base.device == device else []),
        "    served {",
    ]
    for engine, rule in rules.items():
        lines += _node_lines(engine, evolve(rule, source=table), "        ")
    lines += [
        "    }",
        "}",
        *_device_lines(device, name, "served"),
    ]
    return "\n".join(lines)


def _device_lines(device: str, name: str, fitted: str) -> Iterator[str]:
    """Write a device that uses the calibration of the same name."""
    yield ""
    yield f"## {device} with its measured {'servers' if fitted == 'served' else fitted}"
    yield f"device {name} extends {device} {{"
    yield f"    calibration = {name}_{fitted}"
    yield "}"
    yield ""


_BLOCKS = {
    fitted.kind: tuple(dict.fromkeys(path.partition(".")[0] for path in fitted.blocks))
    for fitted in CLASSES
}


def _node_lines(name: str, node: Node, indent: str) -> Iterator[str]:
    yield f"{indent}{name} {{"
    for field, (_, entry) in entries(type(node)).items():
        value = getattr(node, field)
        if isinstance(value, Node):
            yield from _node_lines(field, value, indent + "    ")
        elif value not in (None, "", ()):
            yield f"{indent}    {field} = {_value(value, entry)}"
    yield f"{indent}}}"


def _value(value: Any, entry: Entry) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(_rounded(v) for v in value) + "]"
    if not isinstance(entry.type, NumberType):
        return str(value).lower()
    match entry.type.dimension:
        case d if d == TIME:
            return f"{_rounded(value * 1e6)} us" if value >= 1e-6 else f"{_rounded(value * 1e9)} ns"
        case d if d == BYTES / TIME:
            return f"{_rounded(value / 1e9)} GB/s"
        case d if d == FLOP_RATE:
            return f"{_rounded(value / 1e12)} TFLOPS"
        case d if d == BYTES:
            return f"{value} B"
        case _:
            return _rounded(value)


def _rounded(value: float) -> str:
    """Return a number with five digits that count, never in powers of ten."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    digits = max(0, _DIGITS - len(str(int(abs(value)))) if abs(value) >= 1 else _DIGITS + 1)
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") or "0"
