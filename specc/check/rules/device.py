"""Rules of a device."""

from collections.abc import Iterator

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic
from specc.ir import Device
from specc.ir.calibration import CORRECTIONS


def visible_memory(device: Device) -> Iterator[Diagnostic]:
    """A runtime shows no more memory than there is."""
    if device.visible_memory is not None and device.visible_memory > device.memory:
        yield Diagnostic(
            "E0402",
            f"'{device.name}' shows more memory than it has",
            (label_of(device, "visible_memory", "more"), label_of(device, "memory", "than this")),
        )


def corrections(device: Device) -> Iterator[Diagnostic]:
    """A correction of GEMM times has weights for one of the grids."""
    data = device.calibration
    for rule in () if data is None else (data.gemm, data.gemm_int8):
        if rule.correction and len(rule.correction) not in CORRECTIONS:
            wanted = " or ".join(str(count) for count in CORRECTIONS)
            yield Diagnostic(
                "E0402",
                f"'correction' has {len(rule.correction)} weights, not {wanted}",
                (label_of(rule, "correction", ""),),
                help="leave it out, or let specc calibrate write it",
            )
