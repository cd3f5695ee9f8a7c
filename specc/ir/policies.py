"""The policies of a serving engine by name, with a line about each. What they do is in code:

a scheduler, router or admission has its class in `specc/simulation/policies`, in the file that is
called as it is here. To add one, add its line here and its file there.
"""

from enum import Enum
from typing import Self

from attrs import frozen

from specc.records import Record


class Cut(Enum):
    """How much of a prompt a step takes in."""

    PART = "part"  # what is left of the budget, if that is less
    CHUNK = "chunk"  # a whole chunk of the budget, or nothing
    WHOLE = "whole"  # all of it, or nothing


@frozen(eq=False, repr=False)
class Loop(Record):
    """How the loop over steps of a deployment stands for a scheduler.

    Attributes:
        cut: how much of a prompt a step takes in.
        beside: whether sequences decode in a step that prefills.
        slack: whether such a step may exceed the budget by the slack.
    """

    cut: Cut
    beside: bool
    slack: bool = False


class Sight(Enum):
    """What a router looks at."""

    NOTHING = "nothing"
    LOADS = "loads"
    PREFIXES = "prefixes"  # and the loads


class Policy(Enum):
    """Names of policies of a kind; `doc` is the line about each."""

    doc: str

    def __new__(cls, name: str, doc: str, *_traits: object) -> Self:
        """Make a name; traits that are more than its line are those of the kind."""
        member = object.__new__(cls)
        member._value_ = name
        member.doc = doc
        return member


class Scheduler(Policy):
    """What a step of an engine takes in when prompts wait and sequences decode."""

    DECODE_FIRST_WITH_SLACK = (
        "decode_first_with_slack",
        "all sequences decode, whole chunks of prompts fill the rest of the budget and its slack",
        Loop(Cut.CHUNK, beside=True, slack=True),
    )
    DECODE_FIRST = (
        "decode_first",
        "as the V1 scheduler of vLLM (0.8 to 0.33), with chunked prefill: all sequences decode, "
        "prompts fill the rest of the budget, the last one in part; admission, prefix_caching and "
        "async_scheduling differ by version",
        Loop(Cut.PART, beside=True),
    )
    PREFILL_FIRST = (
        "prefill_first",
        "nothing decodes as long as prompts wait; they fill the budget, the last one in part",
        Loop(Cut.PART, beside=False),
    )
    PREFILL_THEN_DECODE = (
        "prefill_then_decode",
        "a step that prefills what waits, then one that decodes; only for measured servers",
        None,
    )
    VLLM_V0 = (
        "vllm_v0",
        "as vLLM 0.6 before V1, without chunked prefill: nothing decodes as long as prompts wait; "
        "whole prompts fill the budget by their own tokens, without padding; one longer than the "
        "budget is rejected",
        Loop(Cut.WHOLE, beside=False),
    )

    loop: Loop | None  # None: no loop over steps stands for it

    def __init__(self, _name: str, _doc: str, loop: Loop | None) -> None:
        self.loop = loop

    @property
    def takes_slack(self) -> bool:
        """Whether its steps may exceed the budget."""
        return self.loop is not None and self.loop.slack


class Routing(Policy):
    """Which of several engines a request goes to."""

    ENGINE = (
        "engine",
        "instances in turn, and in each the balancer of vLLM 0.33 over its data-parallel ranks: "
        "the fewest requests, of which those that wait count more where more than half of the KV "
        "cache is in use",
        Sight.LOADS,
    )
    ROUND_ROBIN = ("round_robin", "the engines in turn", Sight.NOTHING)
    LEAST_LOAD = ("least_load", "the engine with the fewest requests", Sight.LOADS)
    PREFIX_AWARE = (
        "prefix_aware",
        "the engine that has most of the prompt in its cache, unless its load exceeds twice the "
        "mean plus one",
        Sight.PREFIXES,
    )

    sight: Sight

    def __init__(self, _name: str, _doc: str, sight: Sight) -> None:
        self.sight = sight


class Admission(Policy):
    """How many blocks of the KV cache must be free before a request starts."""

    WHOLE_PROMPT = (
        "whole_prompt",
        "a request starts when the blocks of its whole prompt are free",
    )
    FIRST_CHUNK = (
        "first_chunk",
        "a request starts when the blocks of the first chunk of its prompt are free",
    )


class Queue(Policy):
    """Which of the requests that wait starts next."""

    FIFO = (
        "fifo",
        "in the order of arrival; when blocks run out the latest admitted is preempted",
    )
    PRIORITY = (
        "priority",
        "by the priority of their class, 1 first, and in the order of arrival within it; when "
        "blocks run out what runs and is last in this order is preempted",
    )


POLICIES: dict[str, type[Policy]] = {
    "scheduler": Scheduler,
    "router": Routing,
    "admission": Admission,
    "queue": Queue,
}
