"""What a row of measurements says about a deployment."""

from functools import lru_cache

from attrs import evolve, frozen

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
    ServedRules,
    Software,
)
from specc.records import Record


@frozen(eq=False, repr=False)
class Setting(Record):
    """A deployment in the words that the language has for its fields.

    `generation` is that of the software, `graph` or `eager` for software that is named.
    """

    model: str
    device: str
    devices: int
    quant: str = "bf16"
    kv_cache: str = "bf16"
    generation: str = "graph"
    software: Software | None = None
    calibration: str = "auto"
    fused_dispatch: bool = False


def served_with(built: Deployment, served: ServedRules | None) -> Deployment:
    """Return a deployment whose engine makes of steps what `served` says; None: a step alone."""
    data = built.device.calibration
    if data is None:
        return built
    return evolve(built, device=evolve(built.device, calibration=evolve(data, served=served)))


@lru_cache(maxsize=512)
def deployment(setting: Setting) -> Deployment:
    """Build the deployment of a setting.

    Raises:
        LibraryError: no library has such a model or device, or the fields contradict each other.
    """
    auto = setting.calibration == "auto"
    device = library.device(setting.device)
    engine = Engine(software=setting.software)
    if setting.generation != "graph":  # rules ask whether it was chosen, not which it is
        spans = {"execution": device.spans[""]}
        engine = Engine.like(Generation(setting.generation), spans=spans)
        if setting.software is not None:
            engine = evolve(engine, software=setting.software)
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
