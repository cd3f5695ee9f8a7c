"""MindIE Motor: user_config.json for prefill and decode apart, with vLLM-Ascend as the engine.

The form "v2.0" of the repository Ascend/MindIE-Motor, examples/infer_engines (commits 78914877 and
6b19ae75) and its documentation of the fields: `engine_config` holds the flags of `vllm serve`.
Motor drops flags that are false, so what is off is a flag "no-…" that is true; it fills in ports,
roles and engine_id itself. The wheel 3.0.0b2 reads an older form, with `model_config`.
"""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

from specc.outputs.launch import scripts
from specc.outputs.launch.base import CannotLaunchError, Group, LaunchPlan
from specc.outputs.launch.serving import settings_of

_MOST_INSTANCES = 16
_HARDWARE = {"a3": "800I_A3", "a2": "800I_A2"}
# Flags that say where an instance is, or that Motor knows under names of its own.
_UNDERSCORED = (
    "--tensor-parallel-size",
    "--data-parallel-size",
    "--served-model-name",
    "--enable-expert-parallel",
    "--gpu-memory-utilization",
    "--quantization",
    "--seed",
)


def files(plan: LaunchPlan, engine: ModuleType, templates: Path | None) -> dict[str, str]:
    """Return the configuration of Motor, the load test, and a README.

    Raises:
        CannotLaunchError: prefill and decode are not apart, or not on NPUs.
    """
    if not plan.apart or not all(group.is_npu for group in plan.groups):
        raise CannotLaunchError(
            "MindIE Motor launches prefill and decode apart, on NPUs",
            help="name a configuration with both phases apart, or choose another --target",
        )
    found = scripts.load_files(plan, engine, templates)
    found["user_config.json"] = json.dumps(_user_config(plan, engine), indent=2) + "\n"
    found["env.json"] = json.dumps(_environment(plan, engine), indent=2) + "\n"
    found["README.md"] = scripts.readme(plan, engine, templates, "motor", found)
    return found


def _user_config(plan: LaunchPlan, engine: ModuleType) -> dict[str, Any]:
    prefill, decode = plan.groups
    version = prefill.flags.version
    for group in plan.groups:
        if group.instance.count > _MOST_INSTANCES:
            raise CannotLaunchError(
                f"{group.instance.count} {group.role} instances are more than MindIE Motor takes",
                why=f"p_instances_num and d_instances_num are at most {_MOST_INSTANCES}",
                help="choose --target shell or kubernetes",
            )
    return {
        "version": "v2.0",
        "motor_deploy_config": {
            "p_instances_num": prefill.instance.count,
            "d_instances_num": decode.instance.count,
            "single_p_instance_pod_num": prefill.servers,
            "single_d_instance_pod_num": decode.servers,
            "p_pod_npu_num": prefill.instance.devices // prefill.servers,
            "d_pod_npu_num": decode.instance.devices // decode.servers,
            "image_name": f"SET-ME: an image with MindIE Motor and vllm-ascend {version}",
            "job_id": plan.name,
            "hardware_type": _hardware(prefill),
            "weight_mount_path": "SET-ME: the folder of the weights on each server",
        },
        "motor_controller_config": {},
        "motor_coordinator_config": {},
        "motor_engine_prefill_config": _engine(plan, engine, prefill),
        "motor_engine_decode_config": _engine(plan, engine, decode),
    }


def _hardware(group: Group) -> str:
    name = group.device.name
    found = next((text for key, text in _HARDWARE.items() if f"_{key}_" in name), None)
    if found is None:
        raise CannotLaunchError(
            f"no hardware_type of MindIE Motor is known for '{name}'",
            help="choose --target shell or kubernetes",
        )
    return found


def _engine(plan: LaunchPlan, engine: ModuleType, group: Group) -> dict[str, Any]:
    config: dict[str, Any] = {
        "model": "SET-ME: the folder of the weights in the container",
        "data_parallel_size": group.instance.layout.dp,
        "data_parallel_rpc_port": 13389,
    }
    for setting in settings_of(plan, group):
        key = setting.name[2:]
        if setting.name in _UNDERSCORED:
            key = key.replace("-", "_")
        config[key] = _value(setting.mounted or setting.value)
        if setting.mounted:
            config[key]["model"] = "SET-ME: the folder of the draft model in the container"
    config["kv_transfer_config"] = {
        **engine.kv_transfer(plan, group),
        "kv_port": str(engine.first_kv_port(group)),
    }
    return {"engine_type": "vllm", "engine_config": config}


def _value(text: str | None) -> Any:
    if text is None:
        return True
    try:
        return json.loads(text)
    except ValueError:
        return text


def _environment(plan: LaunchPlan, engine: ModuleType) -> dict[str, Any]:
    return {
        "version": "2.0.0",
        "motor_common_env": {"CANN_INSTALL_PATH": "/usr/local/Ascend"},
        "motor_controller_env": {},
        "motor_coordinator_env": {},
        **{
            f"motor_engine_{group.role}_env": {
                setting.name: setting.value for setting in engine.environment(plan, group)
            }
            for group in plan.groups
        },
    }
