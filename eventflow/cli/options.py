"""Options that several commands share."""

from __future__ import annotations

from typing import Any

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


class Given(click.ParamType[tuple[str, str]]):
    """Something with its value, typed as `name=value` behind an option."""

    def __init__(self, option: str, what: str) -> None:
        self.name = f"{what}=value"
        self._option = option
        self._what = what

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value  # pyright: ignore[reportUnknownVariableType]  # click converts a value that it has converted already
        name, equals, text = str(value).partition("=")
        if not name or not equals:
            self.fail(f"{value!r} is no {self._what} with a value: write {self._option} {self._what}=value", param, ctx)
        return name, text


def _texts(ctx: click.Context, param: click.Parameter, given: tuple[tuple[str, str], ...]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, text in given:
        if name in texts:
            raise click.BadParameter(f"{name!r} is given twice", ctx, param)
        texts[name] = text
    return texts


parameters = click.option(
    "-p",
    "texts",
    type=Given("-p", "name"),
    multiple=True,
    callback=_texts,
    help="A parameter of the pipeline, as often as it takes: text and paths as they stand, anything else as JSON.",
)

fields = click.option(
    "-d",
    "texts",
    type=Given("-d", "field"),
    multiple=True,
    callback=_texts,
    help="A field of the event's data, as often as it takes: text and paths as they stand, anything else as JSON.",
)
