"""`runs`, `show`, `logs`, `why`, `journal verify`: what is read without a daemon."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner

from eventflow.cli.commands import eventflow


def short(identifier: str) -> str:
    return identifier[-8:]


def test_runs_are_listed_newest_first(command, past) -> None:
    listed = command("runs").stdout.splitlines()
    assert listed[0].split() == ["run", "pipeline", "state", "created", "took", "cause", "reason"]
    assert [line.split()[:3] for line in listed[1:]] == [
        [short(past.bad), "words", "failed"],
        [short(past.good), "words", "succeeded"],
    ]
    assert listed[1].endswith("check")
    assert "s ago)" in listed[1]


def test_runs_can_be_asked_for_by_state_pipeline_and_number(command, past) -> None:
    assert [run["run"] for run in json.loads(command("runs", "--state", "failed", "--json").stdout)] == [past.bad]
    assert [run["run"] for run in json.loads(command("runs", "--limit", "1", "--json").stdout)] == [past.bad]
    assert command("runs", "--pipeline", "others").stdout == "no runs\n"
    assert json.loads(command("runs", "--pipeline", "others", "--json").stdout) == []


def test_a_run_is_shown_with_arguments_nodes_and_result(command, past) -> None:
    shown = command("show", short(past.good)).stdout
    assert shown.startswith(f"run {short(past.good)} of words succeeded\n")
    assert f"  id         {past.good}\n" in shown
    assert [line.split()[:3] for line in shown.splitlines() if line.startswith(("load", "check"))] == [
        ["load", "succeeded", "1"],
        ["check", "succeeded", "1"],
    ]
    assert json.loads(command("show", short(past.good), "--json").stdout)["run"]["run"] == past.good


def test_a_failed_run_is_shown_with_message_place_and_traceback(command, past) -> None:
    shown = command("show", short(past.bad)).stdout
    assert "ValueError at " in shown
    assert "conftest.py:" in shown
    assert "\n  line 3: forged\n" in shown
    assert "Traceback (most recent call last):" in shown


def test_logs_are_shown_of_all_nodes_or_one_or_one_attempt(command, past) -> None:
    lines = command("logs", short(past.good)).stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["load", "check#2"]
    assert lines[0].endswith("loading")
    assert len(command("logs", past.good, "check").stdout.splitlines()) == 1
    assert command("logs", past.good, "--attempt", "3").stdout == ""
    assert [line["node"] for line in json.loads(command("logs", past.good, "--json").stdout)] == ["load", "check"]


def test_following_logs_without_a_daemon_ends(command, past) -> None:
    assert len(command("logs", past.good, "-f").stdout.splitlines()) == 2


def test_following_and_one_json_document_exclude_each_other(command, past) -> None:
    result = command("logs", past.good, "-f", "--json")
    assert (result.exit_code, result.stdout) == (64, "")
    assert "--json gives one document" in result.stderr


def test_why_explains_an_event_a_run_and_a_node(command, past) -> None:
    assert "trigger on-drop could make no run of it" in command("why", short(past.event)).stdout
    assert "it failed: node check failed" in command("why", past.bad).stdout
    assert "check needs load to succeed first" in command("why", f"{short(past.bad)}/check").stdout
    assert json.loads(command("why", past.bad, "--json").stdout)["about"] == "run"


def test_the_journal_is_verified(command) -> None:
    assert command("journal", "verify").stdout.endswith("facts, and nothing wrong with them\n")
    assert json.loads(command("journal", "verify", "--json").stdout)["problems"] == []


# A56, A57
@pytest.mark.parametrize(
    "arguments",
    [
        ("runs",),
        ("runs", "--json"),
        ("show", "good"),
        ("show", "good", "--json"),
        ("show", "bad"),
        ("show", "bad", "--json"),
        ("logs", "good"),
        ("logs", "good", "--json"),
        ("why", "event"),
        ("why", "event", "--json"),
        ("why", "bad"),
        ("why", "bad/check"),
        ("why", "bad/check", "--json"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("is_coloured", [False, True])
def test_nothing_gives_orders_to_the_terminal(command, past, monkeypatch, arguments, is_coloured) -> None:
    if is_coloured:
        monkeypatch.setenv("FORCE_COLOR", "1")
    result = command(arguments[0], *named(past, arguments[1:]))
    assert result.exit_code == 0, result.stderr
    assert ("\x1b[" in result.stdout) is (is_coloured and "--json" not in arguments)
    assert all(order not in result.stdout for order in ("\x1b[31mred", "\x1b]", "\x07", "\x9b", "\u202e"))
    uncoloured = re.sub(r"\x1b\[[\d;]*m", "", result.stdout)
    assert [char for char in uncoloured if not char.isprintable() and char != "\n"] == []


def named(past, arguments) -> list[str]:
    """Put ids in the place of the names of `past`."""
    return [re.sub("^(good|bad|event)", lambda name: getattr(past, name[0]), one) for one in arguments]


def test_a_line_end_in_a_name_forges_no_line(command, past) -> None:
    (about,) = [line for line in command("why", past.event).stdout.splitlines() if "saw event" in line]
    assert about.endswith(r"\u202e\nforged")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "ffffffff"), "there is no run ffffffff"),
        (("show", "abc"), "'abc' is too short: give at least the last 4 digits of the id"),
        (("show", "../.."), "there is no such address"),
        (("why", "ffffffff"), "there is no run or event ffffffff"),
        (("runs", "--limit", "0"), "Invalid value for '--limit'"),
        (("runs", "--state", "done"), "Invalid value for '--state'"),
        (("runs", "--colour"), "No such option"),
        (("nothing",), "No such command 'nothing'"),
        (("show",), "Missing argument 'RUN'"),
        (("journal", "mend"), "No such command 'mend'"),
    ],
)
def test_a_usage_that_makes_no_sense_is_one_message_and_64(command, arguments, said) -> None:
    result = command(*arguments)
    assert (result.exit_code, result.stdout) == (64, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_node_that_is_not_there_names_those_that_are(command, past) -> None:
    result = command("logs", past.good, "lode")
    assert (result.exit_code, result.stderr) == (64, f"run {short(past.good)} of words has no node 'lode': there is load, check\n")


def test_what_needs_a_daemon_says_so(command, past) -> None:
    for arguments in (("cancel", past.good), ("submit", "words")):
        result = command(*arguments)
        assert result.exit_code == 1
        assert "start one with `eventflow serve`" in result.stderr


def test_a_repair_wants_the_loss_to_be_accepted(command) -> None:
    result = command("journal", "repair")
    assert result.exit_code == 74
    assert "--accept-loss" in result.stderr


def test_a_repair_tells_what_it_kept_and_where_the_old_files_are(past, tmp_path) -> None:
    folder = tmp_path / "state"
    shutil.copytree(past.folder, folder)
    repaired = CliRunner().invoke(eventflow, ["--project", str(folder), "journal", "repair", "--accept-loss"])
    assert repaired.exit_code == 0, repaired.stderr
    kept, aside = repaired.stdout.splitlines()
    assert kept.endswith("facts are kept; 0 are known to be lost")
    assert aside.startswith(f"the damaged files are in {folder}/damaged-")


def test_a_journal_with_something_wrong_is_74(past, tmp_path) -> None:
    folder = tmp_path / "state"
    shutil.copytree(past.folder, folder)
    with closing(sqlite3.connect(folder / "journal.db")) as journal, journal:
        journal.execute("UPDATE runs SET state = 'queued'")
    verified = CliRunner().invoke(eventflow, ["--project", str(folder), "journal", "verify"])
    assert verified.exit_code == 74
    assert "rows of runs are not what the facts say" in verified.stdout
