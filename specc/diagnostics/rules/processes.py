"""Rules of processes: what the machine did to a run."""

from specc.diagnostics.rule import Rule

RULES = (
    Rule(
        "E0020",
        "a worker process was killed",
        "A plan of many candidates is evaluated by several processes. The system, or somebody, "
        "killed one of them twice at the same candidates; after the first time they were given to "
        "another process. The usual reason is that the machine ran out of memory. The "
        "message names the deployments, or the studies. All others were done before, and a run "
        "with a store has them when it is repeated. No file was written. The exit code is 71.",
        session="specc run plan.spec",
    ),
    Rule(
        "E0021",
        "a worker has another version of specc",
        "Results of different versions would be mixed: their rules or their data differ. All "
        "workers of a cluster need the version of the process that gives them work. Workers that "
        "were started before an update have the former one until they are started again.",
        session="specc run plan.spec --cluster tcp://host:8786",
    ),
    Rule(
        "E0022",
        "a cluster cannot be used",
        "--cluster runs a plan on workers of Dask: their scheduler must answer at the address, "
        "and have a worker. Dask comes with specc[cluster]; local:2 starts two workers on this "
        "machine.",
        session="specc run plan.spec --cluster tcp://no-such-host:8786",
    ),
    Rule(
        "E0023",
        "a store of results cannot be used",
        "The folder cannot be written, or its file results.sqlite is no store or is damaged beyond "
        "single rows. Nothing is lost with it but time: it can be deleted. Without --cache a store "
        "that cannot be used is left out.",
        session="specc run plan.spec --cache /dev/null",
    ),
)
