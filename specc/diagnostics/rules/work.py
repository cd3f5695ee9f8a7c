"""Rules of the work that a plan makes."""

from specc.diagnostics.rule import Rule

RULES = (
    Rule(
        "E0601",
        "a run is very long or very large",
        "Before a run begins, specc estimates how long it takes and how much memory. A run of "
        "more than ten minutes or 4 GiB does not start by itself: most often a range has a digit "
        "too many, or lists of sizes multiply to far more candidates than meant. The message "
        "gives the estimate and the largest part of it. To run it anyway, add --yes. The estimate "
        "is accurate to about a factor of three.",
        session="specc run plan.spec --set study.mine.simulate.requests=10000000",
    ),
    Rule(
        "E0602",
        "an expectation is not met",
        "A study says what it expects of its result: expect best.devices <= 16. The run was done and "
        "its files are written; what it found is not what was expected. The exit code is 1. The "
        "report has all expectations with their margins, and --junit FILE writes them for CI.",
        session="specc run plan.spec",
    ),
)
