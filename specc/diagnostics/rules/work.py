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
)
