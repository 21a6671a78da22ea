"""The settings of a project: `[tool.eventflow]` in its `pyproject.toml`, and above them the environment.

[tool.eventflow]
drain = "30s"                       # or EVENTFLOW_DRAIN=30s

[tool.eventflow.logs]
attempt_bytes = 1048576             # or EVENTFLOW_LOGS__ATTEMPT_BYTES=1048576

[tool.eventflow.resources]
gpu = 2                             # or EVENTFLOW_RESOURCES__GPU=2
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, NamedTuple, cast, get_args, get_origin

import msgspec
from msgspec import Meta
from msgspec.structs import fields

from eventflow import durations, ids
from eventflow.engine.resources import LARGEST
from eventflow.engine.retention import checked_retention
from eventflow.errors import ProjectError
from eventflow.logs.limits import LogLimits

FILE = "pyproject.toml"
TABLE = "tool.eventflow"

_PREFIX = "EVENTFLOW_"
_NO_SETTINGS = frozenset({"EVENTFLOW_DEBUG", "EVENTFLOW_PROJECT", "EVENTFLOW_FAIL", "EVENTFLOW_POINTS", "EVENTFLOW_SOAK"})
"""Variables of the command line and of the tests, which say nothing about a project."""


_Amount = Annotated[float, Meta(gt=0, le=LARGEST, description=f"a number above 0 and up to {LARGEST}")]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What can be set about a project.

    `state` is the state folder, taken from the project's root. `drain` is how long running tasks may go on when the daemon is asked to
    stop. `durability="relaxed"` syncs once a second instead of at each commit. `threads` bounds how many plain functions run at once.
    `pickle=false` refuses results that JSON can't carry. `resources` are the amounts that tasks may hold, by name: `uses={"gpu": 1}`.
    `retention` is how long an event's identity is kept once the event is gone from its source.
    """

    state: Annotated[str, Meta(description="the path of a folder")] = ".eventflow"
    drain: Annotated[str | int | float, Meta(description="a duration such as '30s', or a number of seconds")] = "30s"
    durability: Annotated[Literal["full", "relaxed"], Meta(description="'full' or 'relaxed'")] = "full"
    threads: Annotated[int, Meta(ge=1, description="a whole number, 1 or more")] = 32
    pickle: Annotated[bool, Meta(description="true or false")] = True
    logs: LogLimits = LogLimits()
    resources: dict[str, _Amount] = {}
    retention: Annotated[str | int | float, Meta(description="a duration such as '30d', at least a week")] = "30d"


def load_settings(root: Path, environment: Mapping[str, str]) -> Settings:
    """Give the settings of the project in `root`. Raises `ProjectError` with every key and value that is wrong."""
    given = _Given([], [])
    for one in (*_of_table(_table(root), root / FILE), *_of_environment(environment)):
        given.take(one)
    if given.mistakes:
        raise ProjectError(given.mistakes)
    return msgspec.convert(_nested(given.values), Settings)


def is_configured(root: Path) -> bool:
    """Tell whether a folder's `pyproject.toml` has `[tool.eventflow]`; one that isn't TOML has it where its text names it."""
    try:
        return _tool(tomllib.loads((root / FILE).read_text("utf-8"))) is not None
    except (OSError, UnicodeDecodeError):
        return False
    except tomllib.TOMLDecodeError:
        return f"[{TABLE}" in (root / FILE).read_text("utf-8")


class _Setting(NamedTuple):
    """A value that somebody has set: its path of keys, what it is called where it was set, and whether it came as text."""

    path: tuple[str, ...]
    value: object
    name: str
    is_text: bool


class _Given(NamedTuple):
    values: list[tuple[tuple[str, ...], object]]
    mistakes: list[str]

    def take(self, setting: _Setting) -> None:
        try:
            self.values.append((setting.path, _converted(setting)))
        except ValueError as error:
            self.mistakes.append(f"{setting.name}: {error}")


