"""Deployments by the names that tables use, built from the standard library."""

from functools import lru_cache
from pathlib import Path

from attrs import evolve, frozen

from specc.check import check
from specc.diagnostics import Diagnostic
from specc.ir import Deployment, Device, Model
from specc.workspace import Workspace


class UnknownNameError(ValueError):
    """A model, device or format that the standard library does not know; says which."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        # The text around the name is ours, so the place in it says nothing to a user.
        self.diagnostic = evolve(diagnostic, labels=())


@frozen
class Setting:
    """What a row of a table says about a deployment, in words of the language."""

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
        UnknownNameError: the standard library has no such model or device.
    """
    usual = setting.generation == "graph"
    engine = "" if usual else f"engine {{ generation = {setting.generation} }}"
    dispatch = "communication { dispatch = fused }" if setting.fused_dispatch else ""
    text = f"""
    use std.devices
    use std.models
    workload w {{ input = 1 tok; output = 1 tok }}
    deployment d {{
        model = "{setting.model}"; device = "{setting.device}"; devices = {setting.devices}
        quant = {setting.quant}; formats {{ kv_cache = {setting.kv_cache} }}
        calibration = {setting.calibration}
        {engine}
        {dispatch}
    }}
    study s {{ workload = w; deployments = [d] }}
    """
    return _built(text)


def model_named(name: str) -> Model:
    """Return a model of the standard library, or that of a configuration file.

    Raises:
        UnknownNameError: there is none, or the file is no configuration of a known architecture.
    """
    if not name.endswith(".json"):
        return deployment(Setting(model=name, device="h200", devices=1, quant="auto")).model
    file = Path(name).absolute()
    text = f"""
    use std.devices
    workload w {{ input = 1 tok; output = 1 tok }}
    model {_word(file.stem)} {{ config = "{file.as_posix()}" }}
    deployment d {{ model = {_word(file.stem)}; device = h200; devices = 1 }}
    study s {{ workload = w; deployments = [d] }}
    """
    return _built(text).model


def device_named(name: str, spec: Path) -> Device:
    """Return a device that a spec defines.

    Raises:
        UnknownNameError: the spec has errors, or no such device.
    """
    text = f"""
    use std.models
    use "{spec.absolute().as_posix()}" as measured
    workload w {{ input = 1 tok; output = 1 tok }}
    deployment d {{ model = qwen3_8b; device = measured.{name}; devices = 1; quant = bf16 }}
    study s {{ workload = w; deployments = [d] }}
    """
    return _built(text).device


def _word(stem: str) -> str:
    """Return a name of the language that resembles the name of a file."""
    word = "".join(c if c.isascii() and c.isalnum() else "_" for c in stem).lower()
    return word if word[:1].isalpha() else f"model_{word}"


def _built(text: str) -> Deployment:
    path = Path("table.spec")
    document, diagnostics = check(Workspace(Path.cwd(), unsaved={path.absolute(): text}), path)
    if document is None:
        raise UnknownNameError(diagnostics[0])
    return document.studies[0].deployments[0]
