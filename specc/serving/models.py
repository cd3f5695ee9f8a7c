"""The serving model of an instance: the closed form or the step loop of its phase."""

from specc.engines import scheduling_of
from specc.ir import Engine, Method, Phase, Scheduler
from specc.serving.aggregated import Aggregated
from specc.serving.closed import ClosedForm
from specc.serving.loop import StepLoop
from specc.serving.phases import Decode, Prefill
from specc.serving.server import Server
from specc.serving.steady import Steady
from specc.units import Tokens

ServingModel = ClosedForm | StepLoop

STEADY_STATE = "steady state"
CLOSED_FORM, STEP_LOOP = "closed form", "step loop"


def serving_model(
    server: Server,
    engine: Engine,
    phase: Phase,
    budget: Tokens,
    method: Method | None = None,
) -> ServingModel:
    """Return what a method says of how an instance serves; of instances that do one phase alone
    there is one closed form.

    By default it is the waves where every prompt fits the budget, and else the step loop. A
    scheduler that the engine names is always looped over.
    """
    fits = server.mixture.longest_new <= budget
    if phase is Phase.DECODE:
        return Decode(server)
    if phase is Phase.PREFILL:
        if fits:
            return Prefill(server, budget)
        return StepLoop(server, budget, slack=0.0, decodes=False)
    if method is Method.STEADY:
        return _steady(server, engine, budget)
    if fits and engine.scheduler is None and method is not Method.LOOP:
        return Aggregated(server, budget)
    scheduler = engine.scheduler or Scheduler.DECODE_FIRST_WITH_SLACK
    return StepLoop(server, budget, scheduler, engine.slack, engine.step)


def _steady(server: Server, engine: Engine, budget: Tokens) -> Steady:
    model, layout = server.cost.memory_model.model, server.layout
    scheduling = scheduling_of(
        engine,
        engine.scheduler or Scheduler.DECODE_FIRST,
        flat_hits=server.mixture.has_hits,
        model=model,
        stages=layout.pp,
    )
    in_step = layout.replicas_per_experts if model.experts is not None else 1
    return Steady(server, budget, in_step, scheduling.async_scheduling)


def method_of(model: ServingModel) -> str:
    """Say which method a serving model is."""
    if isinstance(model, Steady):
        return STEADY_STATE
    return STEP_LOOP if isinstance(model, StepLoop) else CLOSED_FORM
