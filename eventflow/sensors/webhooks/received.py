"""What becomes of a delivery: events and how it is answered, or a refusal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, runtime_checkable

from eventflow.events import D_co, Event

UNVERIFIED = "no hook of this name takes this delivery: either there is none, or it isn't signed as it should be"
"""What every sender is told whose delivery could not be verified, whatever the reason."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a sender is answered: a `status` from 200 to 299, and a `body`."""

    status: int = 200
    body: str = ""
    media_type: str = "text/plain; charset=utf-8"

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 299:
            raise ValueError(f"a reply with status {self.status} would say that the delivery failed: use 200 to 299")


@dataclass(frozen=True, slots=True)
class Received(Generic[D_co]):
    """A delivery that was verified and understood. Without events there is nothing to record, and `reply` is the answer.

    With `batched` it is answered by a list, one entry for each event. `reply` is None where the answer is the usual one.
    """

    events: tuple[Event[D_co], ...]
    batched: bool = False
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A delivery that isn't taken: the HTTP status, and the reason in words. `told` is what the sender may know of it."""

    status: int
    reason: str

    @property
    def told(self) -> str:
        """The reason, but to somebody who couldn't prove to be the sender: what is said to everybody."""
        return UNVERIFIED if self.status == 401 else self.reason


class Unfit(Exception):
    """Ends the reading of a delivery. It never leaves `receive`."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.refusal = Refusal(status, reason)


class Unverified(Unfit):
    """A delivery that isn't proved to come from who knows the secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(401, reason)


@runtime_checkable
class Receiving(Protocol[D_co]):
    """A sensor that takes deliveries: served at `/hooks/NAME`."""

    @property
    def largest(self) -> int:
        """The most bytes of a body."""
        ...

    def receive(self, headers: Iterable[tuple[bytes, bytes]], body: bytes, now: int, /) -> Received[D_co] | Refusal:
        """Verify and read a delivery, changing nothing. `now` is in microseconds UTC. No input makes it raise."""
        ...
