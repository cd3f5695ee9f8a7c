"""What a row of measurements says about a deployment."""

from functools import lru_cache

from attrs import frozen

from specc import library
from specc.ir import (
    CacheFormat,
    Calibration,
    Communication,
    Deployment,
    Dispatch,
    Engine,
    Formats,
    Generation,
    Quantisation,
)
from specc.records import Record


@frozen(eq=False, repr=False)
class Setting(Record):
    """A deployment in the words that the language has for its fields."""

    model: str
    device: str
    devices: int
    quant: str = "bf16"
    kv_cache: str = "bf16"
    generation: str = "graph"
    calibration: str = "auto"
    fused_dispatch: bool = False


@lru_cache(maxsize=512)
def deployment(setting: Setting) -> Deployment:
    """Build the deployment of a setting.

    Raises:
        LibraryError: no library has such a model or device, or the fields contradict each other.
    """
    auto = setting.calibration == "auto"
    device = library.device(setting.device)
    engine = Engine()
    if setting.generation != "graph":  # rules ask whether it was chosen, not which it is
        spans = {"execution": device.spans[""]}
        engine = Engine.like(Generation(setting.generation), spans=spans)
    dispatch = Dispatch.FUSED if setting.fused_dispatch else Dispatch.ALL_TO_ALL
    return library.usual().deployment(
        setting.model,
        device,
        name="d",
        devices=setting.devices,
        quant=None if setting.quant == "auto" else Quantisation(setting.quant),
        formats=Formats(kv_cache=CacheFormat(setting.kv_cache)),
        calibration=None if auto else Calibration(setting.calibration),
        communication=Communication(dispatch=dispatch),
        engine=engine,
    )
