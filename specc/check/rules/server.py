"""Rules of a measured server: the table of its step times."""

from collections.abc import Iterator
from itertools import pairwise

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic
from specc.ir import MeasuredServer
from specc.ir.simulation import StepKind


def missing_kind(server: MeasuredServer) -> Iterator[Diagnostic]:
    """A server prefills and decodes."""
    kinds = {row.step for row in server.step_cost}
    if kinds != set(StepKind):
        missing = "prefill" if StepKind.PREFILL not in kinds else "decode"
        yield Diagnostic(
            "E0401",
            f"'step_cost' has no {missing} step",
            (label_of(server, "step_cost" if server.step_cost else "", ""),),
            help=f"measure one: | {missing} | 1 | 25 ms |",
        )


def same_step(server: MeasuredServer) -> Iterator[Diagnostic]:
    """A step has one time."""
    for kind in StepKind:
        rows = sorted((r for r in server.step_cost if r.step is kind), key=lambda r: r.size)
        for first, second in pairwise(rows):
            if first.size == second.size:
                yield Diagnostic(
                    "E0495",
                    f"two times for a {kind.value} step of size {first.size}",
                    (label_of(second, "", "this time"), label_of(first, "", "and this")),
                    help="write their mean",
                )
