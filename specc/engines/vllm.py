"""vLLM. Read in the published wheels of the versions in `read`.

Defaults are those of its API server; an engine inside of a Python program takes other ones.
"""

from specc.engines.base import EngineHistory, MemoryClass, Sourced, VersionRules
from specc.engines.layouts import (
    contexts_over_whole_axes,
    experts_on_all_ranks,
    one_copy_of_experts,
)
from specc.ir import Admission, Software, Vendor

_GIB = 2**30

_SHARE = "config/cache.py (before 0.10 engine/arg_utils.py): gpu_memory_utilization"
SHARE_90 = Sourced(0.9, f"{_SHARE} = 0.9")
SHARE_92 = Sourced(0.92, f"{_SHARE} = 0.92")

V0_ADMISSION = Sourced(
    Admission.WHOLE_PROMPT, "core/block_manager.py, can_allocate: the blocks of the whole prompt"
)
FIRST_CHUNK = Sourced(
    Admission.FIRST_CHUNK,
    "v1/core/sched/scheduler.py: blocks for the tokens of the step; there is no "
    "scheduler_reserve_full_isl yet",
)
WHOLE_PROMPT = Sourced(
    Admission.WHOLE_PROMPT, "config/scheduler.py: scheduler_reserve_full_isl = True"
)

V0_CACHING = Sourced(
    False, "engine/arg_utils.py: enable_prefix_caching is off unless VLLM_USE_V1 is set"
)
V1_CACHING = Sourced(
    True, "engine/arg_utils.py: enable_prefix_caching = True by default of the V1 engine"
)
CACHING = Sourced(
    True,
    "engine/arg_utils.py: enable_prefix_caching = is_prefix_caching_supported of the model; it is "
    "for decoders with attention in every layer",
)

NOT_ASYNC = Sourced(False, "there is no asynchronous scheduling")
ASYNC_OFF = Sourced(False, "config/scheduler.py (0.10: config.py): async_scheduling = False")
ASYNC_ON = Sourced(
    True,
    "config/vllm.py: async_scheduling, if it is not set, becomes True unless something does not "
    "support it, such as some ways of speculative decoding (in 0.14 also pipeline parallelism)",
)

_BATCH_DEFAULTS = "engine/arg_utils.py, get_batch_defaults"
_V0_BATCH = Sourced(
    (MemoryClass(max_sequences=256),),
    "engine/arg_utils.py: max_num_seqs = 256 of V0; max_num_batched_tokens follows from the length "
    "of the model, as prompts are not cut",
)
_BY_NAME = Sourced(
    (
        MemoryClass(chunk_budget=2048, max_sequences=1024),
        MemoryClass(at_least=70 * _GIB, chunk_budget=8192, max_sequences=1024),
    ),
    "engine/arg_utils.py, _set_default_args_v1: 8192 tokens for H100 and H200 by their names, else "
    "2048; here from 70 GiB on, which separates these two from smaller devices",
)
SMALL = MemoryClass(chunk_budget=2048, max_sequences=256)
_LARGE = MemoryClass(at_least=70 * _GIB, chunk_budget=8192, max_sequences=1024)
_LARGEST = MemoryClass(at_least=160 * _GIB, chunk_budget=16384, max_sequences=1024)
_TWO_CLASSES = Sourced(
    (SMALL, _LARGE),
    f"{_BATCH_DEFAULTS} (before 0.12 _set_default_args): from 70 GiB on 8192 and 1024 unless it "
    "is an A100, below 2048 and 256",
)
_THREE_CLASSES = Sourced(
    (SMALL, _LARGE, _LARGEST),
    f"{_BATCH_DEFAULTS}: from 160 GiB on 16384 and 1024; from 70 GiB on 8192 and 1024 unless it "
    "is an A100 or a GB10; below 2048 and 256",
)

VLLM = EngineHistory(
    software=Software.VLLM,
    package="vllm",
    vendors=(Vendor.NVIDIA, Vendor.AMD),
    launches=(one_copy_of_experts, experts_on_all_ranks, contexts_over_whole_axes),
    versions=(
        VersionRules(
            read=("0.6.6", "0.7.3"),
            admission=V0_ADMISSION,
            prefix_caching=V0_CACHING,
            async_scheduling=NOT_ASYNC,
            batch=_V0_BATCH,
            utilization=SHARE_90,
            hybrid_caching=False,
        ),
        VersionRules(
            read=("0.8.0",),
            admission=FIRST_CHUNK,
            prefix_caching=V1_CACHING,
            async_scheduling=NOT_ASYNC,
            batch=_BY_NAME,
            utilization=SHARE_90,
            hybrid_caching=False,
        ),
        VersionRules(
            read=("0.8.5", "0.9.0", "0.9.1", "0.9.2"),
            admission=FIRST_CHUNK,
            prefix_caching=V1_CACHING,
            async_scheduling=NOT_ASYNC,
            batch=_TWO_CLASSES,
            utilization=SHARE_90,
            hybrid_caching=False,
        ),
        VersionRules(
            read=("0.10.0", "0.11.0"),
            admission=FIRST_CHUNK,
            prefix_caching=V1_CACHING,
            async_scheduling=ASYNC_OFF,
            batch=_TWO_CLASSES,
            utilization=SHARE_90,
            hybrid_caching=False,
        ),
        VersionRules(
            read=("0.12.0", "0.13.0"),
            admission=FIRST_CHUNK,
            prefix_caching=CACHING,
            async_scheduling=ASYNC_OFF,
            batch=_TWO_CLASSES,
            utilization=SHARE_90,
            hybrid_caching=False,
        ),
        VersionRules(
            read=("0.14.0",),
            admission=FIRST_CHUNK,
            prefix_caching=CACHING,
            async_scheduling=ASYNC_ON,
            batch=_TWO_CLASSES,
            utilization=SHARE_90,
            hybrid_caching=False,
            async_with_stages=False,
        ),
        VersionRules(
            read=("0.18.0",),
            admission=FIRST_CHUNK,
            prefix_caching=CACHING,
            async_scheduling=ASYNC_ON,
            batch=_TWO_CLASSES,
            utilization=SHARE_90,
            hybrid_caching=False,
        ),
        VersionRules(
            read=("0.19.0",),
            admission=WHOLE_PROMPT,
            prefix_caching=CACHING,
            async_scheduling=ASYNC_ON,
            batch=_TWO_CLASSES,
            utilization=SHARE_90,
            hybrid_caching=False,
        ),
        VersionRules(
            read=("0.20.0", "0.22.0", "0.23.0", "0.24.0"),
            admission=WHOLE_PROMPT,
            prefix_caching=CACHING,
            async_scheduling=ASYNC_ON,
            batch=_TWO_CLASSES,
            utilization=SHARE_92,
            hybrid_caching=False,
        ),
        VersionRules(  # from here on config/model.py says that hybrid models support it
            read=("0.26.0", "0.27.0"),
            admission=WHOLE_PROMPT,
            prefix_caching=CACHING,
            async_scheduling=ASYNC_ON,
            batch=_TWO_CLASSES,
            utilization=SHARE_92,
        ),
        VersionRules(
            read=("0.28.0", "0.29.0", "0.31.0", "0.33.0"),
            admission=WHOLE_PROMPT,
            prefix_caching=CACHING,
            async_scheduling=ASYNC_ON,
            batch=_THREE_CLASSES,
            utilization=SHARE_92,
        ),
    ),
)
