"""Served runs that others measured: what a row says, and what the simulation says of it.

In: a table of runs. Out: predictions of throughput, TTFT and TPOT under the load that a row states.
Read `reading.py` first, which knows the words of the sources, then `prediction.py`.
"""

from specc.calibration.served.prediction import ServedPrediction, SkippedRun, predict_serving
from specc.calibration.served.summary import Summary, summaries

__all__ = ["ServedPrediction", "SkippedRun", "Summary", "predict_serving", "summaries"]
