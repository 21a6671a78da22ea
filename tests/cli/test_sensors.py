"""`sensors`, `events`, `events emit` and `why` on a daemon at work, and without one."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner, Result

from eventflow.cli.commands import eventflow
from eventflow.client import Client
from tests.cli.conftest import serving

PIPELINES = """
from pathlib import Path

from eventflow import pipeline, task, wait_for


@task
async def keep(number: int) -> int:
    return number


@task
async def note(what: str) -> str:
    return what


@pipeline
def buy(number: int) -> int:
    return keep(number)


@pipeline
def paid(number: str) -> str:
    return note(wait_for("bank", subject=number, name="money").id)
"""

SENSORS = """
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from eventflow import Observation, Trigger
from pipelines.shop import buy


@dataclass
class Order:
    number: int
    note: str = ""
    file: Path | None = None


class Orders:
    \"\"\"Each line of a file is an order; a line that is no number is trouble.\"\"\"

    interval = 60.0

    def __init__(self, name, file):
        self.name = name
        self.file = file

    def __repr__(self):
        return f"<Orders {self.name!r}: https://ada:secret@shop.example/{self.file}>"

    def in_words(self, cursor):
        return f"up to line {cursor or 0}"

    async def observe(self, cursor, seen, world) -> AsyncGenerator[Observation[Order], None]:
        taken = cursor or 0
        while True:
            file = world.root / self.file
            lines = file.read_text().splitlines() if file.exists() else []
            events = [world.event(str(at), Order(int(line))) for at, line in enumerate(lines) if at >= taken]
            taken += len(events)
            yield Observation(events=tuple(events), cursor=taken)
            await world.clock.sleep(3600)


orders = Orders("orders", "orders.txt")
quiet = Orders("quiet", "quiet.txt")

on_order = Trigger("on-order", on=orders, run=buy, where=lambda event: event.data.number > 0)
audit = Trigger("audit", on=orders, run=buy, params=lambda event: {"number": 100 // event.data.number})
"""


@dataclass(frozen=True)
class Call:
    """Calls a command on a project, in this process."""

    project: Path

    def __call__(self, *arguments: str, code: int = 0, input: str | None = None) -> Result:  # noqa: A002 - click's word
        result = CliRunner().invoke(eventflow, ["--project", str(self.project), *arguments], input=input)
        assert result.exit_code == code, result.output
        return result

    def order(self, *numbers: object) -> None:
        """Write orders, and have the sensor see them."""
        with (self.project / "orders.txt").open("a") as file:
            file.writelines(f"{number}\n" for number in numbers)
        self("sensors", "poke", "orders")
        stands = f"up to line {self.ordered}"
        until(self, "sensors", true=lambda known: known[0]["cursor"] == stands)

    @property
    def ordered(self) -> int:
        """How many orders have been written."""
        file = self.project / "orders.txt"
        return len(file.read_text().splitlines()) if file.exists() else 0


def made(folder: Path) -> Path:
    for name, text in {"pipelines/shop.py": PIPELINES, "sensors/shop.py": SENSORS}.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).parent.joinpath("__init__.py").touch()
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with serving(made(tmp_path_factory.mktemp("shopping") / "shop")) as folder:
        yield folder


@pytest.fixture
def call(project: Path) -> Call:
    return Call(project)


def data(result: Result) -> Any:
    return json.loads(result.stdout)


def until(call: Call, *arguments: str, true: Any) -> Any:
    """Give what a command prints as JSON once it is as wanted, looking again at each new fact."""

    async def news(seq: int) -> int:
        async with Client(call.project) as client:
            return (await client.facts(after=seq, wait=20 if seq else 0)).seq

    seq = 0
    while not true(found := data(call(*arguments, "--json"))):
        seq = anyio.run(news, seq)
    return found


def row(result: Result | subprocess.CompletedProcess[str], start: str) -> str:
    """Give the one line of an output that begins so, with single spaces."""
    (found,) = [" ".join(line.split()) for line in result.stdout.splitlines() if line.strip().startswith(start)]
    return found


@contextmanager
def following(call: Call, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Give a process that follows events; it doesn't outlive the block."""
    command = [sys.executable, "-m", "eventflow", "events", "-f", *arguments]
    with subprocess.Popen(command, cwd=call.project, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str], count: int = 1) -> list[str]:
    """Give the next lines that a process prints."""
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(count)]


