"""The configuration of MindIE Motor: instances that prefill and instances that decode."""

import json
from collections.abc import Mapping
from typing import Any

from specc.imports import vllm
from specc.imports.base import Imported, ImportFailedError

_ROLES = {
    "motor_engine_prefill_config": ("prefill", "p_instances_num"),
    "motor_engine_decode_config": ("decode", "d_instances_num"),
    "motor_engine_union_config": ("whole", "hybrid_instances_num"),
}
_ASCEND = {"ASCEND_RT_VISIBLE_DEVICES": ""}
_OLDER = {
    "tp_size": "tensor-parallel-size",
    "dp_size": "data-parallel-size",
    "pp_size": "pipeline-parallel-size",
    "enable_ep": "enable-expert-parallel",
}


def fits(data: Any) -> bool:
    """Say whether an object is such a configuration."""
    return isinstance(data, Mapping) and any(role in data for role in _ROLES)


def read(data: Mapping[str, Any]) -> list[Imported]:
    """Return the instances of each role.

    Raises:
        ImportFailedError: an engine is not vLLM, or a part is missing.
    """
    found = []
    deploy = data.get("motor_deploy_config") or {}
    for key, (role, count) in _ROLES.items():
        if key not in data:
            continue
        own = data[key]
        if not isinstance(own, Mapping) or own.get("engine_type") not in ("vllm", None):
            raise ImportFailedError(
                f"'{key}' is not of vLLM", help="give a configuration with engine_type vllm"
            )
        one = vllm.read(tuple(_words(own)), _ASCEND)
        one.role = role
        if isinstance(deploy.get(count), int):
            one.lose(
                f"{deploy[count]} {role} instances", "the fleet of a plan says how many there are"
            )
        found.append(one)
    return found


def _words(own: Mapping[str, Any]) -> list[str]:
    """Return the flags of an engine as the words of a command."""
    flags: dict[str, Any] = {}
    for key, value in (own.get("model_config") or {}).items():  # of 3.0.0b2
        if key == "model_path":
            flags["model"] = value
        elif key == "npu_mem_utils":
            flags["gpu-memory-utilization"] = value
        elif key.endswith("_parallel_config") and isinstance(value, Mapping):
            flags |= {_OLDER[name]: size for name, size in value.items() if name in _OLDER}
    flags |= {
        key.replace("_", "-"): value for key, value in (own.get("engine_config") or {}).items()
    }
    flags.pop("kv-transfer-config", None)
    words = []
    for name, value in flags.items():
        if value is False:
            continue  # Motor drops it
        words.append(f"--{name}")
        if value is not True:
            words.append(json.dumps(value) if isinstance(value, dict | list) else str(value))
    return words
