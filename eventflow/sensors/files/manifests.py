"""Manifests: files that say which others are complete. All that one names fire when all are there and as it says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes

from eventflow import escapes
from eventflow.definition.places import naming_the_line
from eventflow.errors import FileChanged, SensorError
from eventflow.ports import World
from eventflow.sensors.files.globs import Globs
from eventflow.sensors.files.identities import Beginning, Identities, There, complete_manifests
from eventflow.sensors.files.listing import Listed, listed
from eventflow.sensors.files.readiness import Readiness, Ready
from eventflow.sensors.files.scan import Version, below, path_in, version_of
from eventflow.sensors.files.settle import Settling
from eventflow.sensors.files.sweep import Sweep, version_at
from eventflow.sensors.files.versions import digest, opened
from eventflow.threads import in_loose_thread

_LONGEST = 64 << 20
"""Bytes of a manifest: more than any that somebody meant."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Files are complete when a file whose name fits this shell pattern names them, and all that it names are there and as it says.

    A line is a name, a name with its size in bytes, or what `sha256sum` writes; names start from the manifest's folder. Manifests never
    fire themselves. Raises `DefinitionError`, which names the line, for a pattern that can't be a name's.
    """

    pattern: str
    globs: Globs = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        with naming_the_line():
            if "/" in self.pattern:
                raise ValueError(f"Manifest({self.pattern!r}) is about names alone: give a pattern without '/', such as '*.manifest'")
            object.__setattr__(self, "globs", Globs(self.pattern))


class Listing(Readiness):
    """Files that a complete manifest names.

    A manifest that has been found complete stays so, which the journal knows: else the first of its files to be moved away would hold up
    the others. It must settle itself, so that one that is still being written isn't taken for a short one. Digests are worked out beside.
    """

    def __init__(self, manifest: Manifest, world: World, settle: float, fired: Identities, tell: Callable[[], None]) -> None:
        self._is_manifest = manifest.globs.names_in("")
        self._world = world
        self._tell = tell
        self._settling = Settling(settle)
        self._fired = fired
        self._complete = complete_manifests()
        self._lists: dict[str, Mapping[str, Listed]] = {}
        self._digests: dict[tuple[str, str], str] = {}
        self._before: dict[tuple[str, str], str] = {}
        self._wanted: dict[tuple[str, str], None] = {}
        self._summing: asyncio.Task[None] | None = None
        self._troubles: dict[str, str] = {}
        self._said: set[str] = set()

    def beside(self, name: str) -> bool:
        return self._is_manifest(name)

    def begin(self, seen: Mapping[str, int | None], there: There) -> Beginning:
        return self._complete.begin(seen, there)

    async def of(self, settled: Sequence[str], sweep: Sweep) -> Ready:
        now = self._world.clock.monotonic()
        manifests = self._settling.look(sweep.beside, sweep.beside, now, now)
        ready = await in_loose_thread(lambda: self._look(settled, manifests, sweep), "eventflow-manifests")
        for manifest in sorted(self._troubles.keys() - self._said):
            self._world.instrument.troubled(f"sensor {self._world.source}", SensorError(self._troubles[manifest]))
        self._said = set(self._troubles)
        if self._wanted and (self._summing is None or self._summing.done()):
            self._summing = asyncio.create_task(self._sum(list(self._wanted)))
        return ready

    def gone(self, there: There) -> tuple[str, ...]:
        return self._complete.gone(there)

    @property
    def next(self) -> float | None:
        return self._settling.next

    async def close(self) -> None:
        if self._summing is not None:
            self._summing.cancel()
            await asyncio.wait([self._summing])

    def _look(self, settled: Sequence[str], manifests: Sequence[str], sweep: Sweep) -> Ready:
        # Only what this look asks for is kept for the next one.
        self._before, self._digests, self._wanted, self._troubles = self._digests, {}, {}, {}
        self._lists = {manifest: self._lists.get(manifest) or self._read(manifest) for manifest in manifests}
        found = {path_in(version): version for version in sweep.found}
        waiting = set(settled)
        at_rest = {path: version for path, version in found.items() if version in waiting or self._fired.holds(version)}
        new = [manifest for manifest in manifests if not self._complete.holds(manifest) and self._all_there(manifest, found, at_rest)]
        for manifest in new:
            self._complete.take(manifest, None)
        ready = {at_rest[path] for manifest in manifests if self._complete.holds(manifest) for path in self._fitting(manifest, at_rest)}
        return Ready([version for version in settled if version in ready], [self._complete.event(manifest, None) for manifest in new])

    def _all_there(self, manifest: str, found: Mapping[str, str], at_rest: Mapping[str, str]) -> bool:
        """Tell whether all that a manifest names is there: what the sensor doesn't look for as well."""
        named = self._lists[manifest]
        versions = {path: at_rest.get(path) if path in found else version_at(path, self._world.root) for path in named}
        return bool(named) and all(version is not None and self._fits(version, named[path]) for path, version in versions.items())

    def _fitting(self, manifest: str, at_rest: Mapping[str, str]) -> list[str]:
        return [path for path, said in self._lists[manifest].items() if path in at_rest and self._fits(at_rest[path], said)]

    def _fits(self, version: str, said: Listed) -> bool:
        if said.size is not None and version_of(version).size != said.size:
            return False
        return said.digest is None or any(self._digest(version, algorithm) == said.digest for algorithm in said.algorithms)

    def _digest(self, version: str, algorithm: str) -> str | None:
        """Give a digest, None while it isn't known: then it is worked out beside, since that may take long."""
        key = version, algorithm
        known = self._digests.get(key) or self._before.get(key)
        if known is None:
            self._wanted[key] = None
        else:
            self._digests[key] = known
        return known

    async def _sum(self, wanted: Sequence[tuple[str, str]]) -> None:
        for version, algorithm in wanted:
            try:
                self._digests[version, algorithm] = await self._summed(version_of(version), algorithm)
            except (FileChanged, OSError):  # the next look finds what it is by then
                continue
            self._tell()

    async def _summed(self, version: Version, algorithm: str) -> str:
        return await in_loose_thread(lambda: digest(self._world.root / version.path, version, algorithm), "eventflow-digest")

    def _read(self, manifest: str) -> Mapping[str, Listed]:
        version = version_of(manifest)
        path = self._world.root / version.path
        folder = path_in(manifest).rpartition("/")[0]
        try:
            with opened(path, version) as file:
                text = file.read(_LONGEST)
            named = listed(text, lambda name: version_at(_below(folder, name), self._world.root) is not None)
        except FileChanged:  # as above
            return {}
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            self._troubles[manifest] = f"the manifest {escapes.path(path)} can't be used: {why}. What it names waits until it is changed."
            return {}
        return {_below(folder, name): said for name, said in named.items()}


def _below(folder: str, name: bytes) -> str:
    return below(folder, quote_from_bytes(name, safe="/"))
