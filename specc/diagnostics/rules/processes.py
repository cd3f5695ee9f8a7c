"""Rules of processes: what the machine did to a run."""

from specc.diagnostics.rule import Rule

RULES = (
    Rule(
        "E0020",
        "a worker process was killed",
        "A plan of many candidates is evaluated by several processes. The system, or somebody, "
        "killed one of them twice at the same candidates; after the first time they were given to "
        "another process. The usual reason is that the machine ran out of memory. The "
        "message names the deployments. No file was written. The exit code is 71.",
        session="specc run plan.spec",
    ),
)
