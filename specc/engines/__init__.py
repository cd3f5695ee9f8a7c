"""Serving engines: rules and defaults of their schedulers by version, each with its source.

In: the software and version of an engine, and the memory of its device. Out: what holds for the
settings that a spec leaves open. No module here imports numpy. Read `vllm.py` for a table of
versions, then `rules.py` for how a version is found in it and `settings.py` for how settings are
resolved; `base.py` has the classes.
"""

from specc.engines.base import EngineHistory, MemoryClass, Sourced, VersionRules
from specc.engines.rules import ENGINES, EngineRules, history_of, rules_of
from specc.engines.settings import Scheduling, scheduling_of, takes_turns, with_defaults
from specc.engines.versions import VersionError, release_of

__all__ = [
    "ENGINES",
    "EngineHistory",
    "EngineRules",
    "MemoryClass",
    "Scheduling",
    "Sourced",
    "VersionError",
    "VersionRules",
    "history_of",
    "release_of",
    "rules_of",
    "scheduling_of",
    "takes_turns",
    "with_defaults",
]
