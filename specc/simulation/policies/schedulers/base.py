"""What a scheduler sees, and what it decides."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from specc.ir import Scheduler
from specc.units import Tokens

UNLIMITED = 1 << 40


# Tuples, as an engine makes one of each for every step in which prompts wait.
class StepView(NamedTuple):
    """An engine before a step: prompts wait that it has room for, or one is begun.

    Attributes:
        ready: new tokens of the sequences that the step could decode, one each without drafts.
        budget: new tokens of a step, those of sequences that decode included.
        limit: the budget with its slack.
        prefilled: whether the last step took in prompts; see `SchedulerPolicy.remembers`.
    """

    ready: int
    budget: Tokens
    limit: Tokens
    prefilled: bool


class StepPlan(NamedTuple):
    """What the next step does.

    Where no prompt finds room in a step that was to decode nothing, it decodes all the same.

    Attributes:
        decodes: whether all sequences that are ready decode in it, or none.
        prompts: new tokens of prompts that it may take in, 0 or less for none.
    """

    decodes: bool
    prompts: Tokens


class SchedulerPolicy(ABC):
    """A scheduler. Without prompts there is nothing to decide: what is ready decodes.

    Attributes:
        name: its name in a spec.
        remembers: whether `plan` reads what the last step did. If not, an engine may run many
            steps at once while its batch only ages.
    """

    name: ClassVar[Scheduler]
    remembers: ClassVar[bool] = False

    @abstractmethod
    def plan(self, view: StepView) -> StepPlan:
        """Say what the next step does."""

    def cut(self, rest: Tokens, left: Tokens, budget: Tokens) -> Tokens:
        """Return how many of the `rest` tokens of a prompt a step takes at a time.

        A prompt of which this is more than the `left` tokens of the step waits for a later one.
        """
        return rest if rest < left else left  # min() is slower, and this is a hot place

    def longest_prompt(self, budget: Tokens) -> Tokens:
        """Return the longest prompt that an engine with this budget serves; others are rejected."""
        return UNLIMITED
