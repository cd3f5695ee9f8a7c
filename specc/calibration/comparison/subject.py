"""What was measured, as what is simulated: a configuration of a plan, or what flags say."""

from collections.abc import Mapping

from attrs import evolve, frozen

from specc import library
from specc.calibration.comparison.sent import NotComparableError, sent_load, workload_of
from specc.engines import with_defaults
from specc.ir import (
    CacheFormat,
    Deployment,
    Engine,
    Execution,
    Formats,
    Layout,
    Model,
    Phase,
    Quantisation,
    Slo,
    Software,
    Speculative,
    Study,
    Vendor,
    Workload,
)
from specc.loadtest import LoadTest
from specc.plan import Plan, Setup, Task
from specc.records import Record
from specc.results import Configuration
from specc.run.configurations import cache_transfer
from specc.run.executors import evaluated
from specc.run.runner import Runner
from specc.run.subjects import Part, Subject
from specc.search.space import layout_problem
from specc.serving import Server, choose_budget


@frozen(kw_only=True, eq=False, repr=False)
class AskedServer(Record):
    """What serves, where there is no plan: None is what nobody says.

    Attributes:
        model, device, devices: of one instance.
        quant, kv_cache: formats; None for that of the checkpoint, and for 16 bits.
        sizes: of the layout, by their names in the language.
        software, version, execution: of the engine.
        max_sequences, chunk_budget, max_model_length: limits of the engine.
        instances: behind the load generator.
    """

    model: Model
    device: str
    devices: int
    quant: Quantisation | None = None
    kv_cache: CacheFormat | None = None
    sizes: Mapping[str, int] = {}
    software: Software | None = None
    version: str = ""
    execution: Execution | None = None
    max_sequences: int | None = None
    chunk_budget: int | None = None
    max_model_length: int | None = None
    instances: int = 1


def server_subject(study: Study, test: LoadTest, hit: float) -> Subject:
    """Return the measured server that a study simulates, under the load of a test."""
    server = study.servers[0]
    own = evolve(study, workload=workload_of(test, hit, Slo()), capacity=None, expectations=())
    simulate = sent_load(test, study.simulate)
    return Subject(own, simulate, server.name, "measured steps", 1, 1, server=server)


def planned_subject(
    plan: Plan, study: Study, chosen: Configuration, test: LoadTest, hit: float
) -> Subject:
    """Return a configuration that a plan found, under the load of a test.

    Raises:
        NotComparableError: the test is of another model or layout, or the configuration has
            instances of one phase alone.
    """
    _check_model(study.deployment(chosen.deployment).model, test)
    _check_plan(study, chosen, test)
    _check_sizes(chosen, test)
    if len(chosen.instances) == 1 and chosen.instances[0].phase != Phase.WHOLE.value:
        raise NotComparableError(
            f"'{chosen.deployment}' has instances that {chosen.instances[0].phase} alone",
            help="a load test measures whole requests; compare a plan that has both phases",
        )
    workload = workload_of(test, hit, Slo())
    tasks = {task.key: task for planned in plan.studies for task in planned.tasks}
    own = {instance.task: _under(tasks[instance.task], workload) for instance in chosen.instances}
    found = evaluated(list(own.values()), Runner())
    sides = [found[own[instance.task].key] for instance in chosen.instances]
    deployment = study.deployment(chosen.deployment)
    return Subject(
        study=evolve(study, workload=workload, capacity=None, expectations=()),
        simulate=sent_load(test, study.simulate),
        name=deployment.name,
        layout=chosen.layout,
        place=1,
        devices=chosen.devices,
        parts=tuple(
            Part(own[i.task], i.engine.max_sequences, i.engine.chunk_budget, i.working)
            for i in chosen.instances
        ),
        transfer=cache_transfer(deployment, *sides) if len(sides) == 2 else None,
        configuration=chosen,
    )


def _under(task: Task, workload: Workload) -> Task:
    """Return a task with other requests; decoding does not see what of a prompt was cached."""
    own = workload.uncached if task.phase is Phase.DECODE else workload
    return Task(Setup(own, task.deployment, task.phase), task.layout, task.drafted)