# sensors


def test_sensors_are_listed_with_health_last_event_lag_and_place(call: Call) -> None:
    call.order(7)
    until(call, "sensors", true=lambda known: known[1]["state"] == "healthy")
    listed = call("sensors")
    assert " ".join(listed.stdout.splitlines()[0].split()) == "sensor kind health since looked last event lag stands at reason"
    assert row(listed, "orders").startswith("orders Orders healthy ")
    assert "up to line " in row(listed, "orders")
    assert row(listed, "quiet").endswith("up to line 0")


def test_a_sensor_is_shown_with_options_triggers_and_events(call: Call) -> None:
    call.order(5)
    shown = call("sensors", "show", "orders")
    assert row(shown, "sensor orders").startswith("sensor orders healthy since ")
    assert row(shown, "shown as") == "shown as <Orders 'orders': https://***@shop.example/orders.txt>"
    assert row(shown, "looks") == "looks every 1m at the latest"
    assert row(shown, "carries") == "carries Order: number, note, file"
    assert row(shown, "identities").endswith(" kept")
    assert row(shown, "on-order").split()[:2] == ["on-order", "buy"]
    assert row(shown, "audit").split()[:2] == ["audit", "buy"]
    assert "on-order fired run " in shown.stdout
    assert "secret" not in shown.stdout
    assert "there is no sensor 'order': there is orders, quiet" in call("sensors", "show", "order", code=64).stderr


def test_a_paused_sensor_says_why_and_finds_later_what_came_meanwhile(call: Call) -> None:
    call.order(8)
    paused = call("sensors", "pause", "orders", "--reason", "the shop is closed").stdout
    assert paused == "sensor orders is paused: `eventflow sensors resume orders` lets it go on\n"
    before = len(data(call("events", "--sensor", "orders", "--json", "-n", "1000")))
    with (call.project / "orders.txt").open("a") as file:
        file.write("9\n")
    assert "is paused, and doesn't look: `eventflow sensors resume orders`" in call("sensors", "poke", "orders").stdout
    listed = row(call("sensors"), "orders")
    assert "paused" in listed
    assert listed.endswith("the shop is closed")
    assert row(call("sensors", "show", "orders"), "reason") == "reason the shop is closed"
    assert call("sensors", "resume", "orders").stdout == "sensor orders goes on\n"
    until(call, "events", "--sensor", "orders", "-n", "1000", true=lambda known: len(known) == before + 1)


def test_a_sensor_that_fails_says_why_and_tries_again_when_it_is_poked(call: Call) -> None:
    (call.project / "quiet.txt").write_text("no number\n")
    assert call("sensors", "poke", "quiet").stdout == "sensor quiet looks at once\n"
    until(call, "sensors", true=lambda known: known[1]["state"] == "degraded")
    assert "ValueError: invalid literal for int()" in row(call("sensors"), "quiet")
    (call.project / "quiet.txt").unlink()
    assert data(call("sensors", "poke", "quiet", "--json"))["sensor"] == "quiet"
    until(call, "sensors", true=lambda known: known[1]["state"] == "healthy")


# events


def test_events_are_listed_by_sensor_and_decision(call: Call) -> None:
    call.order(-3)
    found = data(call("events", "--decision", "filtered", "--json"))
    line = row(call("events", "--sensor", "orders", "--decision", "filtered", "-n", "1"), found[0]["event"][-8:])
    assert "orders orders " in line
    assert "on-order filtered, audit fired run " in line
    assert call("events", "--sensor", "quiet", "--decision", "fired").stdout == "no events\n"
    assert "'done' is not one of" in call("events", "--decision", "done", code=64).stderr
    assert "--json gives one document" in call("events", "-f", "--json", code=64).stderr


