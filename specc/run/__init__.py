"""Running: a plan → what its studies found. The only room that knows processes.

In: a `Plan`. Out: a `StudyResult` for each study. What goes to another process and comes back is
data. Read `plans.py` first, then `studies.py`, `evaluate.py` (a task), `configurations.py`
(instances put together), `simulate.py` with `subjects.py`, and `judge.py` (expectations).
`runner.py` runs jobs: here, in processes (`workers.py`), on a cluster (`cluster.py`), or not at all
where a store (`store.py`) has their results.
"""
