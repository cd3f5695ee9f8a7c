"""Makes what an installation holds ready-made, so that no command has to make it first.

The tables of the parser and the trees of the standard library are data, templates are Python. Each
is named after all that it depends on: what does not fit the sources, or another version of Jinja,
is not used, and what is missing is made when it is needed. So nothing here can go wrong but time.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ReadyMade(BuildHookInterface):
    """Writes `specc/_made`, for wheels and for editable installations."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write it where the installation is: into the wheel, or beside the sources."""
        self._staging = tempfile.TemporaryDirectory()
        made = Path(self._staging.name) / "_made"
        made.mkdir()
        sys.path.insert(0, self.root)
        try:
            write(made)
        except ImportError as error:  # of a build without its requirements
            self.app.display_warning(f"nothing is made ahead: {error}")
        finally:
            sys.path.remove(self.root)
        if version == "editable":
            beside = Path(self.root) / "specc" / "_made"
            shutil.rmtree(beside, ignore_errors=True)
            shutil.copytree(made, beside)
        else:
            build_data["force_include"][str(made)] = "specc/_made"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what is in the wheel now."""
        self._staging.cleanup()


def write(made: Path) -> None:
    """Fill an empty folder."""
    from specc import cache, resources
    from specc.outputs.templates import write_modules
    from specc.syntax import parse_library
    from specc.workspace import STANDARD_LIBRARY, Workspace

    resources.MADE = made
    cache.folder = lambda: made
    workspace = Workspace(Path())
    for name in workspace.modules(STANDARD_LIBRARY):
        path = workspace.module(STANDARD_LIBRARY, name)
        assert path is not None
        parse_library(workspace.read(path))
    write_modules(made)
