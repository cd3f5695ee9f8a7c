"""The serving model of an instance: the closed form or the step loop of its phase."""

from specc.ir import Engine, Phase, Scheduler
from specc.serving.aggregated import Aggregated
from specc.serving.closed import ClosedForm
from specc.serving.loop import StepLoop
from specc.serving.phases import Decode, Prefill
from specc.serving.server import Server
from specc.units import Tokens

ServingModel = ClosedForm | StepLoop

CLOSED_FORM, STEP_LOOP = "closed form", "step loop"


def serving_model(server: Server, engine: Engine, phase: Phase, budget: Tokens) -> ServingModel:
    """Return the closed form where every prompt fits the budget, and else the step loop.

    A scheduler that the engine names is always looped over.
    """
    fits = server.mixture.longest_new <= budget
    if phase is Phase.DECODE:
        return Decode(server)
    if phase is Phase.PREFILL:
        if fits:
            return Prefill(server, budget)
        return StepLoop(server, budget, slack=0.0, decodes=False)
    if fits and engine.scheduler is None:
        return Aggregated(server, budget)
    scheduler = engine.scheduler or Scheduler.DECODE_FIRST_WITH_SLACK
    return StepLoop(server, budget, scheduler, engine.slack, engine.step)


def method_of(model: ServingModel) -> str:
    """Say which method a serving model is."""
    return STEP_LOOP if isinstance(model, StepLoop) else CLOSED_FORM
