"""The typed vocabulary: what a spec can say, as frozen attrs classes.

In: nothing; these are data. Every field carries its type, dimension, range, default and a line of
documentation in one place (`vocabulary.py`); the checker and the JSON form read it there.
Plain numbers are in base units: seconds, bytes, tokens, FLOP/s. Read `study.py` first.
"""

from specc.ir.deployment import (
    Calibration,
    Deployment,
    Engine,
    Mode,
    Objective,
    Parallel,
    Quantisation,
    Search,
    Strategy,
)
from specc.ir.device import CubeUnit, Device, Level, ReferenceCalibration, Topology, VectorUnit
from specc.ir.model import Model
from specc.ir.study import KINDS, Document, Study
from specc.ir.workload import LengthBin, Slo, Workload

__all__ = [
    "KINDS",
    "Calibration",
    "CubeUnit",
    "Deployment",
    "Device",
    "Document",
    "Engine",
    "LengthBin",
    "Level",
    "Mode",
    "Model",
    "Objective",
    "Parallel",
    "Quantisation",
    "ReferenceCalibration",
    "Search",
    "Slo",
    "Strategy",
    "Study",
    "Topology",
    "VectorUnit",
    "Workload",
]