def test_an_event_is_published_by_hand_once(call: Call) -> None:
    told = call("events", "emit", "orders", "--id", "by-hand", "-d", "number=4", "-d", "note=4", "-d", "file=a.txt").stdout.splitlines()
    assert told[0].endswith(" is recorded")
    event = told[0].split()[1]
    assert [line.split()[:3] for line in told[1:]] == [["trigger", "on-order", "fired"], ["trigger", "audit", "fired"]]
    again = call(
        "events",
        "emit",
        "orders",
        "--id",
        "by-hand",
        "--data",
        json.dumps({"number": 4, "note": "4", "file": str(Path("a.txt").absolute())}),
    )
    runs = [line.split()[-1] for line in told[1:]]
    assert again.stdout == (
        f"event {event} was there already: nothing is recorded or decided anew; it had fired run {runs[0]}, run {runs[1]}\n"
    )
    assert "is known with another content" in call("events", "emit", "orders", "--id", "by-hand", "-d", "number=5", code=1).stderr
    why = call("why", event).stdout
    assert f"event {event} (orders) of orders was published by hand or by a program" in why
    assert f"event {event} (orders) of orders was published by hand" in call("why", "orders/by-hand").stdout


def test_an_events_data_can_stand_in_a_file_or_come_through_a_pipe(call: Call, tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text('{"number": 11}')
    told = data(call("events", "emit", "orders", "--file", str(tmp_path / "order.json"), "--json"))
    assert len(told["runs"]) == 2
    options = ["--type", "order", "--subject", "s", "--time", "2026-11-20T02:00:00Z"]
    told = data(call("events", "emit", "orders", "--file", "-", *options, "--json", input='{"number": 12}'))
    assert [told["event"][name] for name in ("type", "subject", "time")] == ["order", "s", 1_795_140_000_000_000]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-d", "number=x"], "the data is no Order, which events of orders carry: Expected `int`, got `str` - at `$.number`"),
        (["--data", '{"note": "x"}'], "missing required field `number`"),
        (["--data", "{"], "the data is no JSON"),
        (["--data", "1", "-d", "a=1"], "give the data once"),
        (["-d", "number"], "write -d field=value"),
        (["--time", "tomorrow"], "'tomorrow' is no instant"),
        (["--id", "", "-d", "number=1"], "an event needs an id of its own"),
    ],
)
def test_an_event_that_does_not_fit_is_64_and_one_message(call: Call, options, said) -> None:
    result = call("events", "emit", "orders", *options, code=64)
    assert said in result.stderr
    assert result.stdout == ""


def test_a_typo_in_a_source_is_said(call: Call) -> None:
    told = call("events", "emit", "ordres", "-d", "number=4").stdout.splitlines()
    assert told[1:] == ["no trigger listens to 'ordres', and no sensor bears that name: there is orders, quiet"]
    assert call("events", "emit", "quiet", "-d", "number=4").stdout.splitlines()[1:] == [
        "no trigger listens to quiet: nothing is decided about its events"
    ]


def test_an_event_that_a_trigger_refuses_says_so_at_once(call: Call) -> None:
    told = call("events", "emit", "orders", "-d", "number=0").stdout
    assert "trigger on-order filtered" in told
    assert "trigger audit refused: ZeroDivisionError: " in told


def test_an_event_ends_a_wait_and_why_tells_which(call: Call) -> None:
    run = data(call("submit", "paid", "-p", "number=7", "--json"))["run"]
    until(call, "show", run, true=lambda known: known["run"]["state"] == "suspended")
    told = call("events", "emit", "bank", "--subject", "7").stdout.splitlines()
    assert len(told) == 1
    until(call, "show", run, true=lambda known: known["run"]["state"] == "succeeded")
    assert f"it ended the wait of money in run {run[-8:]}" in call("why", told[0].split()[1]).stdout


