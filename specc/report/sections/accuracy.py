"""How accurate the numbers of a report are, and what they rest on."""

from collections.abc import Iterator

from specc.cost import STEP_ERROR_TEXT
from specc.cost.models import assumed_kernels
from specc.ir import (
    CalibrationData,
    Deployment,
    Device,
    Generation,
    Mode,
    ServedRule,
    ServedRules,
    Strategy,
)
from specc.report import format as show
from specc.report.document import Heading, ReportBlock, Text
from specc.results import Results

_CLASSES = {
    "gemm": "GEMM",
    "gemm_int8": "GEMM in 8 bit",
    "prefill_attention": "prefill attention",
    "decode_attention": "decode attention",
    "experts": "experts",
    "experts_int8": "experts in 8 bit",
}


def blocks(results: Results) -> Iterator[ReportBlock]:
    """Yield the paragraph on accuracy."""
    yield Heading(id="report-accuracy", text="Accuracy", level=2)
    yield Text(id="report-errors", text=accuracy(results))


def accuracy(results: Results) -> str:
    """Return a paragraph on the calibrations that the studies use."""
    deployments = [d for result in results.studies for d in result.study.deployments]
    texts = [text for d in deployments for text in _texts(d)]
    if any(_is_scanned(d) and _loops(results, d) for d in deployments):
        texts.append(
            "In a loop over steps, a grid of batch sizes was tried and refined around its three "
            "highest peaks. A batch size that was not tried may serve more: at most 0.1 % more "
            "in a test with 267 ranges in which every batch size was tried."
        )
    if any(result.study.servers for result in results.studies):
        texts.append(
            "The step times of measured servers are used as measured: the simulation adds the "
            "queue and the order of steps, but no spread of the step times."
        )
    if results.simulated:
        texts.append(
            "A simulation is as accurate as its step times and its arrivals. Step times are "
            "computed for some batches and contexts, with linear interpolation between them; for "
            "steps that prefill this differs from the cost model by less than 1 % on average."
        )
    return " ".join(dict.fromkeys(texts))


def _is_scanned(deployment: Deployment) -> bool:
    return deployment.search.strategy in (None, Strategy.SCAN)


def _loops(results: Results, deployment: Deployment) -> bool:
    return any(
        c.deployment == deployment.name and c.method == "step loop"
        for result in results.studies
        for c in result.candidates
    )


def _texts(deployment: Deployment) -> Iterator[str]:
    data = deployment.fitted
    if data is None:
        yield STEP_ERROR_TEXT
        return
    yield _fitted(data)
    if data.device != deployment.device.name:
        yield (
            f"{deployment.device.name} was not measured: its coefficients are those of "
            f"{data.device}, scaled by the peaks of both. {_borrowed(deployment.device)}"
        )
    unknown = assumed_kernels(deployment.model)
    if unknown:
        yield (
            f"Nobody measured the kernels of {deployment.model.name} for {' and '.join(unknown)}: "
            f"those of the nearest measured class stand for them, and have another "
            f"{show.percent(data.assumed_spread)} in the intervals, which is assumed."
        )
    generation = deployment.engine.generation
    rule = getattr(data, generation.value)
    source = f" ({rule.source})" if rule.source else ""
    yield f"The engine launches steps {_LAUNCHED[generation]}{source}."
    yield _served(deployment, data, rule.spread)
    yield (
        "80 % intervals (p10 to p90) of TTFT, TPOT and throughput assume that all steps are slow "
        "together, or fast together: of what is recommended they are simulated so, with its "
        "queue. The closed form has no queue for a place; waves have no interference of prefill "
        "with decode either."
    )


def _served(deployment: Deployment, data: CalibrationData, alone: float) -> str:
    """Say what a server makes of steps, and by which runs that is known."""
    if data.served is None:
        return (
            f"On whole steps that adds {show.percent(alone)} to the error. What a server makes of "
            "steps was not measured: no overhead is in the figures."
        )
    who, own = _server(deployment, data.served)
    wait = show.duration(own.request_time) if own.request_time else ""
    added = f", and a request {wait} beside its steps" if wait else ""
    return (
        f"In {who} kernels take {own.overhead:.2f} times as long as alone{added}, by {own.source}. "
        "Throughput (or TPOT) of runs that the fit did not see is met within "
        f"{show.percent(own.fit.median_error)} in the median and "
        f"{show.percent(own.fit.mean_error)} in the mean. Of the deviation in the "
        f"intervals, {show.percent(own.spread)} is of the software."
    )


def _server(deployment: Deployment, served: ServedRules) -> tuple[str, ServedRule]:
    """Return whose overhead holds, in words, and the rule."""
    engine = deployment.engine
    software = engine.software.value if engine.software else ""
    name, rule = served.rule(software, engine.execution.value)
    if deployment.mode is not Mode.AGGREGATED and served.apart is not None:
        return "instances that prefill or decode alone", served.apart
    if not software:
        return "a server whose engine is not named", rule
    if name == "other":
        return f"{software}, of which no runs are known", rule
    return software, rule


_LAUNCHED = {
    Generation.EAGER: "operator by operator (execution = eager)",
    Generation.GRAPH: "as captured graphs (execution = graph)",
    Generation.TUNED: "as the recipes of CANN do (software = cann_recipes)",
}


def _borrowed(device: Device) -> str:
    """Say what the intervals have for coefficients of another device."""
    if device.calibration_spread:
        added = show.percent(device.calibration_spread)
        return f"Its intervals have another {added} for that, which is assumed."
    return "Its absolute numbers are less certain than the intervals say."


def _fitted(data: CalibrationData) -> str:
    classes, assumed = [], []
    for block, name in _CLASSES.items():
        fit = getattr(data, block).fit
        if fit.rows:
            classes.append(f"{name} {show.percent(fit.mean_error)} over {fit.rows} kernels")
        else:
            assumed.append(name)
    if not classes:
        return f"The calibration {data.name} is not fitted: {data.source}."
    return (
        f"The calibration {data.name} is fitted to {data.source} ({data.measured}). Mean absolute "
        f"error on shapes of kernels that the fit did not see: {', '.join(classes)}."
        + (f" Not measured, but assumed: {', '.join(assumed)}." if assumed else "")
    )
