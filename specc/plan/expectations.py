"""Expectations: what a study demands of its result, judged on the candidates."""

from collections.abc import Sequence

from specc.ir.formula import RESULT_FACTS, Expectation, Fact, evaluate, references
from specc.plan.results import Candidate, Verdict
from specc.units import BYTES, TIME, Quantity


def judge(expectation: Expectation, candidates: Sequence[Candidate]) -> Verdict:
    """Judge an expectation on candidates, the best first. Without a feasible one it is not met."""
    condition = expectation.condition
    facts: dict[str, Fact] = {}
    for path in references(condition):
        candidate = _candidate(path, candidates)
        if candidate is None:
            seen = f"{path.rpartition('.')[0]} does not exist: no layout keeps to the limits"
            return Verdict(condition.text, False, seen, expectation.reason)
        facts[path] = _fact(path.rpartition(".")[2], candidate)
    met = evaluate(condition, facts.__getitem__) is True
    seen = ", ".join(f"{path} is {_shown(fact)}" for path, fact in facts.items())
    return Verdict(condition.text, met, seen, expectation.reason)


def _candidate(path: str, candidates: Sequence[Candidate]) -> Candidate | None:
    deployment = path.rpartition(".")[0].removesuffix("best").removesuffix(".")
    return next((c for c in candidates if c.feasible and deployment in ("", c.deployment)), None)


def _fact(name: str, candidate: Candidate) -> Fact:
    dimension = RESULT_FACTS[name]
    for owner in (candidate, candidate.point, candidate.point.memory):
        if hasattr(owner, name):
            value = getattr(owner, name)
            return value if dimension is None else Quantity(value, dimension)
    raise KeyError(name)


def _shown(fact: Fact) -> str:
    if not isinstance(fact, Quantity):
        return str(fact)
    value = float(f"{fact.value:.6g}") if isinstance(fact.value, float) else fact.value
    unit = {TIME: "ms" if value < 1 else "s", BYTES: "GiB"}.get(fact.dimension, "")
    return str(Quantity(value, fact.dimension, unit))
