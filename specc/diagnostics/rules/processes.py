"""Rules of processes: what the machine did to a run."""

from specc.diagnostics.rule import Rule

RULES = (
    Rule(
        "E0020",
        "a worker process was ended from outside",
        "A plan of many candidates is evaluated by several processes. The system, or somebody, ended "
        "one of them twice while it had the same candidates; the first time they were given to "
        "another one. Most often the memory of the machine is short and the system made room. The "
        "message names the deployments. No file was written. The exit code is 71.",
        session="specc run plan.spec",
    ),
)
