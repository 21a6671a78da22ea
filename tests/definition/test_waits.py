from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import NoneType
from typing import Any, Literal

import msgspec
import pytest

from eventflow import codec
from eventflow.definition.bodies import WaitBody
from eventflow.definition.branches import when
from eventflow.definition.graph import Attribute, DictOf, Item, Node, Output, Parameter, Wait
from eventflow.definition.graph import Literal as Written
from eventflow.definition.grouping import group
from eventflow.definition.pipelines import Pipeline
from eventflow.definition.tasks import task
from eventflow.definition.waits import approval, sleep_until, wait_for
from eventflow.errors import DefinitionError
from eventflow.events import Event, Observation

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVENT = Event(id="1", source="bank", type="paid", data={"order": 7}, time=5)


class Decision(Enum):
    YES = "yes"
    NO = "no"


class Bank:
    name = "bank"

    async def observe(self, cursor: object, seen: object, world: object) -> AsyncGenerator[Observation[dict[str, int]], None]:
        raise NotImplementedError(cursor, seen, world)
        yield Observation()


class Silent:
    name = "silent"

    async def observe(self, cursor: object, seen: object, world: object):  # type: ignore[no-untyped-def]
        raise NotImplementedError(cursor, seen, world)
        yield Observation()


@task
def order() -> int:
    raise NotImplementedError


@task
def noon() -> datetime:
    raise NotImplementedError


@task
def use(given: Any) -> None:
    raise NotImplementedError


def traced(body: Callable[..., Any]) -> tuple[dict[str, Node], dict[str, Any]]:
    definition = Pipeline("p", body).definition
    return {node.name: node for node in definition.graph.nodes}, dict(definition.bodies)


def one(body: Callable[..., Any]) -> tuple[Node, WaitBody]:
    nodes, bodies = traced(body)
    (name,) = nodes
    return nodes[name], bodies[name]


def written(value: object) -> Written:
    return Written(msgspec.Raw(codec.canonical(value)))


def test_a_wait_for_an_event_says_which() -> None:
    node, body = one(lambda: wait_for("bank", type="paid", subject="x", match={"order.id": 7}))
    assert (node.name, node.does) == ("wait_for", Wait("event"))
    assert node.inputs == {
        "source": written("bank"),
        "type": written("paid"),
        "subject": written("x"),
        "match": written({"order.id": 7}),
    }
    assert body == WaitBody(Event[Any], {"source": str, "type": str, "subject": str, "match": dict[str, Any]})


def test_what_is_not_said_is_no_input() -> None:
    node, body = one(lambda: wait_for(Bank()))
    assert node.inputs == {"source": written("bank")}
    assert body.inputs == {"source": str}


def test_the_data_has_the_type_that_the_sensor_says() -> None:
    assert one(lambda: wait_for(Bank()))[1].result == Event[dict[str, int]]
    assert one(lambda: wait_for(Bank(), timeout=5, default=None))[1].result == Event[dict[str, int]] | None
    assert one(lambda: wait_for(Silent()))[1].result == Event[Any]


def test_what_is_waited_for_may_be_known_only_at_run_time() -> None:
    def body(source: str, match: dict[str, Any]) -> None:
        wait_for(source, match={"order": order()})
        wait_for("bank", match=match)

    nodes, _ = traced(body)
    assert nodes["wait_for"].inputs == {"source": Parameter("source"), "match": DictOf({"order": Output("order")})}
    assert nodes["wait_for_2"].inputs["match"] == Parameter("match")


def test_an_event_can_be_taken_apart() -> None:
    def body() -> None:
        event = wait_for("bank")
        use(event.data["order"])
        use(event.time)

    nodes, _ = traced(body)
    assert nodes["use"].inputs == {"given": Output("wait_for", (Attribute("data"), Item("order")))}
    assert nodes["use_2"].inputs == {"given": Output("wait_for", (Attribute("time"),))}


def test_at_a_timeout_it_gives_a_default() -> None:
    _, nothing = one(lambda: wait_for("bank", timeout="2d", default=None))
    assert (nothing.timeout, nothing.default, nothing.result) == (172800.0, b"null", Event[Any] | None)
    _, event = one(lambda: wait_for("bank", timeout=timedelta(seconds=5), default=EVENT))
    assert event.timeout == 5.0
    assert event.default is not None
    assert codec.decode(event.default, event.result) == EVENT
    _, neither = one(lambda: wait_for("bank", timeout=5))
    assert (neither.timeout, neither.default) == (5.0, None)


def test_a_sleep_has_an_instant() -> None:
    node, body = one(lambda: sleep_until(NOON))
    assert (node.name, node.does) == ("sleep_until", Wait("time"))
    assert node.inputs == {"instant": written("2026-11-20T12:00:00Z")}
    assert body == WaitBody(NoneType, {"instant": datetime})


def test_an_instant_may_be_known_only_at_run_time() -> None:
    def body() -> None:
        use.after(sleep_until(noon()))(1)

    nodes, _ = traced(body)
    assert nodes["sleep_until"].inputs == {"instant": Output("noon")}
    assert nodes["use"].after == ("sleep_until",)


def test_an_approval_asks_for_a_yes_unless_it_says_otherwise() -> None:
    node, body = one(lambda: approval("Deploy?"))
    assert (node.name, node.does, node.inputs) == ("approval", Wait("answer"), {})
    assert body == WaitBody(bool, question="Deploy?")


def test_an_approval_has_a_form_a_deadline_a_default_and_people() -> None:
    def body() -> None:
        answer = approval("Deploy?", form=Decision, deadline="1h", default=Decision.NO, who=["ann", "bob"], show=order())
        with when(answer, Decision.YES):
            use(1)

    nodes, bodies = traced(body)
    assert nodes["approval"].inputs == {"show": Output("order")}
    assert bodies["approval"] == WaitBody(Decision, {"show": Any}, 3600.0, b'"no"', "Deploy?", ("ann", "bob"))
    assert nodes["use"].within == "when_approval"


