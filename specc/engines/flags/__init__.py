"""The command-line flags that engines have, by version: what a launch file may write.

The lists beside this file are read in published wheels by `python -m tests.engine_flags`. Of a
version that is not among them the nearest older one counts.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from attrs import frozen

from specc.engines.versions import release_of
from specc.ir import Software
from specc.reading import read_bytes
from specc.records import Record

_FOLDER = Path(__file__).parent
_MOST = 1 << 20
# The packages whose flags an engine has: its own, and that of which it is a plugin.
PACKAGES: Mapping[Software, tuple[str, ...]] = {
    Software.VLLM: ("vllm",),
    Software.VLLM_ASCEND: ("vllm", "vllm-ascend"),
}


class UnknownFlagsError(ValueError):
    """No list is known of an engine, or of so old a version."""


@frozen(eq=False, repr=False)
class FlagList(Record):
    """What one version of an engine knows, each with the place in its wheel that declares it.

    Attributes:
        version: that was read.
        serve: flags of `vllm serve`.
        bench: flags of `vllm bench serve`.
        environment: variables.
        connectors: of KV caches.
        additional: keys of `--additional-config`.
    """

    version: str
    serve: Mapping[str, str]
    bench: Mapping[str, str]
    environment: Mapping[str, str]
    connectors: Mapping[str, str]
    additional: Mapping[str, str]


def known_versions(software: Software) -> tuple[str, ...]:
    """Return the versions of an engine whose flags are known, oldest first."""
    if software not in PACKAGES:
        return ()
    own = [
        {path.stem.removeprefix(f"{package}-") for path in _FOLDER.glob(f"{package}-[0-9]*.json")}
        for package in PACKAGES[software]
    ]
    return tuple(sorted(set.intersection(*own), key=release_of))


@cache
def flags_of(software: Software, version: str = "") -> FlagList:
    """Return the flags of a version, or of the nearest older one; of the newest by default.

    Raises:
        UnknownFlagsError: none is known that is as old.
        VersionError: the version is none.
    """
    known = known_versions(software)
    if not known:
        raise UnknownFlagsError(f"no flags of {software.value} are known")
    older = [one for one in known if not version or release_of(one) <= release_of(version)]
    if not older:
        raise UnknownFlagsError(
            f"the flags of {software.value} {version} are not known; those of "
            f"{', '.join(known)} are"
        )
    found = [_read(package, older[-1]) for package in PACKAGES[software]]
    return FlagList(
        version=older[-1],
        serve=_merged(found, "serve"),
        bench=_merged(found, "bench"),
        environment=_merged(found, "environment"),
        connectors=_merged(found, "connectors"),
        additional=_merged(found, "additional_config"),
    )


def _merged(found: list[dict[str, dict[str, str]]], name: str) -> dict[str, str]:
    return {key: where for one in found for key, where in one.get(name, {}).items()}


def _read(package: str, version: str) -> dict[str, dict[str, str]]:
    data = read_bytes(_FOLDER / f"{package}-{version}.json", _MOST)
    found: dict[str, dict[str, str]] = json.loads(data)
    return found