def _converted(setting: _Setting) -> object:
    kind = _kind(setting.path)
    try:
        value: object = msgspec.convert(setting.value, kind, strict=not setting.is_text)
    except msgspec.ValidationError as error:
        raise ValueError(f"{setting.value!r} is not {_expected(kind)}") from error
    return _CHECKS.get(setting.path, _as_it_is)(value)


def _expected(kind: object) -> str:
    return next((str(meta.description) for meta in getattr(kind, "__metadata__", ())), "a table")


def _kind(path: tuple[str, ...]) -> object:
    """Give what a setting must be. Raises `ValueError` where there is no such setting."""
    kind: object = Settings
    for depth, key in enumerate(path):
        if not _is_table(kind):
            raise ValueError(f"{path[depth - 1]!r} is one value, not a table of settings")
        kind = _within(kind, key)
    return kind


def _within(table: Any, key: str) -> object:
    if _is_open(table):
        if misnamed := ids.misnamed(key, "resource"):
            raise ValueError(misnamed)
        return get_args(table)[1]
    known = {field.name: field.type for field in fields(table)}
    if key not in known:
        raise ValueError(f"there is no such setting; there are: {', '.join(known)}")
    return known[key]


def _table(root: Path) -> Mapping[str, object]:
    path = root / FILE
    try:
        table = _tool(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ProjectError([f"{path}: can't be read: {error.strerror}"]) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProjectError([f"{path}: isn't TOML: {error}"]) from error
    if table is not None and not isinstance(table, dict):
        raise ProjectError([f"{path}: tool.eventflow must be a table: write [{TABLE}]"])
    return cast("Mapping[str, object]", table or {})


def _tool(document: Mapping[str, Any]) -> object:
    tool: object = document.get("tool")
    return cast("Mapping[str, object]", tool).get("eventflow") if isinstance(tool, dict) else None


def _of_table(table: Mapping[str, object], file: Path, above: tuple[str, ...] = ()) -> Iterator[_Setting]:
    for key, value in table.items():
        path = (*above, key)
        if isinstance(value, dict) and _may_be_table(path):
            yield from _of_table(cast("Mapping[str, object]", value), file, path)
        else:
            yield _Setting(path, value, f"{file}: [{'.'.join((TABLE, *above))}] {key}", is_text=False)


def _of_environment(environment: Mapping[str, str]) -> Iterator[_Setting]:
    for name in sorted(environment):
        if name.startswith(_PREFIX) and name not in _NO_SETTINGS:
            path = tuple(name.removeprefix(_PREFIX).lower().split("__"))
            yield _Setting(path, environment[name], f"environment variable {name}", is_text=True)


def _may_be_table(path: tuple[str, ...]) -> bool:
    try:
        return _is_table(_kind(path))
    except ValueError:
        return False


def _is_table(kind: object) -> bool:
    return _is_open(kind) or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))


def _is_open(kind: object) -> bool:
    """Tell whether a table's keys are the project's own: the names of resources."""
    return get_origin(kind) is dict


def _nested(values: list[tuple[tuple[str, ...], object]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for (*above, key), value in values:
        place = whole
        for step in above:
            place = place.setdefault(step, {})
        place[key] = value
    return whole


def _as_it_is(value: Any) -> object:
    return value


def _checked_state(value: Any) -> object:
    path = PurePath(os.path.normpath(value))
    if not value or "\0" in value or path == PurePath() or set(path.parts) <= {".."} or path == PurePath(path.anchor):
        raise ValueError(f"{value!r} can't be the state folder: it needs a folder of its own")
    return value


def _checked_drain(value: Any) -> object:
    length = float(value) if isinstance(value, str) and value.strip().isdecimal() else value
    durations.seconds(length)
    return length


def _checked_retention(value: Any) -> object:
    checked_retention(value)
    return value


_CHECKS: Mapping[tuple[str, ...], Callable[[Any], object]] = {
    ("drain",): _checked_drain,
    ("retention",): _checked_retention,
    ("state",): _checked_state,
}
