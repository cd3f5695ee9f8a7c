"""vLLM-Ascend: images, devices and variables of NPU servers, and how phases are joined.

From its documentation of 0.23 (docs/source/tutorials: pd_disaggregation_mooncake_multi_node.md and
those of models) and its examples (external_online_dp, disaggregated_prefill_v1).
"""

from collections.abc import Iterator
from typing import Any

from specc.ir import Phase
from specc.outputs.launch.base import CannotLaunchError, Group, LaunchPlan, LaunchSetting

PROXY = "examples/disaggregated_prefill_v1/load_balance_proxy_server_example.py"
CONNECTOR = "MooncakeConnectorV1"
# Mooncake takes ports of 20000 + 1000 · NPUs of a server at random; the KV port lies beyond.
_FIRST_PORT, _PORTS_OF_NPU = 20_000, 1_000
PORTS_OF_INSTANCE = 100
_BUFFER = {Phase.WHOLE: "512", Phase.PREFILL: "256", Phase.DECODE: "600"}  # MiB


def image(group: Group) -> str:
    """Return the image of a version; empty where it is not known which one a device needs."""
    ending = _ending(group)
    if ending is None:
        return ""
    return f"quay.io/ascend/vllm-ascend:v{group.flags.version}{ending}"


def _ending(group: Group) -> str | None:
    device = group.device
    if "310p" in device.name:
        return "-310p"
    if device.dies_per_card == 2 and "a3" in device.name:
        return "-a3"
    return "" if "_a2_" in device.name else None


def environment(plan: LaunchPlan, group: Group) -> Iterator[LaunchSetting]:
    """Yield the variables of an engine, without those of addresses."""
    yield LaunchSetting("OMP_PROC_BIND", "false", "the engine binds its threads itself")
    yield LaunchSetting("OMP_NUM_THREADS", "10", "threads of a rank, as in the guides")
    yield LaunchSetting("PYTORCH_NPU_ALLOC_CONF", "expandable_segments:True", "less fragmentation")
    yield LaunchSetting("TASK_QUEUE_ENABLE", "1", "operators are launched by a second thread")
    yield LaunchSetting(
        "HCCL_OP_EXPANSION_MODE", "AIV", "collectives are scheduled on vector cores"
    )
    if group.instance.layout.ep > 1 or group.phases_apart:
        why = f"MiB of a buffer of HCCL, as in the guides for {_TITLES[group.phase]}"
        yield LaunchSetting("HCCL_BUFFSIZE", _BUFFER[group.phase], why)
    if group.instance.engine.redundant_experts and "DYNAMIC_EPLB" in group.flags.environment:
        yield LaunchSetting("DYNAMIC_EPLB", "true", "copies of much used experts, as planned")
    if group.flags.version.startswith("0.18") and group.instance.engine.sequence_parallel:
        yield LaunchSetting(
            "VLLM_ASCEND_ENABLE_FLASHCOMM1", "1", "sequence parallelism, as planned"
        )


_TITLES = {
    Phase.WHOLE: "experts on all ranks",
    Phase.PREFILL: "prefill",
    Phase.DECODE: "decode",
}


def kv_transfer(plan: LaunchPlan, group: Group) -> dict[str, Any]:
    """Return the connector of an instance; its port and its engine_id are filled in by scripts.

    Raises:
        CannotLaunchError: the connector cannot join these layouts.
    """
    prefill, decode = (one.instance.layout for one in plan.groups)
    if prefill.tp % decode.tp:
        raise CannotLaunchError(
            f"prefill has TP = {prefill.tp}, decode TP = {decode.tp}",
            why=f"{CONNECTOR} needs a prefill TP that the decode TP divides",
            help="name another configuration (--configuration N), or set both in the spec",
        )
    if prefill.pp > 1 or decode.pp > 1:
        raise CannotLaunchError(
            "pipeline stages with prefill and decode apart are not written",
            help="name another configuration: --configuration N",
        )
    return {
        "kv_connector": CONNECTOR,
        "kv_role": "kv_producer" if group.phase is Phase.PREFILL else "kv_consumer",
        "kv_connector_extra_config": {
            "prefill": {"dp_size": prefill.dp, "tp_size": prefill.tp},
            "decode": {"dp_size": decode.dp, "tp_size": decode.tp},
        },
    }


def first_kv_port(group: Group) -> int:
    """Return the port of the first instance of a role."""
    first = _FIRST_PORT + _PORTS_OF_NPU * max(8, group.per_server)
    return first if group.phase is Phase.PREFILL else first + 10 * PORTS_OF_INSTANCE


def volumes() -> list[str]:
    """Return what containers need of a server, besides its devices."""
    return [
        "/usr/local/dcmi",
        "/usr/local/Ascend/driver/tools/hccn_tool",
        "/usr/local/bin/npu-smi",
        "/usr/local/Ascend/driver/lib64",
        "/usr/local/Ascend/driver/version.info",
        "/etc/ascend_install.info",
        "/etc/hccn.conf",
    ]


def devices(group: Group) -> list[str]:
    """Return the device files of a server."""
    own = [f"/dev/davinci{number}" for number in range(group.per_server)]
    return [*own, "/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc"]


def resource(group: Group) -> str:
    """Return the name of a device by the device plugin of MindCluster."""
    return f"huawei.com/Ascend{'310P' if '310p' in group.device.name else '910'}"
