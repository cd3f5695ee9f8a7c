"""The inference recipes of CANN: models and kernels, without a scheduler of requests."""

from specc.engines.base import EngineHistory, Sourced, VersionRules
from specc.ir import Software, Vendor

_NO_SCHEDULER = "not known: the recipes run one batch and schedule no requests"

CANN_RECIPES = EngineHistory(
    software=Software.CANN_RECIPES,
    package="cann-recipes-infer",
    vendors=(Vendor.HUAWEI,),
    launches=None,
    versions=(
        VersionRules(
            read=(),
            admission=Sourced(None, _NO_SCHEDULER),
            prefix_caching=Sourced(None, _NO_SCHEDULER),
            async_scheduling=Sourced(None, _NO_SCHEDULER),
            batch=Sourced((), _NO_SCHEDULER),
        ),
    ),
)
