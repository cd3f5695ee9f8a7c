"""SGLang. Read in the published wheels of the versions in `read`, for NPUs where they differ.

Its budget `chunked_prefill_size` counts new tokens of prompts alone. How many requests run follows
from the memory of the cache, so there is no default for it. Its overlap scheduler is what is called
asynchronous scheduling here, its radix cache prefix caching; it keeps single tokens, not blocks.
"""

from specc.engines.base import EngineHistory, MemoryClass, Sourced, VersionRules
from specc.engines.layouts import copies_with_context
from specc.ir import Admission, Software, Vendor

_MIB, _GIB = 2**20, 2**30

_ADMISSION = Sourced(
    Admission.WHOLE_PROMPT,
    "srt/managers/schedule_policy.py, add_one_req: the whole prompt and some of its output, up to "
    "a cap, which is left out here",
)
_CACHING = Sourced(True, "srt/server_args.py: disable_radix_cache = False")
_OVERLAP_OFF = Sourced(False, "srt/server_args.py: enable_overlap_schedule = False")
_OVERLAP_ON = Sourced(True, "srt/server_args.py: disable_overlap_schedule = False")

_BUDGET = "srt/server_args.py: chunked_prefill_size"
_ONE_CLASS = Sourced((MemoryClass(chunk_budget=8192),), f"{_BUDGET} = 8192")
_BELOW_25_000 = Sourced(
    (
        MemoryClass(chunk_budget=2048),
        MemoryClass(at_least=25_000 * _MIB, chunk_budget=8192),
    ),
    f"{_BUDGET} = 8192, below 25 000 MiB 2048 (0.4.7: above 180 000 MiB 16384)",
)
_BELOW_35 = Sourced(
    (
        MemoryClass(chunk_budget=2048),
        MemoryClass(at_least=35 * _GIB, chunk_budget=8192),
        MemoryClass(at_least=160 * _GIB, chunk_budget=16384),
    ),
    f"{_BUDGET} = 2048 below 35 GiB, 16384 from 160 GiB on, else 8192",
)
_BELOW_60 = Sourced(
    (
        MemoryClass(chunk_budget=2048),
        MemoryClass(at_least=35 * _GIB, chunk_budget=4096),
        MemoryClass(at_least=60 * _GIB, chunk_budget=8192),
        MemoryClass(at_least=160 * _GIB, chunk_budget=16384),
    ),
    f"{_BUDGET} = 2048 below 35 GiB, 4096 below 60 GiB, 16384 from 160 GiB on, else 8192",
)
# An NPU of 32 or 64 GiB reports somewhat less, which the bounds of the source suppose.
_LARGE_ON_NPU = Sourced(
    (
        MemoryClass(chunk_budget=32768),
        MemoryClass(at_least=64 * _GIB + 1, chunk_budget=8192),
        MemoryClass(at_least=160 * _GIB, chunk_budget=16384),
    ),
    f"{_BUDGET} = 32768 on an NPU of 32 or 64 GiB (by its comments Atlas A2 and A3), else 8192 and "
    "from 160 GiB on 16384",
)
_OF_NPU = Sourced(
    (
        MemoryClass(chunk_budget=4096),
        MemoryClass(at_least=32 * _GIB + 1, chunk_budget=8192),
        MemoryClass(at_least=160 * _GIB, chunk_budget=16384),
    ),
    "srt/hardware_backend/npu/utils.py, set_default_server_args: chunked_prefill_size = 4096 up to "
    "32 GiB, 8192 up to 64 GiB; above as on a GPU, 8192 and from 160 GiB on 16384",
)

SGLANG = EngineHistory(
    software=Software.SGLANG,
    package="sglang",
    vendors=(Vendor.HUAWEI, Vendor.NVIDIA, Vendor.AMD),
    launches=(copies_with_context,),
    counts_all="--max-running-requests",  # srt/arg_groups/fields/schedule.py
    versions=(
        VersionRules(
            read=("0.3.5",),
            admission=_ADMISSION,
            prefix_caching=_CACHING,
            async_scheduling=_OVERLAP_OFF,
            batch=_ONE_CLASS,
        ),
        VersionRules(
            read=("0.3.6", "0.4.0", "0.4.6", "0.4.7"),
            admission=_ADMISSION,
            prefix_caching=_CACHING,
            async_scheduling=_OVERLAP_ON,
            batch=_BELOW_25_000,
        ),
        VersionRules(
            read=("0.4.8", "0.4.10", "0.5.1", "0.5.2"),
            admission=_ADMISSION,
            prefix_caching=_CACHING,
            async_scheduling=_OVERLAP_ON,
            batch=_BELOW_35,
        ),
        VersionRules(
            read=("0.5.3",),
            admission=_ADMISSION,
            prefix_caching=_CACHING,
            async_scheduling=_OVERLAP_ON,
            batch=_BELOW_60,
        ),
        VersionRules(
            read=("0.5.4", "0.5.5", "0.5.6"),
            admission=_ADMISSION,
            prefix_caching=_CACHING,
            async_scheduling=_OVERLAP_ON,
            batch=_LARGE_ON_NPU,
        ),
        VersionRules(
            read=("0.5.7", "0.5.8", "0.5.9", "0.5.10", "0.5.23"),
            admission=_ADMISSION,
            prefix_caching=_CACHING,
            async_scheduling=_OVERLAP_ON,
            batch=_OF_NPU,
        ),
    ),
)
