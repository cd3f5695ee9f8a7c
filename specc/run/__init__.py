"""Running: a plan → what its studies found. The only room that knows processes.

In: a `Plan`. Out: a `StudyResult` for each study. What goes to another process and comes back is
data. Read `studies.py` first, then `evaluate.py` (a task), `configurations.py` (instances put
together), `simulate.py` with `subjects.py`, and `judge.py` (expectations); `executors.py` maps
tasks over processes.
"""
