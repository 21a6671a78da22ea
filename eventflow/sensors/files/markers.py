"""Markers: `data.csv` is complete when `data.csv.done` lies beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eventflow.definition.places import naming_the_line
from eventflow.sensors.files.readiness import Readiness, Ready
from eventflow.sensors.files.scan import path_in, quote
from eventflow.sensors.files.sweep import Sweep


@dataclass(frozen=True, slots=True)
class Marker:
    """A file is complete when a file of the same name with this ending lies beside it. Files with the ending never fire.

    Raises `DefinitionError`, which names the line, for what can't end a name.
    """

    ending: str

    def __post_init__(self) -> None:
        with naming_the_line():
            if not self.ending or "/" in self.ending or "\0" in self.ending:
                raise ValueError(f"Marker({self.ending!r}) can't end a file's name: give an ending such as '.done'")


class Marked(Readiness):
    """Files beside which their marker lies."""

    def __init__(self, marker: Marker) -> None:
        self._ending = marker.ending

    def beside(self, name: str) -> bool:
        return name.endswith(self._ending)

    async def of(self, settled: Sequence[str], sweep: Sweep) -> Ready:
        markers = {path_in(marker) for marker in sweep.beside}
        ending = quote(self._ending)
        return Ready([version for version in settled if f"{path_in(version)}{ending}" in markers])
