"""specc compiles LLM-serving plans: text → syntax tree → typed IR → plan → results → report.

Every folder is one stage, and a module imports only from stages before its own.
Read `specc.session` first: it strings the stages together.
"""

from specc._version import __version__

__all__ = ["__version__"]
