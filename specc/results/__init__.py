"""Results: what was found, as plain data, JSON both ways.

In: nothing; these are data that `run` fills and reports, files and comparisons read. No module
here imports numpy. Read `studies.py` first, then `candidates.py` and `simulations.py`; `files.py`
writes and loads result files, `frame.py` makes tables for pandas.
"""

from specc.results.candidates import (
    Band,
    BatchCurve,
    BinRow,
    BoundShares,
    Candidate,
    Configuration,
    EngineSettings,
    Instance,
    MemoryUse,
    Miss,
    Point,
    Timeline,
    short_label,
)
from specc.results.files import FORMAT, ResultsError, load_results, rounded
from specc.results.simulations import (
    Attainment,
    BinMetrics,
    CapacityFound,
    Closed,
    EngineLimits,
    Estimate,
    Metrics,
    RateSeen,
    Series,
    Simulated,
    SimulationPicture,
    Statistics,
    Steps,
)
from specc.results.studies import (
    UNITS,
    Dropped,
    Header,
    Results,
    StudyResult,
    Verdict,
    objective_of,
)

__all__ = [
    "FORMAT",
    "UNITS",
    "Attainment",
    "Band",
    "BatchCurve",
    "BinMetrics",
    "BinRow",
    "BoundShares",
    "Candidate",
    "CapacityFound",
    "Closed",
    "Configuration",
    "Dropped",
    "EngineLimits",
    "EngineSettings",
    "Estimate",
    "Header",
    "Instance",
    "MemoryUse",
    "Metrics",
    "Miss",
    "Point",
    "RateSeen",
    "Results",
    "ResultsError",
    "Series",
    "Simulated",
    "SimulationPicture",
    "Statistics",
    "Steps",
    "StudyResult",
    "Timeline",
    "Verdict",
    "load_results",
    "objective_of",
    "rounded",
    "short_label",
]
