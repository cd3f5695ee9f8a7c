"""Parallel layouts."""

from attrs import frozen


def size_name(field: str) -> str:
    """Return what people call a size of a layout: `MOE-TP` for `moe_tp`."""
    return field.upper().replace("_", "-")


@frozen(order=True)
class Layout:
    """Sizes of parallelism; tensor-parallel ranks are neighbours, then context, then data.

    The replicas are `dp`; experts lie on `ep` · `moe_tp` devices, in `moe_dp` copies. A model
    without experts leaves these at 1.
    """

    tp: int
    pp: int
    dp: int
    ep: int = 1
    moe_tp: int = 1
    moe_dp: int = 1
    cp: int = 1
    dcp: int = 1

    @property
    def stage(self) -> int:
        """Devices of one pipeline stage."""
        return self.tp * self.cp * self.dp

    @property
    def devices(self) -> int:
        """Devices of the whole layout."""
        return self.stage * self.pp

    @property
    def replicas_per_experts(self) -> int:
        """Replicas whose tokens one copy of the experts serves together."""
        return max(1, self.dp // self.moe_dp)

    @property
    def label(self) -> str:
        """The label that tables show; sizes beyond TP, PP and DP where they are not 1."""
        parts = [f"TP={self.tp}", f"PP={self.pp}", f"DP={self.dp}"]
        others = {name: getattr(self, name) for name in ("cp", "dcp", "ep", "moe_tp", "moe_dp")}
        parts += [f"{size_name(name)}={size}" for name, size in others.items() if size > 1]
        return " | ".join(parts)
