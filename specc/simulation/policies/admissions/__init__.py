"""Admission: how many blocks of the KV cache must be free before a request starts."""

from specc.ir import Admission
from specc.simulation.policies.admissions.base import AdmissionPolicy
from specc.simulation.policies.registry import registered

ADMISSIONS: tuple[type[AdmissionPolicy], ...] = registered(Admission, __name__)
_BY_NAME = {policy.name: policy() for policy in ADMISSIONS}


def admission_of(name: Admission) -> AdmissionPolicy:
    """Return the admission of a name."""
    return _BY_NAME[name]


__all__ = ["ADMISSIONS", "AdmissionPolicy", "admission_of"]
