"""What a queue decides."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Protocol

from specc.ir import Queue


class WaitingRequests(Protocol):
    """Requests that wait; the one at place 0 starts next. A `deque` is one."""

    def __len__(self) -> int:
        """Return how many wait."""

    def __getitem__(self, place: int, /) -> int:
        """Return the request that starts next, for place 0."""

    def append(self, request: int, /) -> None:
        """Let a request wait that has come."""

    def appendleft(self, request: int, /) -> None:
        """Let a request wait that was preempted."""

    def popleft(self) -> int:
        """Take out the one that starts next."""


class QueuePolicy(ABC):
    """The order in which requests start, and the one in which they are preempted.

    Attributes:
        name: its name in `ir`.
        overtakes: whether a request may start before those that came earlier.
    """

    name: ClassVar[Queue]
    overtakes: ClassVar[bool]

    @abstractmethod
    def waiting(self, priority: Sequence[int]) -> WaitingRequests:
        """Return an empty queue; `priority` has that of each request, by its number."""

    @abstractmethod
    def victim(self, running: dict[int, None], priority: Sequence[int]) -> int:
        """Return what is preempted first of the requests that run, given in order of admission."""
