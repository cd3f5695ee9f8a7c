"""`specc list`: what is known by name: models, devices, calibrations, architectures."""

import argparse
from typing import TYPE_CHECKING, Any

from specc.cli.codes import Exit
from specc.cli.tables import print_table
from specc.cli.terminal import add_format_option, print_diagnostics, print_json, say

if TYPE_CHECKING:
    from specc.ir import Model

_BILLION, _KIB, _MIB, _GIB = 1e9, 2**10, 2**20, 2**30


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "List the models, devices and calibrations of the standard library and of installed "
        "packages, or the architectures whose config.json is read."
    )
    parser.epilog = "examples: specc list models; specc list models glm; specc list architectures"
    parser.add_argument("what", choices=tuple(_LISTS), help="what to list")
    parser.add_argument("part", nargs="?", default="", help="only names that have this part")
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the list."""
    from specc.library import LibraryError

    try:
        rows = _LISTS[options.what](options.part.casefold())
    except LibraryError as error:
        print_diagnostics([error.diagnostic], options.format)
        return Exit.WRONG_INPUT
    if options.format == "json":
        print_json(rows)
    elif not rows:
        say(f"none of the {options.what} has '{options.part}' in its name")
    else:
        _PRINTED[options.what](rows)
    return Exit.OK


Rows = list[dict[str, Any]]


def _models(part: str) -> Rows:
    from specc import library
    from specc.ir import Model

    listed = library.usual().listed(Model)
    chosen = [one for one in listed if _has(part, one.name, *one.aliases)]
    return [_row(library.model(one.name), one.aliases, one.module) for one in chosen]


def _row(model: "Model", aliases: tuple[str, ...], module: str) -> dict[str, Any]:
    from specc.cost.models import describe

    facts, published = describe(model), model.published
    return {
        "name": model.name,
        "aliases": list(aliases),
        "title": model.doc,
        "module": module,
        "parameters": facts["parameters"],
        "active_parameters": facts["active_parameters"],
        "published_parameters": published.parameters if published else None,
        "published_active_parameters": published.active_parameters if published else None,
        "kv_bytes_per_token": facts["kv_bytes_per_token"],
        "window_bytes_per_sequence": facts["window_bytes_per_sequence"],
        "state_bytes_per_sequence": facts["state_bytes_per_sequence"],
        "source": published.source if published else "",
    }


def _print_models(rows: Rows) -> None:
    header = ("name", "as", "billion", "active", "KV KiB/tok", "windows MiB", "state MiB")
    print_table(
        header,
        [
            (
                row["name"],
                row["aliases"][0] if row["aliases"] else "",
                f"{row['parameters'] / _BILLION:.4g}",
                f"{row['active_parameters'] / _BILLION:.3g}",
                f"{row['kv_bytes_per_token'] / _KIB:.4g}",
                _mib(row["window_bytes_per_sequence"]),
                _mib(row["state_bytes_per_sequence"]),
            )
            for row in rows
        ],
        texts=2,
    )
    print()
    say("KV cache at 16 bit; windows and states are of a long sequence, whatever its length.")


def _mib(size: float) -> str:
    return f"{size / _MIB:.4g}" if size else ""


def _devices(part: str) -> Rows:
    from specc import library
    from specc.ir import Device

    rows = []
    for one in library.usual().listed(Device):
        if _has(part, one.name, *one.aliases):
            device = library.device(one.name)
            rows.append(
                {
                    "name": one.name,
                    "aliases": list(one.aliases),
                    "title": one.doc,
                    "module": one.module,
                    "memory": device.memory,
                    "memory_bandwidth": device.memory_bandwidth,
                }
            )
    return rows


def _print_devices(rows: Rows) -> None:
    print_table(
        ("name", "what", "memory GiB", "TB/s"),
        [
            (
                row["name"],
                row["title"],
                f"{row['memory'] / _GIB:.4g}",
                f"{row['memory_bandwidth'] / 1e12:.3g}",
            )
            for row in rows
        ],
        texts=2,
    )


def _calibrations(part: str) -> Rows:
    from specc import library
    from specc.ir import CalibrationData

    return [
        {"name": one.name, "title": one.doc, "module": one.module}
        for one in library.usual().listed(CalibrationData)
        if _has(part, one.name)
    ]


def _architectures(part: str) -> Rows:
    from specc.check.huggingface import FAMILIES

    return [{"name": name} for name in sorted(FAMILIES) if _has(part, name)]


def _print_named(rows: Rows) -> None:
    print_table(
        tuple(name for name in ("name", "title") if name in rows[0]),
        [tuple(row[name] for name in ("name", "title") if name in row) for row in rows],
        texts=2,
    )


def _has(part: str, *names: str) -> bool:
    return any(part in name.casefold() for name in names)


_LISTS = {
    "models": _models,
    "devices": _devices,
    "calibrations": _calibrations,
    "architectures": _architectures,
}
_PRINTED = {
    "models": _print_models,
    "devices": _print_devices,
    "calibrations": _print_named,
    "architectures": _print_named,
}
