"""Result files of load-test tools, in the definitions that specc has for its own figures.

In: the files that a tool wrote. Out: a `LoadTest` for each run in them: the load that was sent, and
what its requests saw, in seconds and tokens a second, or an error that says what was found. What
tools define in other ways is converted here, and said in the notes of a run. No module here imports
numpy. Read `base.py` first, then `reading.py`, which finds out whose file it is; one file a tool.
"""

from specc.loadtest.base import (
    Distribution,
    Lengths,
    LoadTest,
    LoadTestError,
    RequestLog,
    SentLoad,
)
from specc.loadtest.reading import TOOLS, read_load_tests

__all__ = [
    "TOOLS",
    "Distribution",
    "Lengths",
    "LoadTest",
    "LoadTestError",
    "RequestLog",
    "SentLoad",
    "read_load_tests",
]
