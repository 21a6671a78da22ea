"""Importing the modules of a project. One that fails hides nothing that is wrong in the others."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from eventflow.errors import DefinitionError

PIPELINES, SENSORS = "pipelines", "sensors"


def import_all(root: Path, mistakes: list[str]) -> list[ModuleType]:
    """Import the two packages of a project with all their modules, in the order of their names; add what is wrong to `mistakes`."""
    if str(root) not in sys.path[:1]:
        sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    return [module for package in (PIPELINES, SENSORS) for module in _import_package(root, package, mistakes)]


def _import_package(root: Path, package: str, mistakes: list[str]) -> Iterator[ModuleType]:
    folder = root / package
    if not folder.is_dir():
        if package == PIPELINES:
            mistakes.append(f"{folder}: the folder is missing: a project's pipelines are defined in it (`eventflow init FOLDER` shows how)")
        return
    if not (folder / "__init__.py").is_file():
        mistakes.append(f"{folder}: it has no __init__.py: make an empty one, so that Python takes the folder for a package")
        return
    imported = _import(root, package, folder / "__init__.py", mistakes)
    if imported is None:
        return
    yield imported
    for file in _files(folder):
        name = ".".join((package, *file.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__")
        if not all(part.isidentifier() for part in name.split(".")):
            mistakes.append(f"{file}: Python can't import a file of that name: use letters, digits and _")
            continue
        module = _import(root, name, file, mistakes)
        if module is not None:
            yield module


def _files(folder: Path) -> list[Path]:
    inside = ((path, path.relative_to(folder).parts) for path in folder.rglob("*.py"))
    hidden = ("__pycache__", "__main__.py")
    return sorted(
        path
        for path, parts in inside
        if parts != ("__init__.py",) and not any(part.startswith(".") or part in hidden for part in parts) and path.is_file()
    )


def _import(root: Path, name: str, file: Path, mistakes: list[str]) -> ModuleType | None:
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a module is user code: whatever it raises is a mistake in it alone
        mistakes.append(_mistake(error, root, file))
        return None
    origin = module.__file__
    if origin is None or not _lies_in(Path(origin), root):
        mistakes.append(
            f"{file}: Python imports {name!r} from {origin or 'elsewhere'} instead: another package of that name was there first; "
            "uninstall or rename it, or start from another folder"
        )
        return None
    return module


def _lies_in(path: Path, root: Path) -> bool:
    return path.is_relative_to(root) or path.resolve().is_relative_to(root.resolve())


def _mistake(error: BaseException, root: Path, file: Path) -> str:
    if isinstance(error, DefinitionError):
        return f"{error.where or _place(error, root) or file}: {error.message}"
    if isinstance(error, SyntaxError):
        return f"{error.filename or file}:{error.lineno or 1}: {type(error).__name__}: {error.msg}"
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{_place(error, root) or file}: {said}"


def _place(error: BaseException, root: Path) -> str | None:
    """Give the innermost line of the project's own code that an exception passed through."""
    place, step = None, error.__traceback__
    while step is not None:
        written = step.tb_frame.f_code.co_filename
        if Path(written).is_relative_to(root):
            place = f"{written}:{step.tb_lineno}"
        step = step.tb_next
    return place
