"""The typed vocabulary: what a spec can say, as frozen attrs classes.

In: nothing; these are data. Every field carries its type, dimension, range, default and a line of
documentation in one place (`vocabulary.py`); the checker and the JSON form read it there.
Plain numbers are in base units: seconds, bytes, tokens, FLOP/s. Read `study.py` first.
"""

from specc.ir.calibration import (
    CalibrationData,
    CollectiveRule,
    Collectives,
    DecodeAttentionRule,
    ExpertsRule,
    Fit,
    GemmRule,
    GenerationRule,
    PrefillAttentionRule,
    QuantisationRule,
    VectorRule,
)
from specc.ir.cube import CubeUnit
from specc.ir.deployment import (
    Calibration,
    Communication,
    Deployment,
    Dispatch,
    Engine,
    ExpertPlacement,
    Formats,
    Generation,
    Mode,
    Objective,
    Parallel,
    Search,
    Strategy,
)
from specc.ir.device import Device, Level, ReferenceCalibration, Topology, VectorUnit
from specc.ir.formats import CacheFormat, Quantisation
from specc.ir.model import (
    CompressedAttention,
    Experts,
    Indexer,
    LatentAttention,
    LinearAttention,
    Model,
    Router,
    SlidingWindow,
    Vision,
)
from specc.ir.study import KINDS, Document, Study
from specc.ir.workload import LengthBin, Slo, Workload

__all__ = [
    "KINDS",
    "CacheFormat",
    "Calibration",
    "CalibrationData",
    "CollectiveRule",
    "Collectives",
    "Communication",
    "CompressedAttention",
    "CubeUnit",
    "DecodeAttentionRule",
    "Deployment",
    "Device",
    "Dispatch",
    "Document",
    "Engine",
    "ExpertPlacement",
    "Experts",
    "ExpertsRule",
    "Fit",
    "Formats",
    "GemmRule",
    "Generation",
    "GenerationRule",
    "Indexer",
    "LatentAttention",
    "LengthBin",
    "Level",
    "LinearAttention",
    "Mode",
    "Model",
    "Objective",
    "Parallel",
    "PrefillAttentionRule",
    "Quantisation",
    "QuantisationRule",
    "ReferenceCalibration",
    "Router",
    "Search",
    "SlidingWindow",
    "Slo",
    "Strategy",
    "Study",
    "Topology",
    "VectorRule",
    "VectorUnit",
    "Vision",
    "Workload",
]
