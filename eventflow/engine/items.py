"""The items of a map as they are recorded, once, before any of them begins."""

from __future__ import annotations

import msgspec

from eventflow.facts import Value


class Items(msgspec.Struct, frozen=True):
    """The values of each list, and the items' names where they aren't numbers."""

    values: dict[str, list[Value]]
    keys: list[str] | None = None

    def key(self, index: int) -> str:
        """Give the key that the item at `index` is named by."""
        return str(index) if self.keys is None else self.keys[index]


def items_from(raw: bytes | msgspec.Raw) -> Items:
    """Give the items of a map from their JSON."""
    return _decoder.decode(raw)


_decoder = msgspec.json.Decoder(Items)
