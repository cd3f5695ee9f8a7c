"""specc compiles LLM-serving plans: text → syntax tree → typed IR → plan → results → report.

```python
import specc

session = specc.compile("plan.spec", overrides=["chat.output=2000tok"])
session.results.studies[0].best         # the recommended configuration
session.results.frame()                 # all candidates, as a pandas DataFrame
specc.load_results("plan.result.json")  # what an earlier run found
specc.step_time("qwen3_32b", "atlas_800_a3_752t_die", devices=8, tp=8, batch=32, context=4096)
```

Every folder is one stage, and a module imports only from stages before its own.
Read `specc.session` first: it strings the stages together.
"""

from specc._version import __version__

TYPE_CHECKING = False  # `typing` would take a tenth of the start of `specc --help`

if TYPE_CHECKING:
    from specc import library
    from specc.api import StepTime, compile, step_time
    from specc.library import LibraryError
    from specc.results import Results, ResultsError, load_results
    from specc.session import Session, SpecError

__all__ = [
    "LibraryError",
    "Results",
    "ResultsError",
    "Session",
    "SpecError",
    "StepTime",
    "__version__",
    "compile",
    "library",
    "load_results",
    "step_time",
]

_MODULES = {
    "LibraryError": "specc.library",
    "Results": "specc.results",
    "ResultsError": "specc.results",
    "Session": "specc.session",
    "SpecError": "specc.session",
    "StepTime": "specc.api",
    "compile": "specc.api",
    "load_results": "specc.results",
    "step_time": "specc.api",
}


def __getattr__(name: str) -> object:
    """Import what is public when it is first asked for, so that the commands start fast."""
    from importlib import import_module

    if name == "library":
        return import_module("specc.library")
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'specc' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
