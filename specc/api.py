"""The functions of the public API, for scripts and notebooks; `import specc` has them."""

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from specc.diagnostics import Diagnostic, did_you_mean
from specc.ir import Deployment, Device, Layout, Model, Parallel, Quantisation
from specc.library import LibraryError, usual
from specc.records import Record
from specc.session import Session
from specc.units import Seconds, Tokens

LARGEST = 10_000_000  # sequences, and tokens of one, of a step


def compile(
    path: str | Path,
    overrides: str | Sequence[str] = (),
    *,
    allow_paths: str | Path | Sequence[str | Path] = (),
    unlimited: bool = False,
) -> Session:
    """Return a session of a spec: its document, plan, results and report, each when asked for.

    Args:
        path: the spec.
        overrides: fields set from outside, one or several, as `workload.chat.output=2000tok`.
        allow_paths: folders, one or several, that a spec in a git repository may read from
            besides the repository.
        unlimited: whether a run may be estimated to take more than ten minutes or 4 GiB.

    Returns:
        A `Session`. Where the spec has errors its `diagnostics` say which, `document` is None, and
        `plan`, `results` and `report` raise `SpecError`.
    """
    return Session(
        path,
        [overrides] if isinstance(overrides, str) else overrides,
        allow_paths=[allow_paths] if isinstance(allow_paths, str | Path) else allow_paths,
        unlimited=unlimited,
    )


@frozen(eq=False, repr=False)
class StepTime(Record):
    """How long one step takes, in seconds, and what bounds it.

    Attributes:
        seconds: the step.
        p10, p90: where eight of ten measurements would lie by the residuals of the cost model.
        compute, memory, communication, launch: parts that add up to `seconds`, by what bounds
            the operators of the step.
    """

    seconds: Seconds
    p10: Seconds
    p90: Seconds
    compute: Seconds
    memory: Seconds
    communication: Seconds
    launch: Seconds


def step_time(
    model: str | Model,
    device: str | Device,
    *,
    devices: int = 1,
    tp: int = 1,
    pp: int = 1,
    dp: int | None = None,
    cp: int = 1,
    dcp: int = 1,
    ep: int = 1,
    moe_tp: int | None = None,
    moe_dp: int = 1,
    phase: str = "decode",
    batch: int = 1,
    context: Tokens = 1,
    new: Tokens | None = None,
    quant: str | None = None,
) -> StepTime:
    """Return the time of one step of an instance, whether or not it fits the memory.

    Args:
        model: a model, or its name or alias in the library.
        device: a device, or its name.
        devices: of the instance.
        tp, pp, dp, cp, dcp, ep, moe_tp, moe_dp: the layout; dp takes what is left of the devices,
            and moe_tp what is left of the experts' devices.
        phase: `decode` or `prefill`.
        batch: sequences of a data-parallel replica.
        context: tokens of each sequence at the end of the step, the new ones included.
        new: tokens that the step computes of each sequence; by default 1 in decode, and the
            whole context in prefill.
        quant: number format of weights and activations; by default that of the checkpoint.

    Raises:
        LibraryError: a name is not known, a number is out of its range, or the model cannot be
            laid out so; its diagnostic says which, and what to do.
    """
    from specc.cost import CostModel, StepTable
    from specc.cost.times import P10, P90

    prefills = _chosen("phase", phase, ("decode", "prefill")) == "prefill"
    computed = new if new is not None else context if prefills else 1
    for name, size in {"devices": devices,
        "batch": batch, "context": context, "new": computed, "tp": tp, "pp": pp,
                       "dp": dp, "cp": cp, "dcp": dcp, "ep": ep, "moe_tp": moe_tp,
                       "moe_dp": moe_dp}.items():  # fmt: skip
        if size is not None and type(size) is not int:
            raise LibraryError(Diagnostic("E0301", f"'{name}' takes a whole number, not {size!r}"))
        if size is not None and not 1 <= size <= LARGEST:
            raise _out_of_range(f"'{name}' is {size}", f"write 1 to {LARGEST:,}")
    if computed > context:
        raise _out_of_range(
            f"a context of {context} tokens has no {computed} new ones",
            "count the new tokens into 'context'",
        )
    parallel = Parallel(
        tp=(tp,),
        pp=(pp,),
        dp=None if dp is None else (dp,),
        cp=(cp,),
        dcp=(dcp,),
        ep=(ep,),
        moe_tp=None if moe_tp is None else (moe_tp,),
        moe_dp=(moe_dp,),
    )
    formats = [q.value for q in Quantisation]
    deployment = usual().deployment(
        model,
        device,
        name="step",
        devices=devices,
        quant=None if quant is None else Quantisation(_chosen("quant", quant, formats)),
        parallel=parallel,
    )
    block = deployment.engine.block_size
    steps = (
        StepTable.prefilling(batch, computed, context, block)
        if prefills
        else StepTable.decoding(batch, context, block, computed)
    )
    times = CostModel.of(deployment, _layout(deployment)).times(steps)
    return StepTime(
        seconds=float(times.total[0]),
        p10=float(times.quantile(P10)[0]),
        p90=float(times.quantile(P90)[0]),
        compute=float(times.compute[0]),
        memory=float(times.memory[0]),
        communication=float(times.communication[0]),
        launch=float(times.launch[0]),
    )


def _layout(deployment: Deployment) -> Layout:
    """Return the only layout of a deployment."""
    from specc.search.space import layouts

    space = layouts(deployment)
    if len(space.layouts) == 1:
        return space.layouts[0]
    reasons = dict.fromkeys(pruned.reason for pruned in space.pruned)
    raise LibraryError(
        Diagnostic(
            "E0439",
            f"'{deployment.model.name}' cannot be laid out so on {deployment.size} devices",
            why="; ".join(reasons),
            help="choose sizes that divide the devices, the heads and the experts",
        )
    )


def _chosen(field: str, word: str, words: Sequence[str]) -> str:
    if word in words:
        return word
    help_ = did_you_mean(word, words, "choice").text
    raise LibraryError(Diagnostic("E0306", f"'{field}' has no choice '{word}'", help=help_))


def _out_of_range(message: str, help_: str) -> LibraryError:
    return LibraryError(Diagnostic("E0402", message, help=help_))
