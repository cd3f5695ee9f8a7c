"""vLLM on NVIDIA: images and variables (read of 0.33, docs/deployment)."""

from collections.abc import Iterator
from typing import Any

from specc.outputs.launch.base import CannotLaunchError, Group, LaunchPlan, LaunchSetting


def resource(group: Group) -> str:
    """Return the name of a device by the device plugin of NVIDIA."""
    return "nvidia.com/gpu"


def image(group: Group) -> str:
    """Return the image of a version."""
    return f"vllm/vllm-openai:v{group.flags.version}"


def environment(plan: LaunchPlan, group: Group) -> Iterator[LaunchSetting]:
    """Yield the variables of an engine: none but those of addresses."""
    yield from ()


def kv_transfer(plan: LaunchPlan, group: Group) -> dict[str, Any]:
    """Refuse phases apart, whose connectors need more than a plan says.

    Raises:
        CannotLaunchError: always.
    """
    raise CannotLaunchError(
        "prefill and decode apart are written for vllm_ascend alone",
        help="launch an aggregated configuration: --configuration N",
    )
