"""Checking: syntax tree → typed IR.

In: a workspace and the path of a spec. Out: a `Document` and every problem of all files that it
uses, in one pass. Imports are loaded by `modules.py`, expressions evaluated by `evaluate.py`,
values fitted to the type of their field by `convert.py`, blocks assembled by `build.py` (read it
first), and rules between fields applied by `rules/`.
"""

from specc.check.build import Checked, build_block, check, check_all

__all__ = ["Checked", "build_block", "check", "check_all"]
