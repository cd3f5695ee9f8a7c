"""Commands that launch engines, read: the deployment that they mean, as text of the language.

In: a command, a script, or the configuration of MindIE Motor. Out: an `Imported` deployment, with
what could not be carried over. Read `reading.py` first, which finds out what it is; `commands.py`
takes commands out of scripts, `vllm.py` and `sglang.py` know their flags, `motor.py` its file, and
`block.py` writes the text.
"""

from specc.imports.base import Imported, ImportFailedError
from specc.imports.block import text_of
from specc.imports.reading import read_launch

__all__ = ["ImportFailedError", "Imported", "read_launch", "text_of"]
