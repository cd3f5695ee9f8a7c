"""`specc show`: a model, the operators of a plan, or the memory of its layouts."""

import argparse
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli.codes import Exit
from specc.cli.measured import WrongInputError
from specc.cli.numbers import positive, tokens
from specc.cli.options import add_run_options, session_of
from specc.cli.tables import print_table
from specc.cli.terminal import add_format_option, print_diagnostics, print_json, say
from specc.diagnostics import Diagnostic
from specc.ir import CacheFormat, Deployment, Quantisation, Software
from specc.session import SpecError

if TYPE_CHECKING:  # the cost model is imported where it is used
    from specc.run.memory import LayoutMemory, Startable

_GIB = 2**30


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Show a model, the operator times of the best candidate of a plan, or what the memory of a "
        "device holds in every layout."
    )
    parser.epilog = (
        "examples: specc show model config.json; specc show ops plan.spec; specc show memory "
        "--model downloads/Qwen3-32B --device atlas_800_a3_752t_die --devices 4"
    )
    kinds = parser.add_subparsers(metavar="what", dest="what", required=True)
    model = kinds.add_parser("model", help="parameters, weights and cache of a model")
    model.add_argument(
        "model", metavar="CONFIG.json|NAME", help="a Hugging Face configuration, or a known model"
    )
    add_format_option(model)
    ops = kinds.add_parser("ops", help="operators of the best candidate: time, bound, share")
    ops.add_argument("spec", type=Path, metavar="SPEC", help="the spec")
    ops.add_argument("--study", metavar="NAME", help="the study (default: the first)")
    ops.add_argument("--deployment", metavar="NAME", help="a deployment of it (default: the best)")
    add_run_options(ops)
    add_format_option(ops)
    _configure_memory(kinds)


