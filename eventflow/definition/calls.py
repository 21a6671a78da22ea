"""What a call in a body hands over, by the names of the function's parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import BoundArguments, Parameter, Signature

from eventflow.definition.bindings import Place


def arguments(
    place: Place, signature: Signature, args: tuple[object, ...], kwargs: Mapping[str, object], what: str, *, filled: bool = False
) -> dict[str, object]:
    """Give the arguments of a call by name, `*args` as a list under `"*"`, `**kwargs` as a dict under `"**"`; with defaults if `filled`.

    Raises `DefinitionError` where `what` can't be called so.
    """
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise place.mistake(f"{what}: {error}; it takes {_takes(signature)}") from error
    if filled:
        bound.apply_defaults()
    return dict(_named(bound))


def _takes(signature: Signature) -> str:
    plain = [one.replace(annotation=Parameter.empty) for one in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=Signature.empty))


def _named(bound: BoundArguments) -> Iterator[tuple[str, object]]:
    written = bound.signature.parameters
    for name, value in bound.arguments.items():
        match written[name].kind:
            case Parameter.VAR_POSITIONAL:
                yield "*", list(value)
            case Parameter.VAR_KEYWORD:
                yield "**", value
            case _:
                yield name, value
