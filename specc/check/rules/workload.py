"""Rules of a workload: how long requests are."""

from collections.abc import Iterator

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic
from specc.ir import Representative, Workload


def given_twice(workload: Workload) -> Iterator[Diagnostic]:
    """Lengths are one pair, or a table."""
    lengths = _lengths(workload)
    if workload.requests and lengths:
        yield Diagnostic(
            "E0411",
            f"'{lengths[0]}' and the table 'requests' both set the lengths of requests",
            (
                label_of(workload, lengths[0], "one length"),
                label_of(workload, "requests", "a mixture"),
            ),
            help="keep one of them",
        )


def missing(workload: Workload) -> Iterator[Diagnostic]:
    """Without a table both lengths are needed."""
    lengths = _lengths(workload)
    if not workload.requests and len(lengths) < 2:
        missing = [name for name in ("input", "output") if name not in lengths]
        fields = "fields" if len(missing) > 1 else "field"
        yield Diagnostic(
            "E0401",
            f"the workload '{workload.name}' lacks the {fields} "
            + ", ".join(f"'{name}'" for name in missing),
            (label_of(workload, "", ""),),
            help="or give a table: requests { | share | input | output | … }",
        )


def representative_without_bins(workload: Workload) -> Iterator[Diagnostic]:
    """A representative is a length of a bin."""
    if workload.representative is not None and not workload.requests:
        yield Diagnostic(
            "E0412",
            "'representative' picks a length of a bin, and there are no bins",
            (label_of(workload, "representative", "no effect here"),),
        )


def mean_without_samples(workload: Workload) -> Iterator[Diagnostic]:
    """A bin that is a range has no samples."""
    is_mean = workload.representative is Representative.MEAN
    if is_mean and any(row.means is None for row in workload.requests):
        yield Diagnostic(
            "E0413",
            "a bin without samples has no mean",
            (
                label_of(workload, "representative", "asked for here"),
                label_of(workload, "requests", "bins without samples"),
            ),
            why="only bins that were built from a trace have samples",
            help="write representative = mid",
        )


def _lengths(workload: Workload) -> list[str]:
    return [name for name in ("input", "output") if getattr(workload, name) is not None]


def confidence_in_nothing(workload: Workload) -> Iterator[Diagnostic]:
    """Confidence is how surely limits hold."""
    slo = workload.slo
    if slo.confidence is not None and not slo.objectives:
        yield Diagnostic(
            "E0486",
            "'confidence' has no effect here",
            (label_of(slo, "confidence", "there is no limit to keep", workload),),
            help="add a limit, such as ttft.p99 <= 2 s, or remove it",
        )
