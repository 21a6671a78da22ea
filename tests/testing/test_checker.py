from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from eventflow import Retry, codec, facts, pipeline, task
from eventflow.definition import graph as graphs
from eventflow.facts import Fact, Failure, Inline, Record, Stored, Unit
from eventflow.journal.memory import MemoryJournal
from eventflow.journal.sqlite import open_sqlite
from eventflow.journal.tables import Tables
from eventflow.projections import TABLES, NodeRow, RunRow, SeenRow, project
from eventflow.system import SystemClock
from eventflow.testing import Ledger, check, check_folder
from eventflow.testing.evidence import Evidence
from eventflow.testing.invariants import INVARIANTS, violations
from eventflow.testing.ledger import (
    SUBMIT,
    Acknowledged,
    BodyEnded,
    BodyStarted,
    CancelAcknowledged,
    Entry,
    ProcessEnded,
    Sent,
)


@task(at_most_once=True)
def first(x: int) -> int:
    return x


@task(retry=Retry(attempts=2), max_crashes=2)
def second(x: int) -> int:
    return x


@pipeline
def pair(x: int) -> int:
    return second(first(x))


# One event fires run "r"; a person asks for run "s"; in both, `first` succeeds, `second` fails once and then succeeds.

ONE = Inline(msgspec.Raw(b"1"))
VERSION = pair.definition.version


def work(run: str) -> list[Fact]:
    return [
        facts.RunStarted(run),
        facts.AttemptStarted(run, "first", 1),
        facts.AttemptSucceeded(run, "first", 1, 0, ONE),
        facts.AttemptStarted(run, "second", 1),
        facts.AttemptFailed(run, "second", 1, 0, "error", Failure("OSError", "once"), due=7),
        facts.AttemptStarted(run, "second", 2),
        facts.AttemptSucceeded(run, "second", 2, 0, ONE),
        facts.RunSucceeded(run, ONE),
    ]


EVENT = facts.EventRecorded("e", "inbox", "a", "file", 1, msgspec.Raw(b"{}"))
FOR_EVENT = facts.RunSubmitted("r", "pair", VERSION, msgspec.Raw(b"{}"), event="e", trigger="t")
FIRED = facts.DecisionMade("e", "t", "fired", "r")
BY_HAND = facts.RunSubmitted("s", "pair", VERSION, msgspec.Raw(b"{}"), key="k")
GRAPH = facts.GraphRecorded(VERSION, msgspec.Raw(graphs.encode(pair.definition.graph)))
FACTS: list[Fact] = [GRAPH, EVENT, FOR_EVENT, FIRED, BY_HAND, *work("r"), *work("s")]


def records_of(happened: Sequence[Fact]) -> list[Record]:
    """Each fact at the instant of its place, in tens."""
    return [Record(seq, seq * 10, fact) for seq, fact in enumerate(happened, 1)]


def bodies(run: str, start: int) -> list[Entry]:
    """Each body between its start's and its ending's fact: these are at `start` and each ten behind it."""
    done = codec.digest(b"1")
    return [
        BodyStarted(start + 1, run, "first", 1, 11),
        BodyEnded(start + 2, run, "first", 1, 11, done),
        BodyStarted(start + 21, run, "second", 1, 11),
        BodyEnded(start + 22, run, "second", 1, 11),
        BodyStarted(start + 41, run, "second", 2, 11),
        BodyEnded(start + 42, run, "second", 2, 11, done),
    ]


SENT = [Sent(1, "inbox", "a"), Sent(2, SUBMIT, "k")]
FIRST_START = 70  # the instant of AttemptStarted("r", "first", 1)
ENTRIES = [*SENT, Acknowledged(60, SUBMIT, "k"), *bodies("r", FIRST_START), *bodies("s", FIRST_START + 80)]


def evidence(happened: Sequence[Fact] = FACTS, entries: Sequence[Entry] = ENTRIES, *, finished: bool = True) -> Evidence:
    tables = Tables()
    records = records_of(happened)
    for record in records:
        tables.apply(project(record.fact, record.seq, record.at))
    rows = {table: list(tables.all(table).values()) for table in TABLES}
    return Evidence(records, rows, entries, {"pair": pair}, {"inbox": ("t",)}, finished)


