"""Files that launch a configuration, and measure what its plan promised.

In: a chosen configuration. Out: the texts of files by their names. Each engine has a file here with
its settings; what files there are is in `registry.py`, their texts are templates in
`templates/launch`. Read `base.py` first, then `serving.py`, which turns the configuration into the
flags of `vllm serve`, each with its reason.
"""

from specc.outputs.launch.base import CannotLaunchError, LaunchPlan
from specc.outputs.launch.registry import TARGETS, launch_files

__all__ = ["TARGETS", "CannotLaunchError", "LaunchPlan", "launch_files"]