def _configure_memory(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    memory = kinds.add_parser(
        "memory",
        help="does an engine start, and with which context: memory of every layout",
        description="Show what the memory of a device holds in every layout: of the deployments "
        "of a spec, or of a model on a number of devices. Ends with code 3 where no engine starts.",
        epilog="examples: specc show memory plan.spec; specc show memory --model "
        "downloads/Qwen3-32B --device atlas_800_a3_752t_die --devices 4 --context 32Ki "
        "--software vllm_ascend",
    )
    memory.add_argument("spec", type=Path, metavar="SPEC", nargs="?", help="the spec")
    memory.add_argument("--study", metavar="NAME", help="a study of the spec (default: all)")
    memory.add_argument("--deployment", metavar="NAME", help="a deployment of it (default: all)")
    memory.add_argument(
        "--model",
        metavar="DIR|CONFIG.json|NAME",
        help="instead of a spec: a folder as downloaded, its configuration, or a known model",
    )
    memory.add_argument("--device", metavar="NAME", help="the device")
    memory.add_argument("--devices", metavar="N", type=positive, default=1, help="how many (1)")
    memory.add_argument(
        "--quant",
        choices=[each.value for each in Quantisation],
        help="number format (default: that of the checkpoint)",
    )
    memory.add_argument(
        "--kv-cache", choices=[each.value for each in CacheFormat], help="format of the KV cache"
    )
    memory.add_argument(
        "--context",
        type=tokens,
        metavar="TOKENS",
        help="limit on prompt and output together, such as 32Ki (default: that of the model)",
    )
    memory.add_argument(
        "--software",
        choices=[each.value for each in Software],
        help="the engine, whose layouts, share of the memory and buffers count",
    )
    add_run_options(memory)
    add_format_option(memory)
    memory.set_defaults(parser=memory)


def run(options: argparse.Namespace) -> int:
    """Print what is asked for."""
    try:
        return _KINDS[options.what](options)
    except WrongInputError as error:
        print_diagnostics([error.diagnostic], options.format)
        return Exit.WRONG_INPUT
    except SpecError as error:
        print_diagnostics(error.diagnostics, options.format)
        return Exit.WRONG_INPUT


def _model(options: argparse.Namespace) -> int:
    from specc.cli.models import model_of
    from specc.cost.models import describe

    model = model_of(options.model)
    facts = describe(model)
    if options.format == "json":
        print_json(facts)
        return Exit.OK
    units = {
        "parameters": (1e9, "billion"),
        "active_parameters": (1e9, "billion"),
        "draft_parameters": (1e9, "billion"),
        "weight_bytes": (2**30, "GiB"),
        "weight_bytes_bf16": (2**30, "GiB"),
        "kv_bytes_per_token": (2**10, "KiB"),
        "kv_bytes_per_sequence": (2**20, "MiB"),
        "window_bytes_per_sequence": (2**20, "MiB"),
        "state_bytes_per_sequence": (2**20, "MiB"),
    }
    rows = []
    for name, value in facts.items():
        scale, unit = units.get(name, (1, ""))
        numeric = not isinstance(value, str) and scale != 1
        shown = f"{float(value) / scale:,.2f} {unit}" if numeric else f"{value}"
        rows.append((name.replace("_", " "), shown))
    print_table(("model", model.name), rows, texts=2)
    return Exit.OK


def _ops(options: argparse.Namespace) -> int:
    session = session_of(options)
    session.leave_out_sensitivity()
    results = session.results
    study = next((s for s in results.studies if options.study in (None, s.study.name)), None)
    if study is None:
        raise WrongInputError(Diagnostic("E0203", f"there is no study '{options.study}'"))
    known = [deployment.name for deployment in study.study.deployments]
    if options.deployment not in (None, *known):
        raise WrongInputError(
            Diagnostic(
                "E0203",
                f"the study has no deployment '{options.deployment}'",
                help=f"it compares {', '.join(known)}",
            )
        )
    best = study.best_of(options.deployment) if options.deployment else study.best
    nearest = [c.instance for c in study.candidates[:1]]
    shown = list(best.instances) if best else nearest
    tables = [t for group in shown for t in session.operators(group)]
    label = " + ".join(f"{group.parallel}, batch {group.point.batch}" for group in shown)
    if options.format == "json":
        layout = best.layout if best else shown[0].parallel if shown else ""
        print_json({"candidate": layout, "steps": tables})
        return Exit.OK
    if not shown:
        return Exit.OK
    name = best.deployment if best else study.candidates[0].deployment
    say(f"{name}: {label}" + ("" if best else " (infeasible)"))
    for table in tables:
        print()
        say(f"{table['phase']} step, {table['total_ms']:.2f} ms")
        print_table(
            ("operator", "bound by", "class", "runs", "each us", "total ms", "share"),
            [
                (
                    row["operator"] + (" *" if row["assumed"] else ""),
                    row["bound"],
                    row["class"],
                    f"{row['runs']:g}",
                    f"{row['each_us']:.1f}",
                    f"{row['total_ms']:.2f}",
                    f"{row['share'] * 100:.1f} %",
                )
                for row in table["operators"]
            ],
            texts=3,
        )
    if any(row["assumed"] for table in tables for row in table["operators"]):
        print()
        say("* nobody measured this kernel: the nearest measured class stands for it")
    return Exit.OK


def _memory(options: argparse.Namespace) -> int:
    from specc.run.memory import (
        by_phase,
        memory_of_deployment,
        memory_of_plan,
        something_starts,
    )

    if (options.spec is None) == (options.model is None):
        options.parser.error("name a spec, or --model with --device")
    if options.spec is None:
        if options.study or options.deployment or options.set:
            options.parser.error("--study, --deployment and --set are of a spec, not of --model")
        deployment = _asked_deployment(options)
        rows = memory_of_deployment(deployment)
        if not rows:
            raise WrongInputError(_no_layout(deployment))
    else:
        if any(getattr(options, name) for name in _OF_A_MODEL) or options.devices != 1:
            options.parser.error(
                "--device, --devices, --quant, --kv-cache, --context and --software are of "
                "--model; of a spec set fields with --set"
            )
        plan = session_of(options).plan
        rows = memory_of_plan(plan, options.study, options.deployment)
        if not rows:
            asked = [name for name in (options.study, options.deployment) if name]
            what = f"no {' with '.join(repr(n) for n in asked)}" if asked else "no deployment"
            raise WrongInputError(Diagnostic("E0203", f"the spec has {what} to show the memory of"))
    found = by_phase(rows)
    if options.format == "json":
        print_json({"phases": [_plain(each) for each in found]})
    else:
        for each in found:
            _print_memory(each)
    return Exit.OK if something_starts(found) else Exit.INFEASIBLE


_OF_A_MODEL = ("device", "quant", "kv_cache", "context", "software")


def _no_layout(deployment: Deployment) -> Diagnostic:
    from specc.search.space import first_reasons, layouts

    return Diagnostic(
        "E0439",
        f"'{deployment.model.name}' has no possible layout on {deployment.size} devices",
        why=first_reasons(pruned.reason for pruned in layouts(deployment).pruned),
        help="choose a number of devices that the heads and the experts divide among",
    )


def _asked_deployment(options: argparse.Namespace) -> Deployment:
    """Return the deployment of a model that the options describe."""
    from specc import library
    from specc.cli.models import named_model
    from specc.ir import Engine, Formats

    if options.device is None:
        options.parser.error("--model needs --device, such as atlas_800_a3_752t_die")
    model = named_model(options.model)
    cache = CacheFormat(options.kv_cache) if options.kv_cache else CacheFormat.BF16
    try:
        return library.usual().deployment(
            model,
            options.device,
            name=model.name,
            devices=options.devices,
            quant=Quantisation(options.quant) if options.quant else None,
            formats=Formats(kv_cache=cache),
            engine=Engine(
                software=Software(options.software) if options.software else None,
                max_model_length=options.context,
            ),
        )
    except library.LibraryError as error:
        raise WrongInputError(error.diagnostic) from None


def _plain(found: "Startable") -> dict[str, object]:
    from attrs import asdict

    rows = [{**asdict(row), "starts": row.starts} for row in found.rows]
    return {"starts": found.starts, "layouts": rows, "remedies": list(found.remedies)}


def _print_memory(found: "Startable") -> None:
    for _, group in groupby(found.rows, lambda row: (row.devices, row.device, row.memory)):
        rows = list(group)
        first = rows[0]
        phase = "" if first.phase == "whole" else f" to {first.phase}"
        say(
            f"{first.deployment}{phase}: {first.devices} × {first.device}, of which an engine sees "
            f"{first.memory / _GIB:.2f} GiB each"
        )
        print_table(_COLUMNS, [_cells(row) for row in rows])
    limit = found.rows[0].limit
    say(
        "GiB of a device. The cache is what a step of so many tokens leaves; cache tok is of a "
        f"replica, × limit is how many requests of {limit:,} tokens it holds."
    )
    if found.remedies:
        say(f"No engine starts. Each of these changes that: {'; '.join(found.remedies)}.")
    elif not found.starts:
        say("No engine starts, and specc found no single change that helps.")
    print()


_COLUMNS = (
    "layout", "weights", "activations", "reserved", "KV cache", "step tok", "cache tok",
    "longest request",
    "× limit", "starts",
)  # fmt: skip


def _cells(row: "LayoutMemory") -> list[str]:
    parts = (row.weights, row.activations, row.reserved, row.kv_cache)
    return [
        row.layout,
        *(f"{part / _GIB:.2f}" for part in parts),
        f"{row.budget:,}",
        f"{row.cache_tokens:,}",
        f"{row.longest_request:,}",
        f"{row.cache_tokens / row.limit:.3g}",
        _verdict(row),
    ]


def _verdict(row: "LayoutMemory") -> str:
    if not row.starts:
        return "no"
    return "yes" if row.holds_limit else f"max_model_length <= {row.longest_request}"


_KINDS = {"model": _model, "ops": _ops, "memory": _memory}
