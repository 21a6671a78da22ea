"""Names by which sensors and triggers refer to what is defined elsewhere: one that is written wrong would be waited for in vain."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from eventflow.ports import References, Referring, Sensor
from eventflow.project.contents import Contents

_CLOSE = 0.8
"""How much alike two words are that are taken for one: `ordres` and `orders`, `conut` and `count`, but not `east` and `west`."""


def wrong_names(found: Contents) -> Iterator[str]:
    """Give each name that leads nowhere as a mistake, `file:line: message`.

    A pipeline must be one of the project. Events of a source may be published by hand, without a sensor: its name is a mistake only where
    it looks like that of a sensor, and nothing else in the project names it too.
    """
    pipelines = {one.value.name for one in found.pipelines}
    sensors = {one.value.name for one in found.sensors}
    referred = [(sensor.place, f"sensor {sensor.value.name!r}", _referred(sensor.value)) for sensor in found.sensors]
    referred += [(one.place, f"trigger {one.value.name!r}", _listened(one.value.on)) for one in found.triggers]
    used = Counter(name for *_, names in referred if isinstance(names, References) for name in names.sources)
    for place, who, names in referred:
        if isinstance(names, str):
            yield f"{place}: {who} {names}"
            continue
        for name in sorted(names.pipelines - pipelines):
            yield f"{place}: {who} refers to the pipeline {name!r}, which isn't in this project: {_instead(name, pipelines)}"
        for name in sorted(names.sources - sensors):
            if used[name] == 1 and (meant := _meant(name, sensors)):
                yield f"{place}: {who} refers to the events of {name!r}, and no sensor bears that name: did you mean {meant!r}?"


def _referred(sensor: Sensor[Any]) -> References | str:
    try:
        names = sensor.refers_to if isinstance(sensor, Referring) else References()
    except Exception as error:  # noqa: BLE001 - a property may be user code: what it raises is a mistake in it alone
        return f"has a refers_to that can't be read: {type(error).__name__}: {error}"
    if not isinstance(names, References):  # pyright: ignore[reportUnnecessaryIsInstance] - what people write
        return f"has refers_to {names!r}: give References(pipelines=..., sources=...)"
    return names


def _listened(on: object) -> References:
    return References(sources=frozenset({on})) if isinstance(on, str) else References()


def _instead(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=_CLOSE)
    return f"did you mean {close[0]!r}?" if close else f"there is {', '.join(sorted(known)) or 'none'}"


def _meant(name: str, known: Collection[str]) -> str | None:
    """Give the name that was most likely meant. `orders-eu` and `inbox2` are names of their own beside `orders` and `inbox`."""
    alike = [one for one in known if len(_words(one)) == len(_words(name)) and all(map(_is_close, _words(name), _words(one)))]
    return next(iter(difflib.get_close_matches(name, alike, n=1, cutoff=0.0)), None)


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+|[0-9]+", name)


def _is_close(one: str, other: str) -> bool:
    return one == other or (one.isalpha() and difflib.SequenceMatcher(None, one, other).ratio() >= _CLOSE)
