"""Devices as they are bought: dies on cards, cards in servers."""

from collections.abc import Sequence

from attrs import frozen

from specc.ir import Device
from specc.records import Record
from specc.results import Configuration, Instance, StudyResult
from specc.units import counted


@frozen(eq=False, repr=False)
class Packages(Record):
    """So many devices of one kind, as they are packaged.

    Attributes:
        device: the name.
        count: devices.
        cards: that have them; None where a device is a card.
        servers: that have them; None where that is not known.
        at_least: whether instances that share a server may need more of them.
        free: devices of these servers that nothing runs on.
    """

    device: str
    count: int
    cards: int | None
    servers: int | None
    at_least: bool
    free: int

    @property
    def unit(self) -> str:
        """What one device is called."""
        return "device" if self.cards is None else "die"

    @property
    def text(self) -> str:
        """All of it: `24 dies = 12 cards in 2 servers`."""
        packed = self.packed
        join = " = " if self.cards is not None and packed else " "
        return f"{counted(self.count, self.unit)}{join if packed else ''}{packed}"

    @property
    def packed(self) -> str:
        """What the devices are packaged in: `12 cards in 2 servers`; empty if that is not known."""
        cards = "" if self.cards is None else counted(self.cards, "card")
        if self.servers is None:
            return cards
        within = f"in {'at least ' if self.at_least else ''}{counted(self.servers, 'server')}"
        return f"{cards} {within}".strip()


def packages(result: StudyResult, found: Configuration) -> tuple[Packages, ...]:
    """Return the devices of a configuration, each kind by itself."""
    known = {i.device.name: i.device for i in result.study.instances}
    kinds = dict.fromkeys(group.device for group in found.instances)
    return tuple(
        _packed(known[name], [g for g in found.instances if g.device == name]) for name in kinds
    )


def _packed(device: Device, groups: Sequence[Instance]) -> Packages:
    count = sum(group.all_devices for group in groups)
    cards = -(-count // device.dies_per_card)
    servers, at_least, free = None, False, 0
    if device.cards_per_server is not None:
        servers = max(1, -(-cards // device.cards_per_server))
        at_least = sum(_servers(group, device) for group in groups) != servers
        free = servers * device.cards_per_server * device.dies_per_card - count
    own = cards if device.dies_per_card > 1 else None
    return Packages(device.name, count, own, servers, at_least, free)


def _servers(group: Instance, device: Device) -> int:
    """Return the servers of instances that are not spread over more of them than they must."""
    assert device.cards_per_server is not None
    places = device.cards_per_server * device.dies_per_card
    sets = group.all_devices // group.devices
    if group.devices >= places:
        return sets * -(-group.devices // places)
    return -(-sets // (places // group.devices))
