"""What a project's modules define: their globals that are pipelines, sensors or triggers."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar, cast

from eventflow.definition.pipelines import Pipeline
from eventflow.ports import Sensor
from eventflow.triggers import Trigger

T = TypeVar("T")

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """Something that a module defines, and where: `file:line`."""

    value: T
    place: str


@dataclass(frozen=True, slots=True)
class Contents:
    """All that was found, in the order of the modules. What several modules hold is found once."""

    pipelines: list[Found[Pipeline[..., Any]]] = field(default_factory=list[Found[Pipeline[..., Any]]])
    sensors: list[Found[Sensor[Any]]] = field(default_factory=list[Found[Sensor[Any]]])
    triggers: list[Found[Trigger[Any]]] = field(default_factory=list[Found[Trigger[Any]]])


def contents(modules: Sequence[ModuleType]) -> Contents:
    """Look through the globals of modules."""
    found, known = Contents(), set[int]()
    for module in modules:
        for name, value in list(vars(module).items()):
            if id(value) not in known:
                known.add(id(value))
                _sort(found, module, name, value)
    return found


def _sort(found: Contents, module: ModuleType, name: str, value: Any) -> None:
    if isinstance(value, Pipeline):
        found.pipelines.append(Found(cast("Pipeline[..., Any]", value), value.where))
    elif isinstance(value, Trigger):
        found.triggers.append(Found(cast("Trigger[Any]", value), value.place or _assigned(module, name)))
    elif _is_sensor(value):
        place = inspect.getattr_static(value, "place", None)
        found.sensors.append(Found(value, place if isinstance(place, str) else _assigned(module, name)))


def _is_sensor(value: object) -> bool:
    # Looked up without calling anything: proxies and mocks would claim to have every attribute.
    if isinstance(value, type | ModuleType):
        return False
    return all(inspect.getattr_static(value, name, _MISSING) is not _MISSING for name in ("name", "interval", "observe"))


def _assigned(module: ModuleType, name: str) -> str:
    """Give the place where a module assigns a global, or the module's file where it can't be told."""
    file = module.__file__ or module.__name__
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return file
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
            return f"{file}:{node.lineno}"
    return file
