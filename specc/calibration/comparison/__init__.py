"""Load tests beside what the simulation says of the same load on the same configuration.

In: a `LoadTest`, and a subject: a configuration of a plan, or what the flags of a command say was
measured. Out: a `Comparison`. Read `comparing.py` first, then `sent.py`, which makes the load of a
test one that can be simulated, and `looks.py`, which says what a difference looks like.
"""

from specc.calibration.comparison.comparing import compared, measured_alone
from specc.calibration.comparison.curves import curve_of
from specc.calibration.comparison.sent import NotComparableError
from specc.calibration.comparison.subject import (
    AskedServer,
    asked_subject,
    model_note,
    plan_note,
    planned_subject,
    server_subject,
)

__all__ = [
    "AskedServer",
    "NotComparableError",
    "asked_subject",
    "compared",
    "curve_of",
    "measured_alone",
    "model_note",
    "plan_note",
    "planned_subject",
    "server_subject",
]
