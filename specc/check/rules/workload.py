"""Rules of a workload: how long requests are."""

from collections.abc import Iterator

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic, Label
from specc.ir import Representative, RequestClass, RequestKind, Workload
from specc.ir.facts import METRICS

_TAKEN = ("best", "prefill", "decode", *METRICS)  # in the path of a fact


def given_twice(kind: RequestKind) -> Iterator[Diagnostic]:
    """Lengths are one pair, or a table."""
    lengths = _lengths(kind)
    if kind.requests and lengths:
        yield Diagnostic(
            "E0411",
            f"'{lengths[0]}' and the table 'requests' both set the lengths of requests",
            (
                label_of(kind, lengths[0], "one length"),
                label_of(kind, "requests", "a mixture"),
            ),
            help="keep one of them",
        )


def missing(kind: RequestKind) -> Iterator[Diagnostic]:
    """Without a table both lengths are needed."""
    lengths = _lengths(kind)
    if not kind.requests and len(lengths) < 2:
        missing = [name for name in ("input", "output") if name not in lengths]
        fields = "fields" if len(missing) > 1 else "field"
        yield Diagnostic(
            "E0401",
            f"the {_word(kind)} '{kind.name}' lacks the {fields} "
            + ", ".join(f"'{name}'" for name in missing),
            (label_of(kind, "", ""),),
            help="or give a table: requests { | share | input | output | … }",
        )


def representative_without_bins(kind: RequestKind) -> Iterator[Diagnostic]:
    """A representative is a length of a bin."""
    if kind.representative is not None and not kind.requests:
        yield Diagnostic(
            "E0412",
            "'representative' picks a length of a bin, and there are no bins",
            (label_of(kind, "representative", "no effect here"),),
        )


def mean_without_samples(kind: RequestKind) -> Iterator[Diagnostic]:
    """A bin that is a range has no samples."""
    is_mean = kind.representative is Representative.MEAN
    if is_mean and any(row.means is None for row in kind.requests):
        yield Diagnostic(
            "E0413",
            "a bin without samples has no mean",
            (
                label_of(kind, "representative", "asked for here"),
                label_of(kind, "requests", "bins without samples"),
            ),
            why="only bins that were built from a trace have samples",
            help="write representative = mid",
        )


def _word(kind: RequestKind) -> str:
    return "class" if isinstance(kind, RequestClass) else "workload"


def _lengths(kind: RequestKind) -> list[str]:
    return [name for name in ("input", "output") if getattr(kind, name) is not None]


def confidence_in_nothing(workload: Workload) -> Iterator[Diagnostic]:
    """Confidence is how surely limits hold."""
    slo = workload.slo
    if slo.confidence is not None and not workload.limits:
        yield Diagnostic(
            "E0486",
            "'confidence' has no effect here",
            (label_of(slo, "confidence", "there is no limit to keep", workload),),
            help="add a limit, such as ttft.p99 <= 2 s, or remove it",
        )


def of_all_classes(workload: Workload) -> Iterator[Diagnostic]:
    """What is measured of all requests together is limited for all of them."""
    for kind in workload.classes:
        own = [bound for bound in kind.slo.tails if bound.fact.startswith("itl.")]
        spans = [bound.spans[""] for bound in own if bound not in workload.slo.tails]
        if kind.slo.confidence != workload.slo.confidence:
            spans.append(kind.slo.spans["confidence"])
        for span in spans:
            yield Diagnostic(
                "E0419",
                f"'{kind.name}' limits what belongs to all requests",
                (Label(span, "of one class"),),
                why="gaps between tokens are of all requests that decode together, and one "
                "confidence is asked of all limits",
                help=f"move it into the slo of '{workload.name}'",
            )


def names_of_classes(workload: Workload) -> Iterator[Diagnostic]:
    """The name of a class stands where facts and phases do."""
    for kind in workload.classes:
        if not kind.name:
            yield Diagnostic(
                "E0401",
                "a class lacks its name",
                (label_of(kind, "", ""),),
                help="write class interactive { … }",
            )
        if kind.name in _TAKEN:
            yield Diagnostic(
                "E0478",
                f"a class cannot be called '{kind.name}'",
                (label_of(kind, "", ""),),
                why=f"best.{kind.name} means something else already",
                help="choose another name",
            )
