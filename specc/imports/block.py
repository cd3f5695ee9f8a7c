"""What was imported as text of the language: a deployment, and notes on what it lacks."""

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from specc import library
from specc.diagnostics import visible_line
from specc.imports.base import Imported, joined
from specc.ir import Device, Software, Vendor

_QUANTS = (
    ("w8a8", "w8a8_dynamic"), ("w4a8", "w4a8"), ("w4a16", "w4a16"), ("int8", "w8a8_dynamic"),
    ("fp8", "fp8"),
)  # fmt: skip
_VENDORS = {Vendor.HUAWEI: Software.VLLM_ASCEND, Vendor.NVIDIA: Software.VLLM}


def text_of(found: Sequence[Imported], device: Device | None, what: str) -> str:
    """Return the text of a spec with the deployment.

    Args:
        found: one instance of all phases, or one of each.
        device: what it runs on; None leaves the field to the reader.
        what: the name of the file that was imported, or `a command`.
    """
    first = found[0]
    model, block = _model(first)
    lines = [f"# Imported by specc import from {visible_line(what)}", "use std.devices"]
    lines += ["use std.models"] if not block else []
    lines += ["", *block, "## What it launches", "deployment imported {", f"    model = {model}"]
    if device is None:
        lines.append("    # device = …  the command does not say it: specc list devices")
    else:
        lines.append(f"    device = {device.name}")
    if len(found) == 1:
        lines += _instance(first, device)
    else:
        lines += _common(first)
        lines.append("    mode = pd_ratio")
        for one in found:
            lines += [f"    {one.role} {{", *(f"    {line}" for line in _instance(one, device))]
            lines.append("    }")
        lines.append("    # fleet { devices = … }  how many instances there are follows from it")
    lines.append("}")
    notes = list(_notes(found))
    if notes:
        lines += [
            "",
            "# Could not be carried over:",
            *(f"# - {visible_line(note)}" for note in notes),
        ]
    neutral = sorted({name for one in found for name in one.kept_out})
    if neutral:
        lines += ["", f"# Without effect on a plan: {visible_line(joined(neutral))}"]
    return "\n".join(lines) + "\n"


def _model(one: Imported) -> tuple[str, list[str]]:
    """Return how the model is named, and a block for one that the library does not have."""
    known = _known(one)
    if known is not None:
        return known, []
    path = PurePath(one.model) / "config.json"
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return "served", [
        "## Not in the library: its configuration is read",
        f'model served {{ config = "{text}" }}',
        "",
    ]


def _known(one: Imported) -> str | None:
    """Return the name of the model in the library, by its path or by what clients call it."""
    return library.known_model(one.model) or library.known_model(one.served)


def _common(one: Imported) -> Iterator[str]:
    quant = _quant(one)
    if quant:
        yield f"    quant = {quant}"


def _quant(one: Imported) -> str:
    """Return the number format, from the name of a checkpoint where the flags leave it to that."""
    given = one.fields.get("quant")
    if given:
        return given
    name = f"{one.model} {one.served}".lower().replace("-", "").replace("_", "")
    return next((quant for text, quant in _QUANTS if text in name), "")


def _instance(one: Imported, device: Device | None) -> Iterator[str]:
    yield f"    devices = {one.devices}"
    if one.role == "whole":
        yield from _common(one)
    cache = one.fields.get("formats.kv_cache")
    if cache:
        yield f"    formats {{ kv_cache = {cache} }}"
    yield f"    parallel {{ {_parallel(one)} }}"
    for block in ("communication", "experts"):
        own = _own(one, block)
        if own:
            yield f"    {block} {{ {own} }}"
    software = one.software
    if device is not None and device.vendor is not None and software is not Software.SGLANG:
        software = _VENDORS.get(device.vendor, software)
    yield "    engine {"
    yield f"        software = {software.value}"
    for path, text in one.fields.items():
        usual = one.role == "prefill" and path == "engine.execution"  # graphs are of decode steps
        if path.startswith("engine.") and not usual:
            yield f"        {path.partition('.')[2]} = {_per_stage(one, path, text)}"
    yield "    }"


def _per_stage(one: Imported, path: str, text: str) -> str:
    """Return a limit on sequences of one batch of the pipeline stages, which share it."""
    if path == "engine.max_sequences" and (one.pp or 1) > 1:
        return str(max(1, int(text) // (one.pp or 1)))
    return text


def _own(one: Imported, block: str) -> str:
    prefix = f"{block}."
    return "; ".join(
        f"{path.removeprefix(prefix)} = {text}"
        for path, text in one.fields.items()
        if path.startswith(prefix)
    )


def _parallel(one: Imported) -> str:
    sizes = {"tp": one.tp or 1, "pp": one.pp or 1, "dp": one.dp or 1}
    parts = [f"{name} = {size}" for name, size in sizes.items() if name != "pp" or size > 1]
    if one.dcp is not None and one.dcp > 1:
        parts.append(f"dcp = {one.dcp}")
    known = _known(one)
    has_experts = known is not None and library.model(known).experts is not None
    if one.ep is not None and one.ep is not False and (has_experts or known is None):
        parts.append(f"ep = {one.ranks if one.ep is True else one.ep}")
    elif has_experts:
        parts.append("ep = 1")
    return "; ".join(parts)


def _notes(found: Sequence[Imported]) -> Iterator[str]:
    for one in found:
        own = f"{one.role}: " if len(found) > 1 else ""
        yield from (f"{own}{note}" for note in one.lost)
        if "quant" in one.fields and not _quant(one):
            yield f"{own}the number format: it is that of the checkpoint, and no flag says it"
