"""Rules of the work that a plan makes."""

from specc.diagnostics.rule import Rule

RULES = (
    Rule(
        "E0601",
        "a run is very long or very large",
        "Before a run begins, specc estimates how long it takes and how much memory. What exceeds ten "
        "minutes or 4 GiB is not begun unasked: most often a range has a digit too many, or lists of "
        "sizes multiply to far more candidates than meant. The message says how much it would be, and "
        "which part makes it so. With --yes it runs nevertheless. The estimate is good to a factor of "
        "three or so.",
        session="specc run plan.spec --set study.mine.simulate.requests=10000000",
    ),
)
