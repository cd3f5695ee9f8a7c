"""How sources write the layout of a served run, and the instances that it says."""

import re
from collections.abc import Mapping

from attrs import frozen

from specc.calibration.served.cells import UnclearError, noted
from specc.ir import Deployment, Layout, Phase
from specc.units import Tokens

DIES_OF_A3, DEVICES_OF_A2 = 16, 8  # of a node
_TOO_LARGE = 10_000_000  # for tokens or sequences of a step


@frozen
class ServedPart:
    """Instances of one kind.

    Attributes:
        phase: what they do.
        layout: of one.
        count: how many there are.
        sequences, budget: of a data-parallel rank, where they are known.
    """

    phase: Phase
    layout: Layout
    count: int
    sequences: int | None
    budget: Tokens | None


Sizes = Mapping[str, int]


@frozen
class Role:
    """Instances as a source writes them: their phase, sizes, text, and devices (None for all)."""

    phase: Phase
    sizes: Sizes
    text: str
    devices: int | None


def parts_of(
    row: Mapping[str, str],
    built: Deployment,
    *,
    sglang: bool,
    usual: tuple[Tokens | None, int | None],
    alone: Phase | None,
) -> tuple[ServedPart, ...]:
    """Return the instances that a row says.

    Args:
        row: of the table.
        built: what serves.
        sglang: whether data parallelism is that of attention within TP, as in SGLang.
        usual: the budget and the limit on sequences that the engine has by default.
        alone: the phase, where it is measured alone.

    Raises:
        UnclearError: the layout is not given, or does not fit.
    """
    text, apart = row.get("parallel") or "", row["mode"] == "pd-disagg(total)"
    if re.search(r"PP[2-9]|PCP[2-9]", text):
        raise UnclearError("pipeline stages and prefill context parallelism are not read")
    whole = [Role(alone or Phase.WHOLE, _sizes(text), text, None)]
    said, recipes = row.get("notes") or "", "cann-recipes" in (row.get("source") or "")
    budget, limit = (_limit(said, name) for name in ("max_num_batched_tokens", "max_num_seqs"))
    running = re.search(r"max_running=(\d+)(?:/(\d+))?", said)
    found = []
    for role in _roles(text, row) if apart else whole:
        devices = built.size if role.devices is None else role.devices
        layout = _layout(role, built, devices, alone, sglang=sglang, recipes=recipes)
        decodes, own_limit = role.phase is Phase.DECODE, limit
        own_budget = budget if role.phase is not Phase.PREFILL else None
        if running:
            most = int(running[2] or running[1]) if decodes else int(running[1])
            own_limit = max(1, -(-most // layout.dp))
        found.append(
            ServedPart(
                phase=role.phase,
                layout=layout,
                count=max(1, devices // layout.devices),
                sequences=own_limit or usual[1],
                budget=own_budget or usual[0],
            )
        )
    return tuple(found)


def _limit(said: str, name: str) -> int | None:
    """Return a limit that notes give, if an engine can have it."""
    value = noted(said, name)
    return None if value is None or value >= _TOO_LARGE else int(value)


def _sizes(text: str) -> dict[str, int]:
    return {name: int(size) for name, size in re.findall(r"(TP|DP|EP)(\d{1,4})(?!\d)", text)}


def _roles(text: str, row: Mapping[str, str]) -> list[Role]:
    """Return what prefills and what decodes.

    Raises:
        UnclearError: none of the ways in which sources write it.
    """
    for reader in (_by_nodes, _as_sglang, _by_counts):
        found = reader(text, row)
        if found:
            return found
    raise UnclearError("the layout is not given")


def _by_nodes(text: str, row: Mapping[str, str]) -> list[Role]:
    """Read `n0(prefill):TP8 DP2 EP | n1(decoder):TP4 DP4 EP`, of nodes that may be one instance."""
    nodes = re.findall(r"n\d+\((prefill|decoder)\):([^|]*)", text)
    of_a3 = "A3" in row["hardware"] + (row.get("url_or_repo_path") or "")
    found = []
    for role, phase in (("prefill", Phase.PREFILL), ("decoder", Phase.DECODE)):
        own = [sizes for name, sizes in nodes if name == role]
        if not own:
            return []
        devices = (DIES_OF_A3 if of_a3 else DEVICES_OF_A2) * len(own)
        found.append(Role(phase, _sizes(own[0]), own[0], devices))
    return found


def _as_sglang(text: str, row: Mapping[str, str]) -> list[Role]:
    """Read `PD: TP16/32 DP2/16 EP32`: one instance decodes, the other devices prefill."""
    said = re.match(r"PD: TP(\d{1,4})/(\d{1,4})(?: DP(\d{1,4})/(\d{1,4}))?(?: EP(\d{1,4}))?", text)
    if not said:
        return []
    total, found = int(float(row["n_devices"])), []
    for side, phase in enumerate((Phase.PREFILL, Phase.DECODE)):
        tp = int(said[1 + side])
        sizes = {"TP": tp}
        if said[3 + side]:
            sizes["DP"] = int(said[3 + side])
        devices = tp if phase is Phase.DECODE else max(tp, total - int(said[2]))
        found.append(Role(phase, sizes, "EP" if said[3] or said[5] else "", devices))
    return found


def _by_counts(text: str, _row: Mapping[str, str]) -> list[Role]:
    """Read `1P1D: P DP2TP16, D DP8TP4`."""
    said = re.match(r"(\d{1,3})P(\d{1,3})D: P ([^,]*), D (.*)", text)
    if not said:
        return []
    found = []
    for phase, count, own in (
        (Phase.PREFILL, said[1], said[3]),
        (Phase.DECODE, said[2], said[4]),
    ):
        sizes = _sizes(own)
        each = sizes.get("TP", 1) * sizes.get("DP", 1)
        found.append(Role(phase, sizes, own + " EP", each * int(count)))
    return found


def _layout(
    role: Role,
    built: Deployment,
    devices: int,
    alone: Phase | None,
    *,
    sglang: bool,
    recipes: bool,
) -> Layout:
    """Return the layout of one instance.

    In vLLM experts are split over all of TP × DP, or spread over it with EP; in SGLang data
    parallelism is within TP, and experts are spread over it.
    """
    model, sizes, text = built.model, role.sizes, role.text
    tp, dp = sizes.get("TP"), sizes.get("DP", 1)
    if sglang and tp and "DP" in sizes:
        if tp % dp:
            raise UnclearError("the layout does not fit the devices")
        tp //= dp
        text += " EP"
    if tp is None:
        tp, dp = _without_tp(sizes, text, built, devices, alone, recipes=recipes)
        text += "" if text else "EP"
    if not tp or not dp or model.attention_heads % tp or tp * dp > max(devices, 1) * 64:
        raise UnclearError("the layout does not fit the devices")
    if "DP" not in sizes and not sglang and tp < devices and alone is not None:
        dp = devices // tp
    world, shared = tp * dp, re.search(r"DCP(\d)", text)
    dcp = int(shared[1]) if shared and tp % int(shared[1] or 1) == 0 else 1
    if model.experts is None:
        return Layout(tp, 1, dp, dcp=dcp)
    ep = world if "EP" in text else 1
    if model.experts.count % ep:
        raise UnclearError("the layout does not fit the experts")
    return Layout(tp, 1, dp, ep=ep, moe_tp=world // ep, dcp=dcp)


def _without_tp(
    sizes: Sizes, text: str, built: Deployment, devices: int, alone: Phase | None, *, recipes: bool
) -> tuple[int, int]:
    if built.model.experts is None:
        return devices, 1
    if "EP" in sizes or "DP" in sizes:
        return 1, sizes.get("EP") or sizes["DP"]
    if not text and alone is Phase.DECODE and recipes:
        return 1, devices  # attention of a die for itself, experts over all of them
    raise UnclearError("the layout is not given")
