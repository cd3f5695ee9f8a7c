"""The files of a launch folder: scripts, manifests, the load test, and what they are."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from specc._version import __version__
from specc.diagnostics import visible_line
from specc.ir import Queue
from specc.outputs.launch.base import CannotLaunchError, Group, LaunchPlan
from specc.outputs.launch.loadtest import SentRequests, bench_arguments, load_of
from specc.outputs.launch.serving import differences, settings_of
from specc.outputs.templates import filled

Files = dict[str, str]


def shell(plan: LaunchPlan, engine: ModuleType, templates: Path | None) -> Files:
    """Return scripts: one for the instances of each role, the proxy, the load test, the README."""
    files = scripts(plan, engine, templates)
    return {**files, "README.md": readme(plan, engine, templates, "shell", files)}


def scripts(plan: LaunchPlan, engine: ModuleType, templates: Path | None) -> Files:
    """Return the scripts alone."""
    files: Files = {}
    for group in plan.groups:
        context = group_context(plan, engine, group)
        if plan.apart:
            files[f"{group.role}-rank.sh"] = _filled("rank.sh.j2", templates, **context)
            files[f"{group.role}.sh"] = _filled("ranks.sh.j2", templates, **context)
        else:
            files["serve.sh"] = _filled("serve.sh.j2", templates, **context)
    if plan.apart:
        files["proxy.sh"] = _filled("proxy.sh.j2", templates, **common(plan, engine))
    elif plan.groups[0].instance.count > 1:
        files["balance.sh"] = _filled("balance.sh.j2", templates, **common(plan, engine))
    return {**files, **load_files(plan, engine, templates)}


def load_files(plan: LaunchPlan, engine: ModuleType, templates: Path | None) -> Files:
    """Return the load test, with the requests that it sends where they differ."""
    load = load_of(plan)
    context = {
        **common(plan, engine),
        "load": load,
        "bench": bench_arguments(plan, load),
        "model_name": plan.deployment.model.name,
    }
    files = {"loadtest.sh": _filled("loadtest.sh.j2", templates, **context)}
    if load.lines:
        files["requests.jsonl"] = "".join(f"{line}\n" for line in load.lines)
    if load.trace:
        files["requests.py"] = _filled("requests.py.j2", templates, **context)
    return files


def compose(plan: LaunchPlan, engine: ModuleType, templates: Path | None) -> Files:
    """Return a compose file.

    Raises:
        CannotLaunchError: the instances need more than one server.
    """
    group = plan.groups[0]
    if plan.apart or group.all_servers > 1:
        count = sum(one.all_servers for one in plan.groups)
        raise CannotLaunchError(
            f"a compose file is for one server, and this configuration has {count}",
            help="choose --target kubernetes, or shell",
        )
    context = group_context(plan, engine, group)
    files = load_files(plan, engine, templates)
    files["compose.yaml"] = _filled("compose.yaml.j2", templates, **context)
    return {**files, "README.md": readme(plan, engine, templates, "compose", files)}


def kubernetes(plan: LaunchPlan, engine: ModuleType, templates: Path | None) -> Files:
    """Return a manifest, the scripts that its containers run, and one that applies it."""
    _check_pods(plan)
    files = scripts(plan, engine, templates)
    groups = [group_context(plan, engine, group) for group in plan.groups]
    context = {
        **common(plan, engine),
        "roles": groups,
        "multi": any(group.servers > 1 for group in plan.groups),
        "drafts": any(group.instance.engine.draft_model for group in plan.groups),
    }
    files["manifest.yaml"] = _filled("manifest.yaml.j2", templates, **context)
    files["apply.sh"] = _filled("apply.sh.j2", templates, **context, scripts=_of_containers(files))
    return {**files, "README.md": readme(plan, engine, templates, "kubernetes", files)}


def _check_pods(plan: LaunchPlan) -> None:
    """Refuse instances whose place on a server a pod would have to know.

    Raises:
        CannotLaunchError: they share devices, or a server with others of their phase.
    """
    for group in plan.groups:
        if group.instance.engine.per_device > 1:
            raise CannotLaunchError(
                f"{group.instance.engine.per_device} engines share a device, and a pod has devices "
                "of its own",
                help="choose --target shell",
            )
        if plan.apart and group.slots > 1:
            raise CannotLaunchError(
                f"{group.slots} instances of {group.role} share a server, with ports by their "
                "place on it, which a pod does not know",
                help="choose --target shell, or instances that fill a server",
            )


def _of_containers(files: Iterable[str]) -> list[str]:
    return sorted(name for name in files if name.endswith(".sh") and name != "loadtest.sh")


def common(plan: LaunchPlan, engine: ModuleType) -> dict[str, Any]:
    """Return what all templates know."""
    return {
        "specc": __version__,
        "plan": plan,
        "spec": visible_line(plan.header.spec),
        "study": visible_line(plan.study.name),
        "number": plan.number,
        "name": plan.name,
        "groups": plan.groups,
        "model": visible_line(plan.deployment.model.name),
        "engine": engine,
        "npu": plan.groups[0].is_npu,
        "proxy": getattr(engine, "PROXY", ""),
    }


def group_context(plan: LaunchPlan, engine: ModuleType, group: Group) -> dict[str, Any]:
    """Return what the templates of instances know."""
    return {
        **common(plan, engine),
        "group": group,
        "instance": group.instance,
        "layout": group.instance.layout,
        "settings": settings_of(plan, group),
        "environment": tuple(engine.environment(plan, group)),
        "image": engine.image(group),
        "resource": engine.resource(group),
        "kv": engine.kv_transfer(plan, group) if plan.apart else None,
        "kv_port": engine.first_kv_port(group) if plan.apart else 0,
        "kv_ports": -(-group.instance.devices // 100) * 100,
        "drafts_apart": group.instance.engine.draft_model is not None,
    }


def readme(
    plan: LaunchPlan, engine: ModuleType, templates: Path | None, target: str, files: Files
) -> str:
    """Return the README of a folder: what to start in which order, and what was assumed."""
    load = load_of(plan)
    roles = [group_context(plan, engine, group) for group in plan.groups]
    return _filled(
        "README.md.j2",
        templates,
        **common(plan, engine),
        roles=roles,
        load=load,
        target=target,
        files=sorted(files),
        figures=list(_figures(plan)),
        assumed=[*_assumed(plan, roles, target), *_of_load_test(plan, load), _NOT_STARTED],
    )


_NOT_STARTED = (
    "nothing of this was started on hardware by specc: flags were looked up in the wheels of the "
    "engine"
)


def _figures(plan: LaunchPlan) -> Iterator[tuple[str, str, str]]:
    """Yield what the plan promises: figure, value and interval."""
    chosen = plan.configuration
    for name, value, scale, unit in (
        ("TTFT, mean", chosen.ttft, 1e3, "ms"),
        ("TPOT, mean", chosen.tpot, 1e3, "ms"),
        ("throughput", chosen.throughput, 1.0, "output tok/s"),
    ):
        if value is None:
            continue
        ends = chosen.interval[name.partition(",")[0].lower()]
        low, high = (_shown(end * scale) for end in ends) if ends else ("", "")
        yield name, f"{_shown(value * scale)} {unit}", f"{low} to {high} {unit}" if ends else "–"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _assumed(plan: LaunchPlan, roles: list[dict[str, Any]], target: str) -> Iterator[str]:
    """Yield what nobody said and the files take for granted, each once."""
    found: list[str] = []
    for role in roles:
        group: Group = role["group"]
        version = group.deployment.engine.version
        known = group.flags.version
        if not version:
            found.append(
                f"the version of {group.software.value} is the newest whose flags are known, "
                f"{known}: the spec names none"
            )
        elif version != known:
            found.append(f"flags are those of {group.software.value} {known}, not of {version}")
        if group.device.cards_per_server is None:
            found.append(
                f"all {group.instance.devices} devices of an instance are in one server: "
                f"'{group.device.name}' does not say how many a server has"
            )
        if not role["image"]:
            found.append(
                f"no image is known for '{group.device.name}': IMAGE must be set where one is used"
            )
        found += differences(plan, group)
        if group.instance.engine.draft_model is not None:
            found.append(
                f"DRAFT_MODEL (in containers DRAFT_DIR) is the folder of "
                f"{group.instance.engine.draft_model}, which drafts"
            )
        spare = group.instance.spare
        if spare:
            found.append(
                f"{spare} of the {group.instance.count} {group.role} instances are spares; they "
                "serve, too"
            )
    found.append(
        "the model needs no code of its own: else add --trust-remote-code, which lets the folder "
        "of the weights run code"
    )
    servers = sum(group.all_servers for group in plan.groups)
    fewest = -(-plan.configuration.devices // plan.groups[0].per_server)
    if servers > fewest and target == "shell":
        found.append(
            f"the scripts take {servers} servers where {fewest} have devices enough: prefill and "
            "decode do not share one, and instances lie within one"
        )
    if target == "motor":
        found.append(
            "user_config.json has the form v2.0 of the repository of MindIE Motor; the wheel "
            "3.0.0b2 reads an older one, with model_config"
        )
    yield from dict.fromkeys(found)


def _of_load_test(plan: LaunchPlan, load: SentRequests) -> Iterator[str]:
    """Yield where the load test is not quite the load of the plan."""
    if load.lines and load.requests < load.planned:
        yield (
            f"the load test sends the first {load.requests:,} of {load.planned:,} requests of the "
            "plan, so the figures above are of a longer run: 'specc compare' simulates those that "
            "were sent, and says what is to be expected of them"
        )
    if load.sessions:
        yield (
            "the load test sends the requests of sessions at their times and with their lengths, "
            "and without what the turns of a session have in common: hits in the prefix cache that "
            "come from it are not measured"
        )
    if load.images:
        yield (
            "the load test sends text alone: the tokens of images are sent as text, the vision "
            "encoder does not run, and --limit-mm-per-prompt is left to you"
        )
    if any(group.deployment.engine.queue is Queue.PRIORITY for group in plan.groups):
        yield (
            "the load test sends all requests with one priority: what the plan says of its classes "
            "is not measured by it"
        )


def _filled(template: str, templates: Path | None, **context: Any) -> str:
    return filled(f"launch/{template}", templates, **context)