def test_events_are_followed_as_they_come(call: Call) -> None:
    call("events", "emit", "orders", "--id", "before-following", "-d", "number=0")
    with following(call, "--sensor", "orders", "--decision", "refused", "-n", "1") as process:
        (first,) = lines(process)
        assert "before-following" in first
        assert "audit refused: ZeroDivisionError" in first
        for number in range(3):
            call("events", "emit", "orders", "-d", "number=1")  # which nobody refuses
            call("events", "emit", "quiet", "--id", f"other-{number}", "-d", "number=0")
            call("events", "emit", "orders", "--id", f"late-{number}", "-d", "number=0")
            assert f"late-{number}" in lines(process)[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert lines(process) == [""]


def test_following_loses_nothing_while_many_come_at_once(call: Call) -> None:
    call.order(1)
    begin = call.ordered
    with following(call, "--sensor", "orders", "-n", "1") as process:
        lines(process)
        call.order(*range(1, 301))
        assert [line.split()[4] for line in lines(process, 300)] == [str(begin + number) for number in range(300)]


# Without a daemon


@pytest.fixture
def ended(tmp_path: Path) -> Call:
    """Gives what calls commands on a project whose daemon has ended."""
    call = Call(made(tmp_path / "shop"))
    with serving(call.project):
        call.order(7, 0)
        until(call, "sensors", true=lambda known: known[1]["state"] == "healthy")
    return call


def test_without_a_daemon_all_is_read_from_the_journal_and_nothing_done(ended: Call) -> None:
    assert len(data(ended("events", "--json"))) == 2
    assert "refused" in ended("events", "-f", "--decision", "refused").stdout
    assert "sensor orders saw event " in ended("why", "orders/0").stdout
    for arguments in (
        ("sensors", "pause", "orders"),
        ("sensors", "resume", "orders"),
        ("sensors", "poke", "orders"),
        ("events", "emit", "orders"),
    ):
        assert "start one with `eventflow serve`" in ended(*arguments, code=1).stderr


def test_without_a_daemon_sensors_say_so_first_and_speak_by_the_code(ended: Call, process) -> None:
    project = ended.project
    (project / "sensors" / "loud.py").write_text("print('loaded')\n")
    listed = process("sensors", cwd=project)
    absent = f"no daemon is at work on {project}/.eventflow: start one with `eventflow serve`. Until then no sensor looks: "
    assert listed.stderr == f"{absent}this is how they stood when the last one ended\nloaded\n"
    assert row(listed, "orders").startswith("orders Orders healthy ")
    assert row(listed, "orders").endswith(" up to line 2")
    shown = process("sensors", "show", "orders", cwd=project / "sensors")
    assert shown.stderr.startswith(absent)
    assert row(shown, "carries") == "carries Order: number, note, file"
    assert row(shown, "on-order").split()[:2] == ["on-order", "buy"]
    listing = process("sensors", "--json", cwd=project)
    assert [(one["sensor"], one["kind"], one["cursor"]) for one in json.loads(listing.stdout)] == [
        ("orders", "Orders", "up to line 2"),
        ("quiet", "Orders", "up to line 0"),
    ]


def test_without_a_daemon_and_with_code_that_does_not_load_the_journal_speaks_alone(ended: Call, process) -> None:
    (ended.project / "sensors" / "shop.py").write_text("1 / 0\n")
    listed = process("sensors", cwd=ended.project)
    assert listed.returncode == 0
    assert listed.stderr.startswith("no daemon is at work on ")
    assert row(listed, "orders").startswith("orders healthy ")
    assert row(listed, "orders").endswith(" 2")
    assert row(process("sensors", "show", "orders", cwd=ended.project), "stands at") == "stands at 2"


def test_a_state_folder_of_its_own_is_not_told_in_the_words_of_another_project(ended: Call, process, tmp_path: Path) -> None:
    kept = ended.project / "kept"
    shutil.copytree(ended.project / ".eventflow", kept)
    listed = process("--project", str(kept), "sensors", cwd=tmp_path)
    assert row(listed, "orders").startswith("orders healthy ")
