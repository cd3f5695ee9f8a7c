"""What tells in a store whether results are of the same input: hashes of all that they depend on.

They are of the JSON forms, so they are the same in every Python. What only says how results are
judged or called, expectations and remarks, is not in them.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from specc._version import __version__
from specc.ir.json import to_json
from specc.plan import PlannedStudy
from specc.reading import read_bytes
from specc.run.coverage import Coverage

if TYPE_CHECKING:
    from specc.run.subjects import Subject

PACKAGE = Path(__file__).parents[1]
LARGEST_SOURCE_BYTES = 2**20


@cache
def code() -> str:
    """Return what tells versions of specc apart: the version, and a hash of its sources."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        if "_made" not in path.parts:
            digest.update(read_bytes(path, LARGEST_SOURCE_BYTES))
    return f"{__version__}+{digest.hexdigest()[:16]}"


def _hash(data: object) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{code()}\n{text}".encode()).hexdigest()


def key_of(planned: PlannedStudy, coverage: Coverage) -> str:
    """Return the key of what a study finds."""
    setups = {id(task.setup): task.setup for task in planned.tasks}
    asked = evolve(planned.study, expectations=(), doc="")
    return _hash(
        [
            "study",
            to_json(asked),
            [setup.key for setup in setups.values()],
            len(planned.tasks),
            coverage.alone,
            coverage.whole,
        ]
    )


def key_of_subject(subject: "Subject") -> str:
    """Return the key of what a simulation sees of a subject, whatever its study asks beside."""
    return _hash(
        [
            "subject",
            to_json(subject.study.workload),
            to_json(subject.simulate),
            [[part.task.key, part.batch, part.budget, part.count] for part in subject.parts],
            to_json(subject.server),
            to_json(subject.transfer),
        ]
    )


def key_of_simulation(subject: str, function: str, arguments: object) -> str:
    """Return the key of a function of a simulation of a subject."""
    return _hash([subject, function, to_json(arguments)])
