"""Serving engines: rules and defaults of their schedulers by version, each with its source.

In: the software and version of an engine, and the memory of its device. Out: what holds for the
settings that a spec leaves open, which layouts can be launched, and what is kept of a device. No
module here imports numpy. Read `vllm.py` for a table of versions, then `rules.py` for how a version
is found in it and `settings.py` for how settings are resolved; `layouts.py` has the rules of
layouts, `memory.py` what is kept of a device, `pages.py` blocks with states, and `base.py` the
classes.
"""

from specc.engines.base import EngineHistory, MemoryClass, Sourced, VersionRules
from specc.engines.layouts import splits_indexing, splits_shared_experts
from specc.engines.memory import ReservedPart, reserve_of, reserved_bytes
from specc.engines.pages import LayerBytes, Page, hashed_tokens, page_of, state_rules
from specc.engines.rules import (
    ENGINES,
    EngineRules,
    engines_for,
    history_of,
    launch_problem,
    rules_of,
)
from specc.engines.settings import Scheduling, scheduling_of, takes_turns, with_defaults
from specc.engines.versions import VersionError, release_of

__all__ = [
    "ENGINES",
    "EngineHistory",
    "EngineRules",
    "LayerBytes",
    "MemoryClass",
    "Page",
    "ReservedPart",
    "Scheduling",
    "Sourced",
    "VersionError",
    "VersionRules",
    "engines_for",
    "hashed_tokens",
    "history_of",
    "launch_problem",
    "page_of",
    "release_of",
    "reserve_of",
    "reserved_bytes",
    "rules_of",
    "scheduling_of",
    "splits_indexing",
    "splits_shared_experts",
    "state_rules",
    "takes_turns",
    "with_defaults",
]
