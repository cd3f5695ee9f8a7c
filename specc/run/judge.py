"""Expectations: what a study demands of its result, judged on configurations."""

from collections.abc import Mapping

from specc.ir import facts
from specc.ir.facts import MONEY, dimension_of, is_simulated, is_statistic
from specc.ir.formula import (
    ExpectedCondition,
    Fact,
    Formula,
    FormulaError,
    Operation,
    evaluate,
    references,
)
from specc.results import Configuration, StudyResult, Verdict
from specc.units import BYTES, TIME, Dimension, Quantity

_PHASES = ("prefill", "decode")


class _MissingFactError(Exception):
    """A fact that a configuration does not have; says which."""


def judge(expectation: ExpectedCondition, result: StudyResult) -> Verdict:
    """Judge an expectation of a study. Without a feasible configuration it is not met."""
    condition = expectation.condition
    facts: dict[str, Fact] = {}
    for path in references(condition):
        try:
            facts[path] = _fact(path, result)
        except _MissingFactError as error:
            return Verdict(condition.text, False, str(error), expectation.reason)
    seen = ", ".join(f"{path} is {_shown(fact)}" for path, fact in facts.items())
    try:
        met = evaluate(condition, facts.__getitem__) is True
    except FormulaError as error:
        met, seen = False, f"{seen}: {error}"
    return Verdict(condition.text, met, seen, expectation.reason, _margin(condition, facts))


_BETTER = {"<": -1, "<=": -1, ">": 1, ">=": 1}  # the side on which the left one is better


def _margin(condition: Formula, known: Mapping[str, Fact]) -> float | None:
    """Return how far a comparison of two numbers is from its limit, relative to the limit."""
    if not isinstance(condition, Operation) or condition.operator not in _BETTER:
        return None
    try:
        left, right = (evaluate(side, known.__getitem__) for side in condition.operands)
    except FormulaError:
        return None
    if not isinstance(left, Quantity) or not isinstance(right, Quantity) or not right.value:
        return None
    sign = _BETTER[condition.operator]
    return float(sign * (left.value - right.value) / abs(right.value))


def _fact(path: str, result: StudyResult) -> Fact:
    """Return the fact that `[DEPLOYMENT.]best.[prefill.|decode.]FACT` names."""
    if is_simulated(path):
        return _simulated_fact(path, result)
    *names, fact = path.split(".")
    phase = names.pop() if names[-1] in _PHASES else ""
    deployment = names[0] if len(names) > 1 else ""
    configuration = result.best_of(deployment) if deployment else result.best
    if configuration is None:
        where = ".".join(names)
        raise _MissingFactError(f"{where} does not exist: no layout meets the limits")
    value = _value(configuration, phase, fact, path)
    dimension = dimension_of(fact)
    if dimension == MONEY:
        dimension = Dimension.base(configuration.currency)
    if dimension is None or isinstance(value, str):
        return str(value)
    return Quantity(value, dimension)


def _simulated_fact(path: str, result: StudyResult) -> Fact:
    """Return the fact of a simulation that `[NAME.]best.FACT` or `….METRIC.STATISTIC` names."""
    names, _, fact = path.rpartition("best.")
    wanted = names.rstrip(".")
    found = next((s for s in result.simulations if not wanted or s.name == wanted), None)
    if found is None:
        raise _MissingFactError(f"{path} does not exist: nothing was simulated")
    of_class, _, name = fact.rpartition(".")
    value: float | None
    if is_statistic(fact):
        value = found.metrics.statistic(fact)
    elif of_class:
        value = getattr(found.metrics.of(of_class), name)
    else:
        value = facts.value(facts.fact(fact).simulation, found)
    dimension = dimension_of(path)
    if value is None or dimension is None:
        raise _MissingFactError(f"{path} does not exist: the simulation has none")
    return Quantity(value, dimension)


def _value(found: Configuration, phase: str, name: str, path: str) -> float | int | str:
    """Return a fact of a configuration, or of the instances of a phase of it."""
    fact = facts.fact(name)
    if not phase and fact.configuration is not None:
        value = facts.value(fact.configuration, found)
    else:
        chosen = [i for i in found.instances if not phase or i.phase == phase]
        if len(chosen) != 1:
            which = " or ".join(f"best.{i.phase}.{name}" for i in found.instances)
            raise _MissingFactError(f"{path} does not exist: the configuration has {which}")
        value = facts.value(fact.instance, chosen[0])
    if value is None and fact.needs:
        raise _MissingFactError(f"{path} does not exist: a device has no {fact.needs}")
    if value is None:
        raise _MissingFactError(f"{path} does not exist in mode {found.mode}")
    known: float | int | str = value
    return known


def _shown(fact: Fact) -> str:
    if not isinstance(fact, Quantity):
        return str(fact)
    value = float(f"{fact.value:.6g}") if isinstance(fact.value, float) else fact.value
    unit = {TIME: "ms" if value < 1 else "s", BYTES: "GiB"}.get(fact.dimension, "")
    return str(Quantity(value, fact.dimension, unit))
