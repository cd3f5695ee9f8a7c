"""Rules of a device."""

from collections.abc import Iterator

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic
from specc.ir import Device


def visible_memory(device: Device) -> Iterator[Diagnostic]:
    """A runtime shows no more memory than there is."""
    if device.visible_memory is not None and device.visible_memory > device.memory:
        yield Diagnostic(
            "E0402",
            f"'{device.name}' shows more memory than it has",
            (label_of(device, "visible_memory", "more"), label_of(device, "memory", "than this")),
        )