def broken(found: Evidence) -> set[str]:
    return {said.partition(":")[0] for said in violations(found)}


def with_facts(*happened: Fact) -> Evidence:
    """Sound evidence, but with other records: rows are left as they were, since no journal would have made any of this."""
    return replace(evidence(), records=records_of(happened))


def with_entries(*entries: Entry) -> Evidence:
    return replace(evidence(), entries=[*ENTRIES, *entries])


def without(*gone: Fact) -> list[Fact]:
    return [fact for fact in FACTS if fact not in gone]


def test_a_sound_history_has_no_violation():
    assert violations(evidence()) == []


def test_every_invariant_has_a_test_that_breaks_it():
    written = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    assert {name.upper() for name in re.findall(r"^(?:async )?def test_(i\d+)_", written, re.MULTILINE)} == {*INVARIANTS, "I14", "I17"}


@pytest.mark.parametrize(
    "entry",
    [Acknowledged(3, "inbox", "lost"), Acknowledged(3, SUBMIT, "lost"), CancelAcknowledged(3, "lost")],
)
def test_i1_an_acknowledged_event_run_or_cancel_is_missing(entry: Entry):
    assert broken(with_entries(entry)) == {"I1"}


def test_i1_a_cancel_of_a_run_that_has_ended_may_be_acknowledged():
    assert broken(with_entries(CancelAcknowledged(500, "r"))) == set()


def test_i2_an_event_is_recorded_twice():
    assert "I2" in broken(with_facts(*FACTS, msgspec.structs.replace(EVENT, event="e2"), facts.DecisionMade("e2", "t", "filtered")))


def test_i2_an_identity_whose_retention_is_over_may_come_again():
    again = [
        facts.IdentitiesForgotten("inbox", ("a",)),
        facts.IdentitiesExpired("inbox", ("a",)),
        msgspec.structs.replace(EVENT, event="e2"),
        facts.DecisionMade("e2", "t", "filtered"),
    ]
    assert broken(evidence([*FACTS, *again])) == set()


def test_i2_a_trigger_did_not_decide():
    assert broken(replace(evidence(), triggers={"inbox": ("t", "other")})) == {"I2"}


def test_i2_a_trigger_decided_twice():
    assert "I2" in broken(with_facts(*FACTS, FIRED))


def test_i2_a_decision_names_a_run_that_is_not_there():
    assert "I2" in broken(with_facts(*(msgspec.structs.replace(fact, run="x") if fact == FIRED else fact for fact in FACTS)))


def test_i2_a_key_has_two_runs():
    assert "I2" in broken(with_facts(*FACTS, msgspec.structs.replace(BY_HAND, run="x")))


def test_i3_a_run_that_nobody_asked_for():
    assert broken(replace(evidence(), entries=[entry for entry in ENTRIES if entry != SENT[1]])) == {"I3"}


def test_i3_a_run_for_an_event_that_no_decision_fired():
    other = msgspec.structs.replace(FIRED, outcome="filtered", run=None)
    assert broken(evidence([other if fact == FIRED else fact for fact in FACTS])) == {"I3"}


def test_i3_an_event_that_was_never_sent():
    extra = [msgspec.structs.replace(EVENT, event="e2", id="b"), facts.DecisionMade("e2", "t", "filtered")]
    assert broken(evidence([*FACTS, *extra])) == {"I3"}


def test_i4_an_event_that_was_sent_never_came():
    assert broken(with_entries(Sent(3, "inbox", "b"))) == {"I4"}
    assert broken(replace(with_entries(Sent(3, "inbox", "b")), finished=False)) == set()


def test_i4_an_event_was_taken_for_known_and_never_decided_on():
    taken = evidence([*FACTS, facts.IdentitiesKnown("inbox", ("b",))], [*ENTRIES, Sent(3, "inbox", "b")], finished=False)
    assert broken(taken) == {"I4"}


def test_i5_a_node_is_to_be_tried_again_and_nothing_says_when():
    rows = evidence().rows
    forgotten = NodeRow("r", "second", "retrying", 1, due=None)
    assert "I5" in broken(replace(evidence(), rows={**rows, NodeRow: [forgotten]}))


