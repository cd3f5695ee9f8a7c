"""Serving models: from the cost of a step to TTFT, TPOT and throughput.

In: a cost model, a workload and batch sizes. Out: a `ServingTable`, one row per batch size.
`mixture.py` has the requests, `server.py` the instance, `closed.py` what the closed forms share;
read `aggregated.py` first, then `phases.py` for separate prefill and decode, and `loop.py` for
steps that do both.
"""

from specc.serving.aggregated import Aggregated
from specc.serving.budget import automatic_budgets, choose_budget
from specc.serving.closed import ClosedForm
from specc.serving.loop import StepLoop
from specc.serving.mixture import Mixture, allocate
from specc.serving.models import ServingModel, method_of, serving_model
from specc.serving.phases import Decode, Prefill
from specc.serving.server import Server
from specc.serving.steady import Steady
from specc.serving.table import Bands, MemoryParts, ServingTable, Shares, joined

__all__ = [
    "Aggregated",
    "Bands",
    "ClosedForm",
    "Decode",
    "MemoryParts",
    "Mixture",
    "Prefill",
    "Server",
    "ServingModel",
    "ServingTable",
    "Shares",
    "Steady",
    "StepLoop",
    "allocate",
    "automatic_budgets",
    "choose_budget",
    "joined",
    "method_of",
    "serving_model",
]
