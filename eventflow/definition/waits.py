"""Nodes that wait for the world and hold nothing meanwhile: `wait_for` an event, `sleep_until` an instant, the `approval` of a person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from types import NoneType
from typing import Any, Protocol, TypedDict, TypeVar, Unpack, cast, get_args, get_origin, overload

from eventflow import codec, durations, ids
from eventflow.definition import annotations, checks, places, tracing
from eventflow.definition.annotations import text
from eventflow.definition.bodies import WaitBody
from eventflow.definition.graph import Binding, Node, Wait
from eventflow.definition.options import NoFallback
from eventflow.definition.parameters import as_annotated
from eventflow.definition.references import Reference
from eventflow.definition.scopes import Group
from eventflow.definition.tracing import Trace
from eventflow.durations import Duration
from eventflow.errors import ValueNotStorable
from eventflow.events import Event, Observation

D_co = TypeVar("D_co", covariant=True)
D = TypeVar("D")
T = TypeVar("T")

After = Iterable[object]
_NOTHING = NoFallback.NONE


class EventSource(Protocol[D_co]):
    """A sensor, as far as a wait needs to know it."""

    @property
    def name(self) -> str:
        """What its events carry as `source`."""
        ...

    def observe(self, cursor: object, seen: Any, world: Any, /) -> AsyncIterator[Observation[D_co]]:
        """Yield observations."""
        ...


class Filter(TypedDict, total=False):
    """What `wait_for` takes beside a source and a default."""

    type: str | None
    subject: str | None
    match: Mapping[str, object] | None
    timeout: Duration | None
    after: After
    name: str | None


@overload
def wait_for(source: EventSource[D], *, default: Event[D] | NoFallback = ..., **wanted: Unpack[Filter]) -> Event[D]: ...
@overload
def wait_for(source: EventSource[D], *, default: None, **wanted: Unpack[Filter]) -> Event[D] | None: ...
@overload
def wait_for(source: str, *, default: Event[Any] | NoFallback = ..., **wanted: Unpack[Filter]) -> Event[Any]: ...
@overload
def wait_for(source: str, *, default: None, **wanted: Unpack[Filter]) -> Event[Any] | None: ...
def wait_for(
    source: object,
    *,
    type: str | None = None,  # noqa: A002  # an event's own word
    subject: str | None = None,
    match: Mapping[str, object] | None = None,
    timeout: Duration | None = None,
    default: object = _NOTHING,
    after: After = (),
    name: str | None = None,
) -> object:
    """Wait for an event that comes from now on, and give it.

        paid = wait_for("bank", type="paid", match={"order.id": order}, timeout="30d")

    `source` is a sensor or its name. `match` says which value stands where in the event's data, by dotted path. All of these may be
    references. After `timeout` the node fails or, if there is one, gives `default`: an event, or None.
    """
    trace = tracing.expected("wait_for(...)")
    said = {"source": _source_name(trace, source), "type": type, "subject": subject, "match": _checked_match(trace, match)}
    inputs = {one: trace.bind(value, _FILTERS[one], f"{one} of wait_for(...)") for one, value in said.items() if value is not None}
    event: Any = Event[data_of(source)]
    result: Any = event | None if default is None else event
    seconds = _seconds("timeout", timeout)
    raw = _default(trace, "wait_for(...)", default, result, "timeout" if seconds is None else None)
    body = WaitBody(result, {one: _FILTERS[one] for one in inputs}, seconds, raw)
    return _put(trace, "event", inputs, body, after=after, name=name)


def sleep_until(instant: datetime, *, after: After = (), name: str | None = None) -> object:
    """Wait until an instant, which may be a reference to one: a datetime with a time zone. One in the past is no wait.

        send.after(sleep_until(noon))(letter)

    Its value is None. It is typed as an object so that type checkers let it be handed to `after`.
    """
    trace = tracing.expected("sleep_until(...)")
    _check_zone(trace, instant)
    inputs = {"instant": trace.bind(instant, datetime, "the instant of sleep_until(...)")}
    return _put(trace, "time", inputs, WaitBody(NoneType, {"instant": datetime}), after=after, name=name)


class Asking(TypedDict, total=False):
    """What `approval` takes beside a question, a form and a default."""

    deadline: Duration | None
    who: Iterable[str]
    show: object
    after: After
    name: str | None


@overload
def approval(question: str, *, default: bool | NoFallback = ..., **asking: Unpack[Asking]) -> bool: ...
@overload
def approval(question: str, *, form: type[T], default: T | NoFallback = ..., **asking: Unpack[Asking]) -> T: ...
def approval(
    question: str,
    *,
    form: Any = bool,
    deadline: Duration | None = None,
    default: object = _NOTHING,
    who: Iterable[str] = (),
    show: object = None,
    after: After = (),
    name: str | None = None,
) -> object:
    """Ask a person, and wait for the answer, which has the type `form`.

        yes = approval("Deploy?", deadline="2d", default=False)

    At the `deadline` the node fails or, if there is one, gives `default`. Only those named in `who` may answer; nobody named means
    anybody. `show` is a value or a reference that the person is shown.
    """
    trace = tracing.expected("approval(...)")
    body = WaitBody(
        result=_checked_form(trace, form),
        inputs={} if show is None else {"show": Any},
        timeout=(seconds := _seconds("deadline", deadline)),
        default=_default(trace, "approval(...)", default, form, "deadline" if seconds is None else None),
        question=_checked_question(trace, question),
        who=_checked_people(trace, who),
    )
    inputs = {} if show is None else {"show": trace.bind(show, Any, "show of approval(...)")}
    return _put(trace, "answer", inputs, body, after=after, name=name)


def data_of(sensor: object) -> Any:
    """Give the annotation of what a sensor's events carry as data, Any where the sensor doesn't tell.

    One that knows it only when it is made says so as its `data_type`; of others it stands in the annotation of `observe`.
    """
    said = None if isinstance(sensor, Reference) else getattr(sensor, "data_type", None)
    if said is not None:
        return said
    observes = getattr(type(sensor), "observe", None)
    yields = annotations.of_function(observes).get("return") if callable(observes) else None
    observation = next(iter(get_args(yields)), None)
    data = next(iter(get_args(observation)), Any) if get_origin(observation) is Observation else Any
    return Any if isinstance(data, TypeVar) else data


def _put(trace: Trace, kind: str, inputs: dict[str, Binding], body: WaitBody, *, after: After, name: str | None) -> Reference:
    if name is not None and (mistake := ids.misnamed(name, "node")):
        raise trace.mistake(mistake)
    given = [after] if isinstance(after, Reference | Group) else after
    node = Node("", "", inputs, trace.waited(given, f"after of {_WRITTEN[kind]}(...)"), does=Wait(kind))
    return trace.put(name or _WRITTEN[kind], node, body, body.result, is_fixed=name is not None)


def _source_name(trace: Trace, source: object) -> object:
    if isinstance(source, Reference):
        return source
    name: object = source if isinstance(source, str) else getattr(source, "name", source)
    if mistake := ids.misnamed(name, "sensor"):
        raise trace.mistake(f"wait_for(...) takes a sensor or the name of one: {mistake}")
    return name


def _checked_match(trace: Trace, match: object) -> object:
    if match is None or isinstance(match, Reference):
        return match
    paths = cast("Iterable[object]", match) if isinstance(match, Mapping) else ()
    if not paths or not all(isinstance(path, str) and path for path in paths):
        raise trace.mistake(f'match of wait_for(...) is a dict of values by dotted path, as in match={{"order.id": 7}}, not {match!r}')
    return dict(cast("Mapping[str, object]", match))


def _check_zone(trace: Trace, instant: object) -> None:
    if isinstance(instant, datetime) and instant.utcoffset() is None:
        raise trace.mistake(f"sleep_until({instant!r}) has no time zone: write datetime(..., tzinfo=UTC), or .astimezone()")


def _seconds(word: str, length: Duration | None) -> float | None:
    with places.naming_the_line():
        checks.length(word, length)
    return None if length is None else durations.seconds(length)


def _default(trace: Trace, what: str, default: object, annotation: object, missing: str | None) -> bytes | None:
    if default is _NOTHING:
        return None
    if missing:
        raise trace.mistake(f'default of {what} is what it gives at its {missing}: give that too, as in {missing}="2d"')
    if isinstance(default, Reference):
        raise trace.mistake(f"default of {what} is a plain value, but {default!r} is known only at run time: choose in a task behind it")
    try:
        return codec.encode(as_annotated(default, annotation), annotation)
    except ValueNotStorable as error:
        raise trace.mistake(f"default of {what} is no {text(annotation)}: {error}") from error


def _checked_form(trace: Trace, form: object) -> object:
    if not isinstance(form, type) and get_origin(form) is None:
        raise trace.mistake(f"form of approval(...) is the type of the answer, as in form=Decision, not {form!r}")
    (shape,), _ = codec.schemas([form])
    if shape.keys() == {"description"}:
        instead = "take a dataclass, a struct, a Literal, or a plain type such as bool or str"
        raise trace.mistake(f"form of approval(...) is {annotations.text(form)}, which no answer in JSON can become: {instead}")
    return form


def _checked_question(trace: Trace, question: object) -> str:
    if not isinstance(question, str) or not question:
        raise trace.mistake(f"the question of approval(...) is a text, not {question!r}: what was computed goes in show=...")
    return question


def _checked_people(trace: Trace, who: object) -> tuple[str, ...]:
    people = () if isinstance(who, str) or not isinstance(who, Iterable) else tuple(cast("Iterable[object]", who))
    if isinstance(who, str) or not all(isinstance(one, str) and one for one in people):
        raise trace.mistake(f'who of approval(...) is a list of names, as in who=["ann"], not {who!r}')
    return cast("tuple[str, ...]", people)


_FILTERS: Mapping[str, Any] = {"source": str, "type": str, "subject": str, "match": dict[str, Any]}
_WRITTEN = {"event": "wait_for", "time": "sleep_until", "answer": "approval"}
