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
    shortlist,
    simulation,
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
    sweep.blocks,
    expectations.blocks,
    comparison.blocks,
    # as simulated
    simulation.blocks,
    capacity.blocks,
    shortlist.blocks,
    classes.blocks,
    requests.blocks,
    engines.blocks,
    # as planned
    plan.blocks,
    configurations.blocks,
    relaxed.blocks,
    lengths.blocks,
    timeline.blocks,
    candidates.blocks,
    curves.blocks,
    pareto.blocks,
    memory.blocks,
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

# Of load tests that were compared with it, before all studies.
MEASURED: tuple[Callable[[Sequence[Comparison]], Iterator[ReportBlock]], ...] = (measured.blocks,)

# Of the report as a whole, at its end.
CLOSING: tuple[Callable[[Results], Iterator[ReportBlock]], ...] = (
    definitions.blocks,
    accuracy.blocks,
    provenance.blocks,
)
