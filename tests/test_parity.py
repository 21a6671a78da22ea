"""What a person can do in Python can be done over HTTP, by a client and on the command line too, in the same words."""

from __future__ import annotations

import inspect
from typing import NamedTuple

import click
import pytest
from starlette.routing import Route

from eventflow.cli.commands import COMMANDS, eventflow
from eventflow.client import Client
from eventflow.engine.engine import Engine
from eventflow.engine.supervisor import Supervisor
from eventflow.journal.memory import MemoryJournal
from eventflow.server.app import create_reading_app


class Ways(NamedTuple):
    """The ways to one thing beside Python: a route, a method of the client, a command with the option or argument that makes it so."""

    route: str
    client: str
    command: str
    said: str | None = None


WAYS = {
    "submit": Ways("POST /api/runs", "submit", "submit"),
    "find": Ways("GET /api/runs/{run}", "run", "show"),
    "state": Ways("GET /api/runs/{run}", "run", "show"),
    "result": Ways("GET /api/runs/{run}", "run", "show"),
    "wait": Ways("GET /api/facts", "follow", "submit", "wait"),
    "cancel": Ways("POST /api/runs/{run}/cancel", "cancel", "cancel", "node"),
    "pause": Ways("POST /api/runs/{run}/pause", "pause", "pause", "what"),
    "unpause": Ways("POST /api/runs/{run}/unpause", "unpause", "unpause", "what"),
    "pause_pipeline": Ways("POST /api/pipelines/{pipeline}/pause", "pause_pipeline", "pause", "reason"),
    "unpause_pipeline": Ways("POST /api/pipelines/{pipeline}/unpause", "unpause_pipeline", "unpause", "what"),
    "waiting": Ways("GET /api/waiting", "waiting", "waiting"),
    "answer": Ways("POST /api/runs/{run}/answer", "answer", "answer", "by"),
    "plan_rerun": Ways("POST /api/runs/{run}/rerun", "plan_rerun", "rerun", "dry"),
    "rerun": Ways("POST /api/runs/{run}/rerun", "rerun", "rerun", "since"),
    "resolve": Ways("POST /api/runs/{run}/resolve", "resolve", "resolve", "choice"),
    "publish": Ways("POST /api/events", "publish", "events emit", "source"),
}

OF_SENSORS = {
    "pause": Ways("POST /api/sensors/{sensor}/pause", "pause_sensor", "sensors pause", "reason"),
    "resume": Ways("POST /api/sensors/{sensor}/resume", "resume_sensor", "sensors resume", "sensor"),
    "poke": Ways("POST /api/sensors/{sensor}/poke", "poke_sensor", "sensors poke", "sensor"),
    "is_paused": Ways("GET /api/sensors", "sensors", "sensors"),
    "looked_at": Ways("GET /api/sensors/{sensor}", "sensor", "sensors show", "sensor"),
}

NOT_FOR_PEOPLE = {
    "publish_all": "for programs that have a batch: a person publishes one event at a time",
    "running": "the engine's own life: `eventflow serve`, or `open_engine`",
    "close": "the engine's own life: a signal to the daemon",
    "handle": "a handle is Python's own: over HTTP a run is its id",
}

ROUTES = {
    f"{method} {route.path}"
    for route in create_reading_app(MemoryJournal()).routes
    if isinstance(route, Route)
    for method in (route.methods or ()) - {"HEAD"}
}


NO_WISHES = {"POST /hooks/{name}": "what programs deliver: a person publishes the event"}

SAID_OTHERWISE = {"call": "pipeline", "arguments": "parameters", "event": "source"}


def public(kind: type) -> dict[str, object]:
    return {name: value for name, value in vars(kind).items() if not name.startswith("_") and inspect.isfunction(value)}


def test_everything_an_engine_does_can_be_done_in_every_way() -> None:
    assert set(public(Engine)) == WAYS.keys() | NOT_FOR_PEOPLE.keys()
    assert set(public(Supervisor)) == OF_SENSORS.keys() | {"run", "recall", "looked"}  # the engine's own life, and a wait of Python's own


@pytest.mark.parametrize("ways", [*WAYS.values(), *OF_SENSORS.values()])
def test_each_way_is_there(ways: Ways) -> None:
    assert ways.route in ROUTES
    assert ways.client in public(Client)
    command: click.Command | None = eventflow
    for word in ways.command.split():
        assert isinstance(command, click.Group)
        command = command.get_command(command.make_context(command.name, ["--help"], resilient_parsing=True), word)
    assert command is not None
    assert ways.said is None or ways.said in {parameter.name for parameter in command.params}


@pytest.mark.parametrize("name", sorted(WAYS.keys() & public(Client).keys()))
def test_the_client_takes_what_the_engine_takes(name: str) -> None:
    assert_takes(getattr(Engine, name), getattr(Client, name))


@pytest.mark.parametrize("name", ["pause", "resume", "poke"])
def test_the_client_takes_what_the_sensors_take(name: str) -> None:
    assert_takes(getattr(Supervisor, name), getattr(Client, OF_SENSORS[name].client))


def assert_takes(does: object, asks: object) -> None:
    wanted, given = (inspect.signature(one).parameters for one in (does, asks) if callable(one))
    assert [SAID_OTHERWISE.get(one, one) for one in wanted if SAID_OTHERWISE.get(one, one) not in given] == []


def test_every_route_that_changes_something_is_a_thing_that_an_engine_does() -> None:
    assert {route for route in ROUTES if route.startswith("POST ")} - NO_WISHES.keys() == {
        ways.route for ways in (*WAYS.values(), *OF_SENSORS.values()) if ways.route.startswith("POST ")
    }


def test_every_command_that_changes_a_run_is_a_thing_that_an_engine_does() -> None:
    others = {"serve", "runs", "show", "logs", "why", "run", "graph", "check", "init", "journal", "deploy-plan"}
    done = {ways.command.partition(" ")[0] for ways in (*WAYS.values(), *OF_SENSORS.values())}
    assert set(COMMANDS) - others == done - others
