"""What becomes of one event at one trigger: asks the trigger's functions, once, and gives their answer as facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from eventflow import codec, facts, states
from eventflow.engine.failures import failure
from eventflow.engine.intake import Intake
from eventflow.errors import ParameterError
from eventflow.events import Event
from eventflow.facts import Fact
from eventflow.triggers import Trigger


def decide(trigger: Trigger[Any], event: Event[Any], name: str, intake: Intake) -> tuple[Fact, ...]:
    """Give the facts of the decision on an event, whose id in the journal is `name`. The trigger's functions may raise: that refuses it."""
    try:
        if trigger.where is not None and not trigger.where(event):
            return (facts.DecisionMade(name, trigger.name, states.FILTERED),)
        call = trigger.run.bind(**_arguments(trigger, event))
    except KeyboardInterrupt:
        raise  # somebody wants the process to end: the event is found again at its next start
    except BaseException as error:  # noqa: BLE001 - user code: whatever it raises, SystemExit too, refuses this event, and the next goes on
        return (facts.DecisionMade(name, trigger.name, states.REFUSED, reason=_reason(error)),)
    submitted = intake.submission(call, event=name, trigger=trigger.name)
    fired = facts.DecisionMade(name, trigger.name, states.FIRED, run=submitted.run)
    return (*intake.graph_facts(trigger.run), submitted, fired)


def _reason(error: BaseException) -> str:
    told = failure(error)
    return told.message if isinstance(error, ParameterError) else str(told)


def _arguments(trigger: Trigger[Any], event: Event[Any]) -> Mapping[str, object]:
    if trigger.params is None:
        fields = _fields(event.data)
        return {name: fields[name] for name in trigger.run.parameters.annotations if name in fields}
    given = cast("object", trigger.params(event))
    if isinstance(given, Mapping):
        return cast("Mapping[str, object]", given)
    raise ParameterError(f"trigger {trigger.name!r}: params gave {type(given).__name__}, not a dict of the pipeline's arguments")


def _fields(data: object) -> Mapping[str, object]:
    if isinstance(data, Mapping):
        return cast("Mapping[str, object]", data)
    return {name: getattr(data, name) for name in codec.field_names(data)}
