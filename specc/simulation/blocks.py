"""A prefix cache of blocks: what requests computed is found by later ones until it is evicted."""

from collections.abc import Sequence

from attrs import Factory, define


@define
class BlockCache:
    """Blocks of prompts by hash, as vLLM keeps them: shared while in use, then least recently used.

    A block that no request uses stays until its memory is needed. Blocks of a request are given
    back last block first, so that beginnings of prompts outlive their ends.

    Attributes:
        size: KV-cache blocks that a block of the cache takes.
    """

    size: int
    _users: dict[int, int] = Factory(dict)
    _idle: dict[int, None] = Factory(dict)  # in the order in which they fell idle
    _held: dict[int, list[int]] = Factory(dict)

    def match(self, hashes: Sequence[int], most: int) -> int:
        """Return how many leading blocks of a prompt are there, `most` at most."""
        users, count = self._users, 0
        for key in hashes[:most]:
            if key not in users:
                break
            count += 1
        return count

    def newly_used(self, hashes: Sequence[int], count: int) -> int:
        """Return the KV-cache blocks of the first `count` that no request uses."""
        return self.size * sum(key in self._idle for key in hashes[:count])

    def acquire(self, request: int, hashes: Sequence[int], count: int) -> None:
        """Use the first `count` blocks, which are there."""
        for key in hashes[:count]:
            self._idle.pop(key, None)
            self._users[key] += 1
        self._held[request] = list(hashes[:count])

    def insert(self, request: int, hashes: Sequence[int]) -> int:
        """Share what a request computed; return the KV-cache blocks that it no longer owns."""
        held = self._held.setdefault(request, [])
        inserted = 0
        for key in hashes:
            if key not in self._users:
                self._users[key] = 1
                held.append(key)
                inserted += 1
        return inserted * self.size

    def shared(self, request: int) -> int:
        """Return the KV-cache blocks that a request shares."""
        return len(self._held.get(request, ())) * self.size

    def release(self, request: int) -> int:
        """Give back the blocks of a request; return the KV-cache blocks that fall idle."""
        idle = 0
        for key in reversed(self._held.pop(request, [])):
            self._users[key] -= 1
            if not self._users[key]:
                self._idle[key] = None
                idle += 1
        return idle * self.size

    def evicts(self, room: int) -> bool:
        """Say whether idle blocks have to go to fit into `room`."""
        return len(self._idle) * self.size > room

    def trim(self, room: int) -> None:
        """Evict the least recently used until the idle blocks fit into `room`."""
        while self._idle and self.evicts(room):
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            del self._users[oldest]
