"""Syntax trees of the standard library, kept in the user's cache: they change with specc alone.

Parsing the library takes 15 ms, a quarter of `specc check`; reading its trees takes one.
"""

import contextlib
import hashlib
import os
import pickle
import sys
import tempfile

from specc import resources
from specc._version import __version__
from specc.diagnostics import Diagnostic, Source
from specc.syntax.nodes import File
from specc.syntax.parser import parse


def parse_library(source: Source) -> tuple[File, list[Diagnostic]]:
    """Parse a source of the standard library, or take its tree from the cache."""
    folder = resources.cache_folder()
    if folder is None:
        return parse(source)
    key = f"{__version__} {sys.version} {source.name} {source.text}"
    path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.tree"
    # A cache file that another version or a crash left behind may fail in any way to load.
    with contextlib.suppress(Exception):
        tree = pickle.loads(path.read_bytes())
        if isinstance(tree, File):
            return tree, []
    tree, diagnostics = parse(source)
    if not diagnostics:
        with contextlib.suppress(OSError):
            handle, name = tempfile.mkstemp(dir=folder)
            with os.fdopen(handle, "wb") as file:
                pickle.dump(tree, file)
            os.replace(name, path)
    return tree, diagnostics