def test_i5_a_node_still_runs_in_a_run_that_has_ended():
    happened = [fact for fact in FACTS if fact != facts.AttemptSucceeded("r", "second", 2, 0, ONE)]
    assert "I5" in broken(evidence(happened))


def test_i6_a_node_has_two_results():
    assert "I6" in broken(with_facts(*FACTS, facts.AttemptSucceeded("r", "second", 3, 0, ONE)))


@pytest.mark.parametrize("result", [Inline(msgspec.Raw(b"2")), Stored("0" * 64, 99, "json")])
def test_i6_a_result_that_no_body_gave(result: Inline | Stored):
    other = facts.AttemptSucceeded("r", "first", 1, 0, result)
    assert broken(evidence([other if fact == facts.AttemptSucceeded("r", "first", 1, 0, ONE) else fact for fact in FACTS])) == {"I6"}


def test_i6_a_result_that_is_pickled_is_not_compared():
    other = facts.AttemptSucceeded("r", "first", 1, 0, Stored("0" * 64, 99, "pickle"))
    assert broken(evidence([other if fact == facts.AttemptSucceeded("r", "first", 1, 0, ONE) else fact for fact in FACTS])) == set()


def test_i7_a_node_started_before_what_it_needs_had_a_result():
    early = FACTS.copy()
    place = early.index(facts.AttemptStarted("r", "second", 1))
    early[place - 1], early[place] = early[place], early[place - 1]
    assert "I7" in broken(evidence(early))


def test_i7_a_body_began_before_what_its_node_needs_had_a_result():
    early = [BodyStarted(FIRST_START + 9, "r", "second", 1, 11), BodyEnded(FIRST_START + 9, "r", "second", 1, 11)]
    entries = [entry for entry in ENTRIES if not isinstance(entry, BodyStarted | BodyEnded) or (entry.run, entry.attempt) != ("r", 1)]
    assert "I7" in broken(replace(evidence(), entries=[*entries, *early]))


def test_i8_a_body_began_again_after_its_result():
    assert "I8" in broken(with_entries(BodyStarted(900, "r", "second", 2, 12), ProcessEnded(901, 12, -9)))


def test_i9_a_body_began_more_often_than_is_allowed():
    assert "I9" in broken(with_entries(BodyStarted(112, "r", "second", 2, 11), BodyEnded(113, "r", "second", 2, 11)))


def test_i9_a_crash_allows_another_body():
    dead = [BodyStarted(FIRST_START + 20, "r", "second", 1, 9), ProcessEnded(FIRST_START + 20, 9, -9)]
    assert broken(replace(evidence(), entries=[*dead, *ENTRIES])) == set()


def test_i9_more_attempts_are_recorded_than_are_allowed():
    assert "I9" in broken(with_facts(*FACTS, facts.AttemptStarted("r", "second", 3)))


def test_i9_a_node_was_under_more_crashes_than_are_allowed():
    lost = [facts.AttemptLost("r", "second", attempt, 0, "crash", attempt) for attempt in (1, 2, 3)]
    assert "I9" in broken(with_facts(*FACTS, *lost))


def test_i10_two_bodies_of_a_node_ran_at_once():
    unended = [entry for entry in ENTRIES if entry != BodyEnded(FIRST_START + 22, "r", "second", 1, 11)]
    assert broken(replace(evidence(), entries=unended)) == {"I10"}
    assert broken(replace(evidence(), entries=[*unended, ProcessEnded(FIRST_START + 43, 11, -9)])) == {"I10"}
    assert broken(replace(evidence(), entries=[*unended, ProcessEnded(FIRST_START + 30, 11, -9)])) == set()


def test_i11_what_is_to_begin_at_most_once_began_twice():
    assert broken(with_entries(BodyStarted(FIRST_START, "r", "first", 1, 9), ProcessEnded(FIRST_START, 9, -9))) == {"I11"}


def test_i12_a_run_has_not_ended():
    assert broken(evidence(without(facts.RunSucceeded("s", ONE)))) == {"I12"}
    assert broken(evidence(without(facts.RunSucceeded("s", ONE)), finished=False)) == set()


def test_i12_a_node_of_an_ended_run_never_ended():
    rows = evidence().rows
    assert "I12" in broken(replace(evidence(), rows={**rows, NodeRow: [row for row in rows[NodeRow] if row.node != "second"]}))  # type: ignore[attr-defined]


