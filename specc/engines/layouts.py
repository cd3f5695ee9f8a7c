"""Which layouts an engine launches: integer rules over the sizes of a layout.

Read for vLLM in the wheel of 0.33.0, for vLLM-Ascend in its documentation of 0.23, for SGLang in
the wheel of 0.5.23, for MindIE-LLM in the arguments of its model runner (commit 653bca61). They
hold for every version here: older ones were not read for this.
"""

from collections.abc import Callable

from specc.ir import Deployment, Software, Vendor
from specc.ir.layout import Layout

# Says of a layout which size cannot be launched, and why; empty if all can. The engine is the
# subject of what follows the colon.
LaunchRule = Callable[[Layout], tuple[str, str]]

_FINE = ("", "")


def experts_on_all_ranks(layout: Layout) -> tuple[str, str]:
    """No EP size: experts lie on all ranks of TP · CP · DP, or each is split over them.

    vLLM config/parallel.py: `enable_expert_parallel` alone; vllm-ascend issues 2603 and 2611.
    """
    placed = (layout.ep, layout.moe_tp, layout.moe_dp)
    without_experts, ranks = placed == (1, 1, 1), layout.stage
    if without_experts or placed[:2] in {(ranks, 1), (1, ranks)}:
        return _FINE
    return (
        f"EP = {layout.ep}",
        f"has no EP size; experts lie on all {layout.stage} ranks of a stage, or each is split "
        "over them",
    )


def one_copy_of_experts(layout: Layout) -> tuple[str, str]:
    """All replicas of an instance share the experts; copies of them are instances of their own."""
    if layout.moe_dp == 1:
        return _FINE
    return f"MOE-DP = {layout.moe_dp}", "has one copy of the experts in an instance"


def copies_with_context(layout: Layout) -> tuple[str, str]:
    """Copies of the experts go with as many ranks that share a prompt, and whole experts.

    SGLang srt/arg_groups/parallel_hook.py: `attn_cp_size` equals `moe_dp_size` unless that is 1,
    then `ep_size` · `moe_dp_size` is `tp_size` unless `ep_size` is 1, and there is one stage.
    """
    if layout.moe_dp == 1:
        return _FINE
    whole = layout.ep == 1 or layout.moe_tp == 1
    if layout.moe_dp == layout.cp and layout.pp == 1 and whole:
        return _FINE
    return (
        f"MOE-DP = {layout.moe_dp}",
        "has copies of the experts only with CP = MOE-DP, PP = 1 and MOE-TP = 1",
    )


def no_shared_prompts(layout: Layout) -> tuple[str, str]:
    """Prefill context parallelism stays 1 (vllm-ascend, context_parallel.md)."""
    return _FINE if layout.cp == 1 else (f"CP = {layout.cp}", "has no prefill context parallelism")


def no_shared_contexts(layout: Layout) -> tuple[str, str]:
    """There is no decode context parallelism (MindIE-LLM: tp, dp, sp, cp, moe_tp, moe_ep)."""
    return (
        _FINE if layout.dcp == 1 else (f"DCP = {layout.dcp}", "has no decode context parallelism")
    )


def contexts_over_whole_axes(layout: Layout) -> tuple[str, str]:
    """With CP, decode shares a context over the CP ranks or over all of TP · CP.

    vLLM config/parallel.py: `decode_context_parallel_size` is 1, PCP, or TP · PCP; of 1 every CP
    rank has the whole cache, which is no layout here.
    """
    if layout.cp == 1 or layout.dcp in (1, layout.tp):
        return _FINE
    return f"DCP = {layout.dcp}", f"has DCP = 1 or DCP = TP where CP is {layout.cp}"


def no_stages(layout: Layout) -> tuple[str, str]:
    """There is no argument for pipeline stages (MindIE-LLM, ModelRunner)."""
    return _FINE if layout.pp == 1 else (f"PP = {layout.pp}", "has no pipeline parallelism")


def splits_shared_experts(deployment: Deployment, layout: Layout) -> bool:
    """Say whether shared experts are split over the tensor-parallel ranks of a layout.

    What the spec says counts. vLLM splits them unless ranks route slices of the tokens
    (config/parallel.py, use_sequence_parallel_moe: experts on all ranks, TP and DP above 1);
    vLLM-Ascend does unless additional_config has enable_shared_expert_dp.
    """
    said = deployment.experts.shard_shared
    if said is not None:
        return said
    if deployment.fitted is None:
        return False
    match deployment.engine.software:
        case Software.VLLM_ASCEND:
            return True
        case Software.VLLM:
            return layout.ep == 1 or layout.tp == 1 or layout.dp == 1
        case _:
            return False


def splits_indexing(deployment: Deployment) -> bool:
    """Say whether tensor-parallel ranks share the prompt tokens that an indexer scores.

    vLLM and others compute all scores on every rank (vLLM issue 53691). On NPUs vLLM-Ascend (pull
    requests 4702 and 5702, DSA-CP), SGLang (pull request 39099: on by default) and the recipes of
    CANN (docs of DeepSeek-V3.2: context parallelism in prefill) give each rank a slice of them.
    """
    if deployment.fitted is None:
        return False
    match deployment.engine.software:
        case Software.VLLM_ASCEND | Software.CANN_RECIPES:
            return True
        case Software.SGLANG:
            return deployment.device.vendor is Vendor.HUAWEI
        case _:
            return False
