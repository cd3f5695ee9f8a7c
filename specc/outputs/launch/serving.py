"""A configuration as flags of `vllm serve`, each with its reason.

Flags and their meaning are those of vLLM 0.18 to 0.33 and of vLLM-Ascend 0.18 to 0.23; each that is
written is looked up in the list of its version.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from specc.engines import scheduling_of
from specc.ir import Phase, Quantisation, Queue, Scheduler
from specc.outputs.launch.base import CannotLaunchError, Group, LaunchPlan, LaunchSetting

_SEED = "1024"
_PROMPTS = 256  # that a rank which prefills has begun, as the default of the engine on NPUs
_MOST_SIZES = 24  # of graphs that are captured
_CHECKPOINT = {  # formats that a checkpoint of msModelSlim has on NPUs
    Quantisation.W8A8,
    Quantisation.W8A8_DYNAMIC,
    Quantisation.W4A8,
    Quantisation.W4A16,
}


def settings_of(plan: LaunchPlan, group: Group) -> tuple[LaunchSetting, ...]:
    """Return the flags of an instance, without those of addresses and of its place.

    Raises:
        CannotLaunchError: the version of the engine has no such flag.
    """
    found = tuple(
        setting
        for part in (_layout, _limits, _memory, _formats, _scheduling, _drafts, _graphs, _more)
        for setting in part(plan, group)
    )
    for setting in found:
        if setting.name not in group.flags.serve:
            raise CannotLaunchError(
                f"{group.software.value} {group.flags.version} has no flag {setting.name}",
                help="name another version: engine { version = … }",
            )
    return found


def _layout(_plan: LaunchPlan, group: Group) -> Iterator[LaunchSetting]:
    layout = group.instance.layout
    why = f"the layout: {group.instance.parallel}"
    yield LaunchSetting("--tensor-parallel-size", str(layout.tp), why)
    if layout.pp > 1:
        yield LaunchSetting("--pipeline-parallel-size", str(layout.pp), why)
    if layout.dcp > 1:
        yield LaunchSetting("--decode-context-parallel-size", str(layout.dcp), why)
    if layout.ep > 1:
        why = (
            f"EP = {layout.ep}: experts lie on all ranks of TP and DP; there is no size of its own"
        )
        yield LaunchSetting("--enable-expert-parallel", None, why)


def _limits(plan: LaunchPlan, group: Group) -> Iterator[LaunchSetting]:
    engine, new = group.instance.engine, 1 + group.instance.engine.drafted
    sequences = engine.max_sequences * group.instance.layout.pp
    longest = min(one.instance.engine.max_model_length for one in plan.groups)
    yield LaunchSetting(
        "--max-model-len",
        str(longest),
        "tokens of prompt and output together that the model takes and the KV cache holds",
    )
    why = (
        "requests that a data-parallel rank runs at a time, as planned; others wait, and that is "
        "in TTFT"
    )
    if group.phase is Phase.PREFILL:
        sequences = max(sequences, _PROMPTS)
        why = "the tokens of a step limit its prompts, as planned, not their number"
    yield LaunchSetting("--max-num-seqs", str(sequences), why)
    budget = engine.chunk_budget
    why = "new tokens of a step, as planned"
    if group.phase is Phase.DECODE:
        budget = capture_sizes(sequences, new, _multiple(group))[-1]
        why = "a step decodes only: sequences times (1 + drafted tokens)"
    yield LaunchSetting("--max-num-batched-tokens", str(max(budget, sequences * new)), why)
    threshold = group.deployment.engine.long_prefill_token_threshold
    if threshold is not None:
        why = "most new tokens of one prompt in a step, as planned"
        yield LaunchSetting("--long-prefill-token-threshold", str(threshold), why)
    yield LaunchSetting("--block-size", str(engine.block_size), "tokens of a block of the KV cache")


def _memory(_plan: LaunchPlan, group: Group) -> Iterator[LaunchSetting]:
    share, why = memory_share(group)
    yield LaunchSetting("--gpu-memory-utilization", share, why)


def memory_share(group: Group) -> tuple[str, str]:
    """Return the share of the memory of a device that an engine takes, and why."""
    engine, own = group.instance.engine, group.deployment.engine
    if engine.memory_utilization is not None:
        share, why = engine.memory_utilization, "as planned"
    elif own.reserved_memory is not None:
        seen = group.deployment.memory
        share = (seen - own.reserved_memory) / seen / engine.per_device
        why = f"what a reserve of {own.reserved_memory / 2**30:.3g} GiB leaves"
    else:
        from specc.engines import rules_of

        rules = rules_of(own.software, own.version)
        share = (rules.utilization or 0.9) / engine.per_device
        why = "the default of the engine, written down"
    return f"{int(share * 1000) / 1000:g}", f"share of the memory of a device: {why}"


def _formats(_plan: LaunchPlan, group: Group) -> Iterator[LaunchSetting]:
    deployment = group.deployment
    if group.is_npu and deployment.usual_format in _CHECKPOINT:
        why = f"{deployment.usual_format.value}: a checkpoint of msModelSlim says its own formats"
        yield LaunchSetting("--quantization", "ascend", why)
    elif (
        deployment.usual_format is Quantisation.FP8
        and deployment.model.weights in (None, Quantisation.BF16)
        and not group.is_npu
    ):
        why = "fp8: weights of 16 bits are converted when they are loaded"
        yield LaunchSetting("--quantization", "fp8", why)
    cache = deployment.formats.kv_cache.value
    if not group.is_npu and cache not in ("bf16", "fp8"):
        raise CannotLaunchError(
            f"{group.software.value} has no KV cache of {cache}",
            help="formats { kv_cache = fp8 }, or leave it out",
        )
    if not group.is_npu and cache != "bf16":
        yield LaunchSetting("--kv-cache-dtype", cache, "the format of the KV cache, as planned")


def _scheduling(plan: LaunchPlan, group: Group) -> Iterator[LaunchSetting]:
    engine, workload = group.deployment.engine, plan.study.workload
    drafts = group.instance.engine.drafted > 0
    known = scheduling_of(
        engine,
        engine.scheduler,
        model=group.deployment.model,
        stages=group.instance.layout.pp,
        drafts=drafts,
    )
    if group.phase is Phase.DECODE:
        why = "prompts come with their cache; as in the guides"
        yield LaunchSetting("--no-enable-prefix-caching", None, why)
    elif workload.has_hits or known.prefix_caching:
        hits = "the plan counts on hits in the prefix cache"
        why = hits if workload.has_hits else "as simulated"
        yield LaunchSetting("--enable-prefix-caching", None, why)
    else:
        yield LaunchSetting("--no-enable-prefix-caching", None, "as simulated")
    if not drafts:
        name = "--async-scheduling" if known.async_scheduling else "--no-async-scheduling"
        yield LaunchSetting(name, None, "as simulated")
    if engine.queue is Queue.PRIORITY:
        yield LaunchSetting("--scheduling-policy", "priority", "classes have priorities")


def _drafts(plan: LaunchPlan, group: Group) -> Iterator[LaunchSetting]:
    engine = group.instance.engine
    if not engine.drafted:
        decode = plan.groups[-1].instance.engine
        if group.phase is Phase.PREFILL and decode.drafted and decode.draft_model is None:
            value: dict[str, Any] = {"method": "mtp", "num_speculative_tokens": 1}
            why = "decode drafts: the cache of its draft layers comes from here"
            yield LaunchSetting("--speculative-config", json.dumps(value), why)
        return
    if engine.draft_model is None:
        value = {"method": "mtp", "num_speculative_tokens": engine.drafted}
        tokens = "1 drafted token" if engine.drafted == 1 else f"{engine.drafted} drafted tokens"
        why = f"{tokens} a step by the model's own layers, as planned"
        yield LaunchSetting("--speculative-config", json.dumps(value), why)
    else:
        value = {"method": "draft_model", "num_speculative_tokens": engine.drafted, "model": ""}
        text = json.dumps(value).replace('"model": ""', '"model": "\'"$DRAFT_MODEL"\'"')
        why = f"{engine.drafted} tokens a step drafted by {engine.draft_model}, as planned"
        mounted = json.dumps({**value, "model": "/draft"})
        yield LaunchSetting("--speculative-config", f"'{text}'", why, raw=True, mounted=mounted)


def _graphs(_plan: LaunchPlan, group: Group) -> Iterator[LaunchSetting]:
    engine = group.instance.engine
    if engine.execution == "eager" or group.phase is Phase.PREFILL:
        why = "as planned" if engine.execution == "eager" else "steps of prompts are not captured"
        yield LaunchSetting("--enforce-eager", None, why)
    elif group.is_npu:
        value = {
            "cudagraph_mode": "FULL_DECODE_ONLY",
            "cudagraph_capture_sizes": capture_sizes(
                engine.max_sequences * group.instance.layout.pp,
                1 + engine.drafted,
                _multiple(group),
            ),
        }
        yield LaunchSetting(
            "--compilation-config",
            json.dumps(value),
            "decode steps run as captured graphs, up to the full batch"
            + (f"; sizes are multiples of {1 + engine.drafted}" if engine.drafted else ""),
        )


def _multiple(group: Group) -> int:
    """Return what tokens of a step are a multiple of: ranks of TP that share them have as many."""
    shared = group.is_npu and group.instance.engine.sequence_parallel
    return group.instance.layout.tp if shared else 1


def capture_sizes(sequences: int, new: int, multiple: int = 1) -> list[int]:
    """Return batch sizes of captured graphs, in tokens: with `new` tokens of each sequence.

    They are dense where steps are short, end with the full batch, and are multiples of what is
    asked: vLLM-Ascend leaves out those that are not (platform.py of 0.18 and 0.23).
    """
    sizes = [n for n in (1, 2, 4) if n < sequences]
    step = 8
    while step < sequences and len(sizes) < _MOST_SIZES - 1:
        sizes.append(step)
        step += 8 if step < 64 else step // 4 // 8 * 8
    unit = math.lcm(new, multiple)
    return sorted({-(-new * n // unit) * unit for n in (*sizes, sequences)})


def _more(plan: LaunchPlan, group: Group) -> Iterator[LaunchSetting]:
    own = dict(_additional(group))
    if own:
        reasons = "; ".join(dict.fromkeys(_WHY[name] for name in own))
        yield LaunchSetting("--additional-config", json.dumps(own), reasons)
    yield LaunchSetting("--seed", _SEED, "the same seed on all ranks")
    yield LaunchSetting("--served-model-name", plan.deployment.model.name, "what clients ask for")


_WHY: Mapping[str, str] = {
    "enable_flashcomm1": "sequence parallelism, as planned",
    "enable_matmul_allreduce": "the all-reduce runs within the GEMM, as planned",
    "enable_shared_expert_dp": "shared experts are whole on each rank, as planned",
    "eplb_config": "copies of much used experts, as planned",
    "recompute_scheduler_enable": "a request whose cache is lost is computed again by prefill",
}


def _additional(group: Group) -> Iterator[tuple[str, Any]]:
    """Yield keys of `--additional-config` of vLLM-Ascend that its version has."""
    if not group.is_npu:
        return
    engine, layout, known = group.instance.engine, group.instance.layout, group.flags.additional
    wanted: dict[str, tuple[bool, Any]] = {
        "enable_flashcomm1": (engine.sequence_parallel, True),
        "enable_matmul_allreduce": (engine.fuse_all_reduce, True),
        "enable_shared_expert_dp": (layout.ep > 1 and not engine.shard_shared, True),
        "eplb_config": (
            engine.redundant_experts > 0,
            {"dynamic_eplb": True, "num_redundant_experts": engine.redundant_experts},
        ),
        "recompute_scheduler_enable": (group.phase is Phase.DECODE, True),
    }
    for name, (is_wanted, value) in wanted.items():
        if is_wanted and name in known:
            yield name, value


def differences(plan: LaunchPlan, group: Group) -> Iterator[str]:
    """Yield what the plan assumes and no flag can ask for."""
    engine, own = group.instance.engine, group.deployment.engine
    if own.scheduler not in (None, Scheduler.DECODE_FIRST):
        yield (
            f"the plan schedules {own.scheduler.value}; the engine decodes first and takes prompts "
            "in chunks"
        )
    if own.prefill_admission is not None:
        admitted = own.prefill_admission
        yield f"the plan admits {admitted} prompts a step; the engine has no such limit"
    if engine.micro_batches > 1:
        yield f"the plan cuts prefill into {engine.micro_batches} micro-batches"
    if engine.two_streams:
        yield "the plan overlaps two micro-batches; --enable-dbo is the nearest of vLLM"
    if group.is_npu and group.deployment.formats.kv_cache.value != "bf16":
        yield (
            f"a KV cache of {group.deployment.formats.kv_cache.value} comes with the checkpoint of "
            "msModelSlim: quantise the KV cache with it"
        )
    if not group.is_npu:
        yield from _left_out(group)
    for name, is_wanted in (
        ("enable_flashcomm1", engine.sequence_parallel),
        ("enable_matmul_allreduce", engine.fuse_all_reduce),
    ):
        by_variable = name == "enable_flashcomm1" and group.flags.version.startswith("0.18")
        if is_wanted and group.is_npu and not by_variable and name not in group.flags.additional:
            yield f"{_WHY[name]}: {group.flags.version} has no '{name}' in --additional-config"
    if plan.study.workload.has_hits and group.phase is not Phase.DECODE:
        yield (
            "the hit rate of the prefix cache is an assumption of the plan: the load test sends "
            "prompts with common beginnings so that they have it"
        )


def _left_out(group: Group) -> Iterator[str]:
    """Yield what vLLM on NVIDIA is not asked for, though the plan has it."""
    engine, usual = group.instance.engine, group.deployment.usual_format
    weights = group.deployment.model.weights
    if usual not in (Quantisation.BF16, Quantisation.FP8, weights):
        yield f"MODEL is a checkpoint with weights of {usual.value}: no flag makes one"
    if engine.redundant_experts:
        yield (
            f"the plan has {engine.redundant_experts} redundant experts; --enable-eplb and its "
            "configuration are left to you"
        )
    if group.instance.layout.ep > 1 and not engine.shard_shared:
        yield "the plan keeps shared experts whole on each rank; the engine decides that itself"
    for name, is_wanted in (
        ("sequence parallelism", engine.sequence_parallel),
        ("all-reduces within GEMMs", engine.fuse_all_reduce),
    ):
        if is_wanted:
            yield f"the plan has {name}: a pass of --compilation-config, which is left to you"
