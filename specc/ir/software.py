"""Serving software: which engine, which version, and the rules of its scheduler that differ."""

from enum import Enum

from attrs import frozen

from specc.ir import vocabulary as v
from specc.ir.policies import Admission, Queue
from specc.units import TOKENS, Tokens


class Software(Enum):
    """Serving engines that specc knows rules and defaults of."""

    VLLM = "vllm"
    VLLM_ASCEND = "vllm_ascend"
    MINDIE = "mindie"
    SGLANG = "sglang"
    CANN_RECIPES = "cann_recipes"


@frozen(kw_only=True, eq=False, repr=False)
class SoftwareSettings(v.Node):
    """What an engine and a measured server say of their software and of its scheduler."""

    software: Software | None = v.choice(
        Software,
        "serving software, whose rules and defaults hold for what is not set; `auto` is the rules "
        "of the newest vLLM, without its defaults for 'chunk_budget' and 'max_sequences'",
        default=None,
    )
    version: str = v.text(
        'version of the software, such as "0.18"; by default the newest one known. Of a version '
        "that is not known the nearest older one counts, and the report says so",
        default="",
    )
    admission: Admission | None = v.choice(
        Admission,
        "simulation: blocks that must be free before a request starts; `auto` is by software and "
        "version",
        default=None,
    )
    prefix_caching: bool | None = v.boolean(
        "simulation: blocks that a request computed are found by later requests with the same "
        "prefix, and by itself after a preemption; `auto` is by software and version",
        default=None,
    )
    async_scheduling: bool | None = v.boolean(
        "simulation: a step is composed while the one before runs, so that a request waits a step "
        "longer and leaves a step later; `auto` is by software and version with the scheduler "
        "decode_first, and false with another",
        default=None,
    )
    long_prefill_token_threshold: Tokens | None = v.number(
        TOKENS,
        "simulation: most new tokens of one prompt that a step takes in, so that long prompts "
        "leave room for short ones; by default no limit",
        default=None,
        whole=True,
        at_least=1,
    )
    queue: Queue = v.choice(
        Queue,
        "simulation: which of the requests that wait starts next; by priority where the classes "
        "of a workload have one",
        default=Queue.FIFO,
    )
