"""The configuration that a command is about: the recommended one, or one that was named."""

from specc.diagnostics import ExplainedError
from specc.results.candidates import Configuration
from specc.results.studies import Results, StudyResult, objective_of


class ChoiceError(ExplainedError):
    """There is no such study or configuration; carries what there is."""


class NoneFeasibleError(ChoiceError):
    """No configuration keeps the limits."""


def chosen(
    results: Results, study: str | None = None, number: int | None = None
) -> tuple[StudyResult, Configuration]:
    """Return a study and a configuration of it.

    Args:
        results: of a plan.
        study: its name; the first one by default. Of a swept study the best variant counts.
        number: place in the report's table of configurations, from 1; by default the recommended
            one, which is the best that keeps all limits.

    Raises:
        ChoiceError: there is none.
        NoneFeasibleError: none keeps the limits of the study.
    """
    names = list(dict.fromkeys(found.study.name for found in results.studies))
    wanted = study if study is not None else next(iter(names), "")
    variants = [found for found in results.studies if found.study.name == wanted]
    if not variants:
        raise ChoiceError(
            f"there is no study '{wanted}'" if wanted else "there is no study",
            help=f"there are: {', '.join(names)}" if names else "add a study to the spec",
        )
    found = max(variants, key=_worth) if len(variants) > 1 else variants[0]
    if number is None:
        if found.best is None:
            raise NoneFeasibleError(
                f"no configuration of '{wanted}' keeps its limits",
                help="relax a limit, or name one of those that break it: --configuration 1",
            )
        return found, found.best
    if not 1 <= number <= len(found.configurations):
        count = len(found.configurations)
        raise ChoiceError(
            f"'{wanted}' has no configuration {number}",
            help=f"the report lists {count}: 1 to {count}" if count else "the report lists none",
        )
    return found, found.configurations[number - 1]


def _worth(result: StudyResult) -> float:
    best = result.best
    return float("-inf") if best is None else objective_of(best, result.study.objective)
