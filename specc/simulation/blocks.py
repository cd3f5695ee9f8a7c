"""A prefix cache of blocks: what requests computed is found by later ones until it is evicted."""

from collections.abc import Sequence

from attrs import Factory, define


@define
class BlockCache:
    """Blocks that are computed, as vLLM keeps them: shared in use, then the least recent goes.

    Full blocks can be found as soon as they are scheduled. Those with a hash are for all; those of
    a request that has no hashes, or beyond them, are for itself, after a preemption. Two copies of
    a block stay two, and the older one is found. A block that no request uses stays until its
    memory is needed, behind all that holds nothing; blocks of a request are given back last block
    first, so that beginnings of prompts outlive their ends.

    Attributes:
        size: KV-cache blocks that a block with a hash takes.
        idle: KV-cache blocks that hold something computed and that no request uses.
    """

    size: int = 1
    idle: int = 0
    _first: dict[int, int] = Factory(dict)  # of each hash the oldest copy
    _others: dict[int, list[int]] = Factory(dict)  # and the younger ones
    _hash: dict[int, int] = Factory(dict)  # of each copy that can be found
    _users: dict[int, int] = Factory(dict)  # of copies in use
    # KV-cache blocks of copies, and of runs without a hash, in the order in which they fell idle.
    _queue: dict[int, int] = Factory(dict)
    _held: dict[int, list[int]] = Factory(dict)  # copies that a request uses, in order
    _own: dict[int, tuple[int, int]] = Factory(dict)  # run of a request, hashed blocks before it
    _lost: int = -1  # the run that nobody can find, if it is the last of the queue
    _names: int = 0

    @property
    def has_copies(self) -> bool:
        """Whether there are two of any block."""
        return bool(self._others)

    def match(self, hashes: Sequence[int], most: int) -> int:
        """Return how many leading blocks of a prompt are there, `most` at most."""
        first, count = self._first, 0
        for key in hashes[:most]:
            if key not in first:
                break
            count += 1
        return count

    def in_use(self, hashes: Sequence[int], count: int) -> int:
        """Return the KV-cache blocks of the first `count` that some request uses."""
        if not count:
            return 0
        users, first = self._users, self._first
        return self.size * sum(first[key] in users for key in hashes[:count])

    def own(self, request: int, count: int, most: int) -> int:
        """Return the KV-cache blocks beyond `count` hashed ones that a request finds, its own."""
        if request not in self._own:
            return 0
        run, behind = self._own[request]
        return min(self._queue.get(run, 0), most) if behind == count else 0

    def acquire(self, request: int, hashes: Sequence[int], count: int, own: int) -> None:
        """Use the first `count` blocks, which are there, and so many of its own."""
        held = self._held[request] = [self._first[key] for key in hashes[:count]]
        for copy in held:
            if copy in self._queue:
                self.idle -= self._queue.pop(copy)
            self._users[copy] = self._users.get(copy, 0) + 1
        run, _ = self._own.pop(request, (-1, 0))
        if own:
            self.idle -= own
            self._queue[run] -= own
            if not self._queue[run]:
                del self._queue[run]

    def publish(self, request: int, hashes: Sequence[int], count: int) -> None:
        """Let the first `count` blocks of a request be found, which it has computed or will."""
        held = self._held.setdefault(request, [])
        for key in hashes[len(held) : count]:
            copy = self._named()
            held.append(copy)
            self._users[copy] = 1
            self._hash[copy] = key
            if key in self._first:
                self._others.setdefault(key, []).append(copy)
            else:
                self._first[key] = copy

    def release(self, request: int, blocks: int, full: int, *, keep: bool) -> int:
        """Give the blocks of a request back; return how many nobody else uses.

        Args:
            request: the request.
            blocks: KV-cache blocks that it has.
            full: those of them that are full and computed.
            keep: whether the request comes back and finds its own.
        """
        held = self._held.pop(request, ())
        own = full - len(held) * self.size if held else full
        if own > 0:
            self._idle_run(request, own, len(held), keep)
        for copy in reversed(held):
            if self._users[copy] > 1:
                self._users[copy] -= 1
                blocks -= self.size
            else:
                del self._users[copy]
                self._queue[copy] = self.size
                self.idle += self.size
                self._lost = -1
        return blocks

    def trim(self, room: int) -> None:
        """Evict the least recently used until what is idle fits into `room`."""
        queue = self._queue
        while self.idle > room:
            oldest = next(iter(queue))
            blocks, excess = queue[oldest], self.idle - room
            if oldest in self._hash:
                self._forget(oldest)
            if blocks > excess:
                queue[oldest] = blocks - excess
                self.idle = room
            else:
                del queue[oldest]
                self.idle -= blocks

    def _idle_run(self, request: int, blocks: int, behind: int, keep: bool) -> None:
        """Queue full blocks without a hash; neighbours that nobody finds are one run."""
        self.idle += blocks
        if keep:
            run = self._named()
            self._own[request] = run, behind
            self._lost = -1
        elif self._lost in self._queue:
            self._queue[self._lost] += blocks
            return
        else:
            run = self._lost = self._named()
        self._queue[run] = blocks

    def _forget(self, copy: int) -> None:
        """Let a copy not be found any more."""
        key = self._hash.pop(copy)
        others = self._others.get(key)
        if self._first[key] != copy:
            assert others is not None
            others.remove(copy)
        elif others:
            self._first[key] = others.pop(0)
        else:
            del self._first[key]
        if others is not None and not others:
            del self._others[key]

    def _named(self) -> int:
        self._names += 1
        return self._names
