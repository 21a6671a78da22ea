"""Values of user code on their way into the journal and out of it.

What canonical JSON carries stays in its fact up to `INLINE` bytes and is an artifact above. What JSON can't carry is pickled, signed with
the project's key, and loaded again only after its signature has been verified, only where tasks run.
"""

from __future__ import annotations

import hmac
import pickle
from hashlib import blake2b
from typing import Any

import msgspec

from eventflow import codec
from eventflow.errors import JournalDamaged, NotFinite, ValueNotStorable
from eventflow.facts import Inline, Stored, Value
from eventflow.ports import ArtifactStore
from eventflow.threads import in_thread

INLINE = 16 * 1024
"""The most bytes of JSON that a fact carries itself."""

_SIGNATURE = 32


class Values:
    """Keeps values and gives them back. `key` signs pickles: 32 to 64 bytes, as a keyed BLAKE2b. Without `pickles` there are none."""

    def __init__(self, artifacts: ArtifactStore, key: bytes, *, pickles: bool = True) -> None:
        self._pickles = pickles
        self._artifacts = artifacts
        self._key = key

    def snapshot(self, value: object, annotation: object = Any) -> Snapshot:
        """Give a value as bytes, at once, so that it can change afterwards. Raises `ValueNotStorable` where no codec carries it."""
        try:
            return Snapshot(codec.encode(value, annotation), "json")
        except NotFinite:
            raise
        except ValueNotStorable as refusal:
            if not self._pickles:
                raise
            return Snapshot(self._sign(_pickled(value, refusal)), "pickle")

    def data(self, value: object) -> Snapshot:
        """Give a value of our own making as bytes."""
        return Snapshot(codec.canonical(value), "json")

    async def keep(self, snapshot: Snapshot) -> Value:
        """Make a snapshot durable, so far as it isn't to be a part of its fact, and give what stands for it there."""
        if snapshot.codec == "json" and len(snapshot.data) <= INLINE:
            return Inline(msgspec.Raw(snapshot.data))
        return Stored(await self._artifacts.put(snapshot.data), len(snapshot.data), snapshot.codec)

    async def read(self, value: Value) -> Snapshot:
        """Give the bytes of a kept value."""
        if isinstance(value, Inline):
            return Snapshot(bytes(value.json), "json")
        return Snapshot(await self._artifacts.get(value.digest), value.codec)

    async def open(self, value: Value, annotation: object = Any) -> object:
        """Give a fresh copy of a kept value, as its annotation wants it."""
        if isinstance(value, Inline):
            return codec.decode(value.json, annotation)
        snapshot = await self.read(value)
        return await in_thread(self.load, snapshot, annotation)

    def load(self, snapshot: Snapshot, annotation: object = Any) -> object:
        """Give a fresh copy of a value from its bytes. Raises `JournalDamaged` for a pickle that wasn't signed with our key."""
        if snapshot.codec == "json":
            return codec.decode(snapshot.data, annotation)
        signature, pickled = snapshot.data[:_SIGNATURE], snapshot.data[_SIGNATURE:]
        if not hmac.compare_digest(signature, self._signature(pickled)):
            raise JournalDamaged("an artifact doesn't bear the signature of this project's key: it isn't loaded")
        return pickle.loads(pickled)  # noqa: S301 - verified just above, and only where tasks run

    def _sign(self, pickled: bytes) -> bytes:
        return self._signature(pickled) + pickled

    def _signature(self, pickled: bytes) -> bytes:
        return blake2b(pickled, key=self._key, digest_size=_SIGNATURE).digest()


class Snapshot(msgspec.Struct, frozen=True):
    """A value as bytes, and how to read them: `json` or `pickle`."""

    data: bytes
    codec: str


def _pickled(value: object, refusal: ValueNotStorable) -> bytes:
    try:
        return pickle.dumps(value, protocol=5)
    except Exception as error:
        raise ValueNotStorable(f"{refusal}; and it can't be pickled: {error}") from error