def test_i12_a_run_was_asked_for_and_never_came():
    assert broken(with_entries(Sent(3, SUBMIT, "lost"))) == {"I12"}


def test_i13_a_fact_is_missing():
    sound = evidence()
    assert "I13" in broken(replace(sound, records=[record for record in sound.records if record.seq != 3]))


def test_i13_a_fact_is_not_legal():
    assert broken(with_facts(*FACTS, facts.RunStarted("r"))) == {"I13"}


def test_i13_a_row_is_not_what_the_facts_say():
    rows = evidence().rows
    assert broken(replace(evidence(), rows={**rows, SeenRow: []})) == {"I13"}
    failed = [msgspec.structs.replace(row, reason="?") for row in rows[RunRow]]
    assert broken(replace(evidence(), rows={**rows, RunRow: failed})) == {"I13"}


def test_i14_a_state_folder_is_damaged(tmp_path: Path):
    path = tmp_path / "journal.db"
    path.write_bytes(b"no journal" * 1000)
    assert {said.partition(":")[0] for said in check_folder(tmp_path)} == {"I14"}


def test_i15_runs_of_one_pipeline_started_in_another_order():
    started = [facts.RunStarted("s"), *without(facts.RunStarted("s"))]
    assert "I15" in broken(with_facts(*started))


def test_i15_runs_of_other_priority_may_overtake():
    hurried = msgspec.structs.replace(BY_HAND, priority=1)
    facts_ = [hurried if fact == BY_HAND else fact for fact in without(facts.RunStarted("s"), facts.RunStarted("r"))]
    place = facts_.index(hurried) + 1
    assert "I15" not in broken(with_facts(*facts_[:place], facts.RunStarted("s"), facts.RunStarted("r"), *facts_[place:]))


def test_i15_a_younger_file_of_one_look_came_first():
    younger = msgspec.structs.replace(EVENT, event="e2", id="b", time=0)
    decided = facts.DecisionMade("e2", "t", "filtered")
    records = [msgspec.structs.replace(record, at=0) for record in records_of([*FACTS, younger, decided])]
    assert "I15" in broken(replace(evidence(), records=records))


async def test_i17_a_crash_left_files_behind(tmp_path: Path):
    async with open_sqlite(tmp_path, clock=SystemClock()):
        pass
    assert check_folder(tmp_path) == []
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / ".writing-x").touch()
    (tmp_path / "journal.mark.new").touch()
    assert {said.partition(":")[0] for said in check_folder(tmp_path)} == {"I17"}


async def test_a_journal_is_checked_with_the_file_of_a_ledger(tmp_path: Path):
    journal = MemoryJournal()
    ledger = Ledger(tmp_path / "ledger")
    ledger.sent(SUBMIT, "k")
    await journal.commit(Unit(1, (GRAPH, BY_HAND)))
    ledger.acknowledged(SUBMIT, "k")

    assert await check(journal, ledger, pipelines=[pair], finished=False) == []
    assert [said.partition(":")[0] for said in await check(journal, ledger, pipelines=[pair])] == ["I12"]

    ledger.acknowledged("inbox", "never recorded")
    assert [said.partition(":")[0] for said in await check(journal, ledger, finished=False)] == ["I1"]
    ledger.close()


def test_a_ledger_gives_back_what_was_written_to_it(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger")
    ledger.body_started("r", "n", 1)
    other = Ledger(tmp_path / "ledger")
    other.body_ended("r", "n", 1, result={"b": 1, "a": [2]})
    other.close()
    ledger.body_raised("r", "n", 2)
    ledger.cancel_acknowledged("r")
    ledger.process_ended(7, -9)

    started, ended, raised, cancelled, died = ledger.read()
    assert isinstance(started, BodyStarted)
    assert isinstance(ended, BodyEnded)
    assert ended.result == codec.digest(b'{"a":[2],"b":1}')
    assert started.at <= ended.at
    assert started.pid == ended.pid == os.getpid()
    assert isinstance(raised, BodyEnded)
    assert raised.result is None
    assert isinstance(cancelled, CancelAcknowledged)
    assert isinstance(died, ProcessEnded)
    assert (died.pid, died.code) == (7, -9)
    ledger.close()