def test_what_is_shown_may_be_a_value_and_the_form_a_literal() -> None:
    form: Any = Literal["a", "b"]
    node, body = one(lambda: approval("Which?", form=form, show={"a": 1}, deadline=1, default="a"))
    assert node.inputs == {"show": written({"a": 1})}
    assert (body.result, body.default) == (Literal["a", "b"], b'"a"')


def test_waits_may_have_a_name_and_something_to_wait_for() -> None:
    def body() -> None:
        first = order()
        with group("late") as late:
            sleep_until(NOON, after=[first], name="lunch")
        wait_for("bank", after=late, name="payment")  # type: ignore[arg-type]
        approval("Sure?", after=first, name="sure")  # type: ignore[arg-type]

    nodes, _ = traced(body)
    assert {name: node.after for name, node in nodes.items()} == {
        "order": (),
        "late.lunch": ("order",),
        "payment": ("late.lunch",),
        "sure": ("order",),
    }


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "no source": (lambda: wait_for(5), "wait_for(...) takes a sensor or the name of one: 5 can't name a sensor"),  # type: ignore[call-overload]
    "a bad source": (lambda: wait_for("The Bank"), "'The Bank' can't name a sensor: use a-z"),
    "a wrong type": (lambda: wait_for("bank", type=5), "type of wait_for(...): int doesn't fit its annotation"),  # type: ignore[call-overload]
    "a subject of a wrong type": (lambda: wait_for("bank", subject=order()), "subject of wait_for(...) wants str, but 'order' is int"),  # type: ignore[call-overload]
    "a match that is no dict": (
        lambda: wait_for("bank", match=["order"]),  # type: ignore[call-overload]
        "match of wait_for(...) is a dict of values by dotted path, as in match={\"order.id\": 7}, not ['order']",
    ),
    "an empty match": (lambda: wait_for("bank", match={}), "is a dict of values by dotted path"),
    "an empty path": (lambda: wait_for("bank", match={"": 1}), "is a dict of values by dotted path"),
    "no time": (lambda: wait_for("bank", timeout=0), "timeout is longer than nothing"),
    "no duration": (lambda: wait_for("bank", timeout="soon"), "'soon' is not a duration"),
    "a default without a timeout": (
        lambda: wait_for("bank", default=None),
        'default of wait_for(...) is what it gives at its timeout: give that too, as in timeout="2d"',
    ),
    "a default that is no event": (lambda: wait_for("bank", timeout=1, default=5), "default of wait_for(...) is no "),  # type: ignore[call-overload]
    "a default known later": (
        lambda: wait_for("bank", timeout=1, default=wait_for("shop")),
        "default of wait_for(...) is a plain value, but <reference to wait_for> is known only at run time",
    ),
    "no zone": (lambda: sleep_until(datetime(2026, 1, 1)), "has no time zone: write datetime(..., tzinfo=UTC), or .astimezone()"),  # noqa: DTZ001
    "no instant": (lambda: sleep_until("noon"), "the instant of sleep_until(...)"),  # type: ignore[arg-type]
    "a reference to no instant": (lambda: sleep_until(order()), "the instant of sleep_until(...) wants datetime, but 'order' is int"),  # type: ignore[arg-type]
    "no question": (lambda: approval(""), "the question of approval(...) is a text, not ''"),
    "a question known later": (
        lambda: approval(order()),  # type: ignore[call-overload]
        "the question of approval(...) is a text, not <reference to order>: what was computed goes in show=...",
    ),
    "a form that is a value": (
        lambda: approval("Sure?", form=Decision.YES),  # type: ignore[call-overload]
        "form of approval(...) is the type of the answer, as in form=Decision, not <Decision.YES",
    ),
    "a default without a deadline": (
        lambda: approval("Sure?", default=True),
        "what it gives at its deadline: give that too, as in deadline=",
    ),
    "a default that is no answer": (
        lambda: approval("Sure?", form=Decision, deadline=1, default="maybe"),  # type: ignore[call-overload]
        "default of approval(...) is no Decision",
    ),
    "no deadline": (lambda: approval("Sure?", deadline=-1), "-1 is not a duration"),
    "one person as a text": (
        lambda: approval("Sure?", who="ann"),
        "who of approval(...) is a list of names, as in who=[\"ann\"], not 'ann'",
    ),
    "a person without a name": (lambda: approval("Sure?", who=["ann", ""]), "is a list of names"),
    "after a value": (lambda: approval("Sure?", after=[5]), "after of approval(...) takes what tasks gave in this body, and groups, not 5"),
    "a bad name": (lambda: approval("Sure?", name="Sure?"), "'Sure?' can't name a node"),
    "a taken name": (lambda: [approval("Sure?", name="x"), sleep_until(NOON, name="x")], "already has a node named 'x'"),
}


@pytest.mark.parametrize(("write", "says"), MISTAKES.values(), ids=MISTAKES)
def test_what_makes_no_wait_is_refused_at_its_line(write: Callable[[], object], says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        traced(lambda: write() and None)
    assert says in str(caught.value)
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{__file__}:")


@pytest.mark.parametrize(
    "wait", [lambda: wait_for("bank"), lambda: sleep_until(NOON), lambda: approval("Sure?")], ids=["event", "time", "answer"]
)
def test_outside_a_body_there_is_no_wait(wait: Callable[[], object]) -> None:
    with pytest.raises(DefinitionError, match="is called outside a pipeline's body: call it in a @pipeline function") as caught:
        wait()
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{__file__}:")
