"""The sections of a report, one module each; a section yields its blocks, or none.

The order of the tuples is the order on the page. A new section is a module and a line here.
"""

from collections.abc import Callable, Iterator, Sequence

from specc.report.document import ReportBlock
from specc.report.sections import (
    accuracy,
    bounds,
    candidates,
    capacity,
    classes,
    comparison,
    configurations,
    curves,
    definitions,
    details,
    engines,
    evaluation,
    expectations,
    infeasible,
    inputs,
    lengths,
    measured,
    memory,
    pareto,
    plan,
    provenance,
    pruned,
    question,
    recommendation,
    relaxed,
    requests,
    sensitivity,
    shortlist,
    simulation,
    steps,
    sweep,
    timeline,
)
from specc.report.study import ReportedStudy
from specc.results import Comparison, Results

Section = Callable[[ReportedStudy], Iterator[ReportBlock]]

# Of a study: what a reader decides on first, then what it rests on.
SECTIONS: tuple[Section, ...] = (
    question.blocks,
    recommendation.blocks,
    expectations.blocks,
    comparison.blocks,
    configurations.blocks,
    details.blocks,
    relaxed.blocks,
    sensitivity.blocks,
    pareto.blocks,
    curves.blocks,
    steps.blocks,
    memory.blocks,
    # as simulated
    simulation.blocks,
    capacity.blocks,
    shortlist.blocks,
    classes.blocks,
    requests.blocks,
    engines.blocks,
    # as planned
    plan.blocks,
    lengths.blocks,
    timeline.blocks,
    candidates.blocks,
    pareto.points_of,
    curves.over_flight,
    memory.parts,
    bounds.blocks,
    evaluation.blocks,
    infeasible.blocks,
    pruned.blocks,
    inputs.blocks,
)

# What 'specc simulate' shows of a study.
SIMULATION_SECTIONS: tuple[Section, ...] = (
    question.blocks,
    simulation.blocks,
    capacity.blocks,
    shortlist.blocks,
    classes.blocks,
    requests.blocks,
    engines.blocks,
    expectations.blocks,
)

# Of a swept study as a whole; then come its variants, without what all of them share.
SWEPT: tuple[Section, ...] = (question.swept, sweep.blocks)
OF_ALL: tuple[Section, ...] = (question.blocks, inputs.blocks)

# Of load tests that were compared with it, before all studies.
MEASURED: tuple[Callable[[Sequence[Comparison]], Iterator[ReportBlock]], ...] = (measured.blocks,)

# Of the report as a whole, at its end.
CLOSING: tuple[Callable[[Results], Iterator[ReportBlock]], ...] = (
    definitions.blocks,
    accuracy.blocks,
    provenance.blocks,
)