def asked_subject(asked: AskedServer, test: LoadTest, hit: float) -> tuple[Subject, list[str]]:
    """Return what flags and the file of a test say was measured, and what is assumed of it.

    Raises:
        LibraryError: the device is not known, or the fields contradict each other.
        NotComparableError: no such layout can be launched, or the test is of another model.
    """
    _check_model(asked.model, test)
    device = library.device(asked.device)
    assumed: list[str] = []
    software = asked.software or _said_software(test)
    if software is None:
        software = Software.VLLM_ASCEND if device.vendor is Vendor.HUAWEI else Software.VLLM
        assumed.append(f"the engine is taken for {software.value}: --software says it")
    layout = _layout(asked, test, assumed)
    drafted = len(test.acceptance)
    if test.tokens_per_step and not drafted:
        raise NotComparableError(
            "tokens were drafted, and the file does not say which of them were accepted",
            help="vllm bench serve and aiperf write the acceptance of each drafted token",
        )
    if drafted and not asked.model.draft_layers:
        raise NotComparableError(
            f"tokens were drafted, and {asked.model.name} has no layers that draft",
            help="compare with a plan whose engine { speculative { draft = … } } names what drafts",
        )
    drafts = (
        Speculative(tokens=(drafted,), acceptance=test.acceptance, source=test.tool)
        if drafted
        else None
    )
    engine = Engine(
        software=software,
        version=asked.version,
        execution=asked.execution or Execution.GRAPH,
        max_sequences=_sequences(asked, test, layout),
        chunk_budget=asked.chunk_budget or _said(test, "max_num_batched_tokens"),
        max_model_length=asked.max_model_length or _said(test, "max_model_len"),
        speculative=drafts,
    )
    deployment = library.usual().deployment(
        asked.model,
        device,
        name="measured",
        devices=layout.devices,
        quant=asked.quant,
        formats=Formats(kv_cache=asked.kv_cache or CacheFormat.BF16),
        engine=engine,
    )
    problem = layout_problem(deployment, layout)
    if problem:
        raise NotComparableError(problem, help="give the sizes of the layout: --tp, --dp, --ep")
    workload = workload_of(test, hit, Slo())
    part = _part(deployment, layout, workload, test, asked.instances)
    simulate = sent_load(test, None)
    study = Study(workload=workload, deployments=(deployment,), simulate=simulate)
    subject = Subject(
        study=study,
        simulate=simulate,
        name=f"{asked.model.name} on {layout.devices} × {device.name}",
        layout=layout.label,
        place=1,
        devices=layout.devices * asked.instances,
        parts=(part,),
    )
    return subject, assumed


