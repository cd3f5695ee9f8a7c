"""vLLM on Ascend NPUs: the plugin has the version of the vLLM whose scheduler it runs.

Read in the published wheels of the versions in `read`. Its platform class does not say how much
memory a device has (`get_device_total_memory` is that of vLLM, which raises NotImplementedError;
since vllm-ascend pull request 10711 on purpose), and vLLM then takes the defaults of its smallest
class: 2048 tokens and 256 sequences on every NPU. 0.9.1 is left out: it turns off chunked prefill
for most models.
"""

from typing import TypeVar

from specc.engines.base import EngineHistory, Sourced, VersionRules
from specc.engines.layouts import experts_on_all_ranks, no_shared_prompts, one_copy_of_experts
from specc.engines.vllm import (
    ASYNC_OFF,
    ASYNC_ON,
    FIRST_CHUNK,
    SHARE_90,
    SHARE_92,
    SMALL,
    WHOLE_PROMPT,
)
from specc.ir import Software, Vendor

T = TypeVar("T")


def _of_vllm(fact: Sourced[T]) -> Sourced[T]:
    return Sourced(fact.value, f"with the vllm of the same version: {fact.source}")


_CACHING = Sourced(True, "vllm engine/arg_utils.py; vllm_ascend/platform.py does not change it")
_BATCH = Sourced(
    (SMALL,),
    "vllm engine/arg_utils.py: the class of a device whose memory is not known, as "
    "vllm_ascend/platform.py does not implement get_device_total_memory",
)

VLLM_ASCEND = EngineHistory(
    software=Software.VLLM_ASCEND,
    package="vllm-ascend",
    vendors=(Vendor.HUAWEI,),
    launches=(one_copy_of_experts, experts_on_all_ranks, no_shared_prompts),
    # docs/source/user_guide/support_matrix/supported_models.md, commit 015748ce: models with a
    # mark under "Pipeline Parallel" (DeepSeek V3, R1, V3.2, GLM-5).
    staged=("DeepseekV3ForCausalLM", "DeepseekV32ForCausalLM", "GlmMoeDsaForCausalLM"),
    versions=(
        VersionRules(
            read=("0.11.0", "0.12.0rc1", "0.13.0"),
            admission=_of_vllm(FIRST_CHUNK),
            prefix_caching=_CACHING,
            async_scheduling=_of_vllm(ASYNC_OFF),
            batch=_BATCH,
            utilization=_of_vllm(SHARE_90),
            hybrid_caching=False,
        ),
        VersionRules(  # the vllm of 0.15 to 0.17 was not read: as that of 0.14 with stages
            read=("0.14.0rc1", "0.15.0rc1", "0.16.0rc1", "0.17.0rc1"),
            admission=_of_vllm(FIRST_CHUNK),
            prefix_caching=_CACHING,
            async_scheduling=_of_vllm(ASYNC_ON),
            batch=_BATCH,
            utilization=_of_vllm(SHARE_90),
            hybrid_caching=False,
            async_with_stages=False,
        ),
        VersionRules(
            read=("0.18.0",),
            admission=_of_vllm(FIRST_CHUNK),
            prefix_caching=_CACHING,
            async_scheduling=_of_vllm(ASYNC_ON),
            batch=_BATCH,
            utilization=_of_vllm(SHARE_90),
            hybrid_caching=False,
        ),
        VersionRules(
            read=("0.19.1rc1",),
            admission=_of_vllm(WHOLE_PROMPT),
            prefix_caching=_CACHING,
            async_scheduling=_of_vllm(ASYNC_ON),
            batch=_BATCH,
            utilization=_of_vllm(SHARE_90),
            hybrid_caching=False,
        ),
        VersionRules(
            read=("0.23.0",),
            admission=_of_vllm(WHOLE_PROMPT),
            prefix_caching=_CACHING,
            async_scheduling=_of_vllm(ASYNC_ON),
            batch=_BATCH,
            utilization=_of_vllm(SHARE_92),
            hybrid_caching=False,
        ),
    ),
)
