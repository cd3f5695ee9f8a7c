"""`specc show`: a model, or the operators of a plan."""

import argparse
from pathlib import Path

from specc.cli.codes import Exit
from specc.cli.measured import WrongInputError
from specc.cli.options import add_run_options, session_of
from specc.cli.tables import print_table
from specc.cli.terminal import add_format_option, print_diagnostics, print_json, say
from specc.diagnostics import Diagnostic
from specc.session import SpecError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Show a model, or the operator times of the best candidate of a plan."
    parser.epilog = "examples: specc show model config.json; specc show ops plan.spec"
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


def run(options: argparse.Namespace) -> int:
    """Print what is asked for."""
    try:
        return _model(options) if options.what == "model" else _ops(options)
    except WrongInputError as error:
        print_diagnostics([error.diagnostic], options.format)
        return Exit.WRONG_INPUT
    except SpecError as error:
        print_diagnostics(error.diagnostics, options.format)
        return Exit.WRONG_INPUT


def _model(options: argparse.Namespace) -> int:
    from specc import library
    from specc.cost.models import describe

    try:
        is_file = options.model.endswith(".json")
        find = library.model_from_config if is_file else library.model
        model = find(options.model)
    except library.LibraryError as error:
        raise WrongInputError(error.diagnostic) from None
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
                    row["operator"],
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
    return Exit.OK