def _sequences(asked: AskedServer, test: LoadTest, layout: Layout) -> int | None:
    """Return the sequences of one batch: stages share what vLLM's flag says, ranks SGLang's."""
    of_rank = asked.max_sequences or _said(test, "max_num_seqs")
    if of_rank is None:
        of_all = _said(test, "max_running_requests")
        of_rank = None if of_all is None else max(1, of_all // layout.dp)
    return None if of_rank is None else max(1, of_rank // layout.pp)


def _part(
    deployment: Deployment, layout: Layout, workload: Workload, test: LoadTest, instances: int
) -> Part:
    """Return instances with the limits that were said, or those of the engine."""
    task = Task(Setup(workload, deployment, Phase.WHOLE), layout, len(test.acceptance))
    server = Server.of(deployment, layout, workload, Phase.WHOLE, task.drafted)
    usual = with_defaults(deployment.engine, deployment.device.memory)
    places = usual.max_sequences or max(1, test.load.clients or test.requests)
    budget = max(choose_budget(usual.chunk_budget, server), places * (1 + task.drafted))
    return Part(task, places, budget, instances)


_OF_LAYOUT: Mapping[str, tuple[str, ...]] = {
    "tp": ("tp", "tp_size", "tensor_parallel_size"),
    "pp": ("pp", "pp_size", "pipeline_parallel_size"),
    "dp": ("dp", "dp_size", "data_parallel_size"),
    "dcp": ("dcp", "dcp_size", "decode_context_parallel_size"),
    "ep": ("ep", "ep_size", "expert_parallel_size"),
}


def _said(test: LoadTest, *names: str) -> int | None:
    """Return a whole number that the file of a test says of the server."""
    for name in names:
        text = test.settings.get(name, "")
        if text.isascii() and text.isdigit() and int(text) > 0:
            return int(text)
    return None


def _said_software(test: LoadTest) -> Software | None:
    name = test.settings.get("software", "").lower().replace("-", "_")
    found = next((one for one in Software if one.value == name), None)
    return found or (Software.SGLANG if "tp_size" in test.settings else None)


def _layout(asked: AskedServer, test: LoadTest, assumed: list[str]) -> Layout:
    """Return the layout that is said; tensor parallelism takes the devices that are left."""
    said = {name: _said(test, *names) for name, names in _OF_LAYOUT.items()}
    sizes = {name: asked.sizes.get(name) or said[name] for name in _OF_LAYOUT}
    pp, dp = sizes["pp"] or 1, sizes["dp"] or 1
    tp = sizes["tp"]
    if tp and not asked.sizes and "tp_size" in test.settings and tp * pp == asked.devices:
        tp //= dp if tp % dp == 0 else 1  # SGLang's ranks of attention lie within its TP
    if tp is None:
        if asked.devices % (pp * dp):
            raise NotComparableError(
                f"{asked.devices} devices cannot be shared by DP = {dp} and PP = {pp}"
            )
        tp = asked.devices // (pp * dp)
        if asked.devices > 1:
            assumed.append(f"TP = {tp} is assumed: --tp says it")
    if tp * pp * dp != asked.devices:
        raise NotComparableError(
            f"TP = {tp}, PP = {pp} and DP = {dp} make {tp * pp * dp} devices, not {asked.devices}",
            help="--devices counts those of one instance (on A3: dies)",
        )
    if asked.model.experts is None:
        return Layout(tp, pp, dp, dcp=sizes["dcp"] or 1)
    ep = sizes["ep"]
    if ep is None:
        ep = tp * dp if asked.model.experts.count % (tp * dp) == 0 else 1
        assumed.append(f"EP = {ep} is assumed: --ep says it")
    if (tp * dp) % ep:
        raise NotComparableError(f"EP = {ep} does not divide the {tp * dp} ranks of a stage")
    return Layout(tp, pp, dp, ep=ep, moe_tp=tp * dp // ep, dcp=sizes["dcp"] or 1)


def _check_model(model: Model, test: LoadTest) -> None:
    """Refuse a test whose file names another model that is known."""
    if not test.model or library.plain_name(test.model) == library.plain_name(model.name):
        return
    found = library.known_model(test.model)
    if found is not None and found != library.known_model(model.name):
        raise NotComparableError(
            f"the test is of '{test.model}', not of '{model.name}'",
            why=f"the library knows that name as '{found}'",
            help="name the plan, or the model, that was measured",
        )


def model_note(model: Model, test: LoadTest) -> str:
    """Return a note on a name that may be that of another model; empty if it is the same one."""
    if not test.model:
        return f"the file does not name its model: it is taken for {model.name}"
    same = library.plain_name(test.model) == library.plain_name(model.name)
    if same or library.known_model(test.model) is not None:
        return ""
    return f"the file calls the model '{test.model}': it is taken for {model.name}"


def _check_plan(study: Study, chosen: Configuration, test: LoadTest) -> None:
    """Refuse a test whose file says another study, or another engine."""
    said = test.settings.get("specc_study")
    if said is not None and said != study.name:
        raise NotComparableError(
            f"the load test is of the study '{said}', and the study is '{study.name}'",
            help=f"--study {said}",
        )
    engines = {instance.engine.software for instance in chosen.instances} - {""}
    engine = test.settings.get("software")
    if engine is not None and engines and engine not in engines:
        raise NotComparableError(
            f"the file says software = {engine}, the plan has {', '.join(sorted(engines))}",
            help="set the software that was measured: --set deployment.NAME.engine.software="
            f"{engine}, or compare without a plan: --model, --device and --devices",
        )


def plan_note(spec: str, number: int | None, test: LoadTest) -> str:
    """Return a note on a test whose file names another spec or configuration; empty if none."""
    plan, place = test.settings.get("specc_plan"), test.settings.get("specc_configuration")
    if plan is not None and plan != spec:
        return f"the file says that it is a test of {plan}"
    if place is not None and number is not None and place != str(number):
        return f"the file says that it is a test of configuration {place}, this is number {number}"
    return ""


def _check_sizes(chosen: Configuration, test: LoadTest) -> None:
    """Refuse a test whose file says other sizes than those of the configuration."""
    if len(chosen.instances) > 1:
        return
    instance = chosen.instances[0]
    own = {name: getattr(instance.layout, name) for name in _OF_LAYOUT}
    for name, names in _OF_LAYOUT.items():
        said = _said(test, *names)
        if name == "dp" and said == chosen.instance_count * own["dp"]:
            continue
        # SGLang counts all ranks as TP, those of data parallelism within it.
        if said is None or (test.tool.startswith("sglang") and name in ("tp", "dp")):
            continue
        if said != own[name]:
            raise NotComparableError(
                f"the file says {name.upper()} = {said}, the configuration has "
                f"{name.upper()} = {own[name]}",
                help="name the configuration that was measured: --configuration N, or without a "
                "plan --model, --device and --devices",
            )
