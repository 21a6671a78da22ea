"""What every journal does, whatever it is made of."""

from __future__ import annotations

import asyncio
import contextlib

import anyio
import anyio.lowlevel
import msgspec
import pytest

from eventflow import facts
from eventflow.errors import JournalError, Refused, ValueNotStorable
from eventflow.ports import Above, Below, Ending
from eventflow.projections import CheckpointRow, EventRow, KeyRow, NodeRow, RunRow, SeenRow
from tests.journal.histories import RAW, a_run, recorded, submitted, succeeded, unit


async def test_a_commit_gives_the_place_of_its_last_fact(opener):
    async with opener() as journal:
        assert journal.seq == 0
        assert await journal.commit(unit(submitted("a"))) == 1
        assert await journal.commit(unit(facts.RunStarted("a"), facts.CancelRequested("a"))) == 3
        assert journal.seq == 3


async def test_the_records_are_what_was_committed(opener):
    given = [unit(submitted("a"), at=5), unit(facts.RunStarted("a"), facts.CancelRequested("a"), at=6)]
    async with opener() as journal:
        for each in given:
            await journal.commit(each)
        records = await journal.records(0, limit=9)
    assert [(record.seq, record.at, record.fact) for record in records] == [
        (1, 5, submitted("a")),
        (2, 6, facts.RunStarted("a")),
        (3, 6, facts.CancelRequested("a")),
    ]


async def test_a_refused_unit_leaves_nothing_behind(opener):
    async with opener() as journal:
        await journal.commit(unit(submitted("a")))
        with pytest.raises(Refused) as refused:
            await journal.commit(unit(recorded("inbox", "1"), facts.RunSucceeded("a", facts.Inline(msgspec.Raw(b"1")))))
        assert (refused.value.table, refused.value.key) == ("runs", ("a",))
        assert journal.seq == 1
        assert await journal.select(EventRow) == []
        assert await journal.select(SeenRow) == []
        assert await journal.commit(unit(facts.RunStarted("a"))) == 2


@pytest.mark.parametrize(
    ("given", "table", "key"),
    [
        (submitted("a"), "runs", ("a",)),
        (submitted("b", key="k"), "keys", ("etl", "k")),
        (recorded("inbox", "1"), "seen", ("inbox", "1")),
        (facts.RunStarted("nobody"), "runs", ("nobody",)),
        (facts.RunReleased("a"), "runs", ("a",)),
        (facts.AttemptStarted("a", "n", 1), "nodes", ("a", "n")),
        (facts.AttemptStarted("a", "n", 2), "nodes", ("a", "n")),
        (succeeded("a", "n", attempt=2), "nodes", ("a", "n")),
        (facts.CheckpointSaved("a", "n", 2, 1), "nodes", ("a", "n")),
        (facts.NodeFailed("a", "n", "failed"), "nodes", ("a", "n")),
        (succeeded("a", "map", attempt=0), "nodes", ("a", "map")),
        (facts.MapExpanded("a", "map", 2, facts.Inline(RAW)), "nodes", ("a", "map")),
        (facts.NodeCancelled("a", "n", 1), "nodes", ("a", "n")),
        (facts.NodeFellBack("a", "n", facts.Inline(RAW)), "nodes", ("a", "n")),
        (facts.NodeSuspended("a", "n", "time", RAW), "nodes", ("a", "n")),
        (facts.NodeAnswered("a", "n", facts.Inline(RAW)), "nodes", ("a", "n")),
        (facts.RunWoken("a"), "runs", ("a",)),
    ],
)
async def test_a_unit_that_finds_another_state_names_the_row(opener, given, table, key):
    async with opener() as journal:
        of_nodes = (facts.AttemptStarted("a", "n", 1), facts.MapExpanded("a", "map", 2, facts.Inline(RAW)))
        await journal.commit(unit(submitted("a", key="k"), recorded("inbox", "1"), *of_nodes))
        with pytest.raises(Refused) as refused:
            await journal.commit(unit(given))
    assert (refused.value.table, refused.value.key) == (table, key)


async def test_a_unit_may_stand_on_its_own_earlier_facts(opener):
    async with opener() as journal:
        await journal.commit(unit(*[fact for each in a_run("a", "x", "y") for fact in each.facts]))
        assert [row.state for row in await journal.select(NodeRow, run="a")] == ["succeeded", "succeeded"]
        assert (await journal.select(RunRow))[0].state == "succeeded"


async def test_among_units_committed_at_once_only_the_refused_one_is_lost(opener):
    async with opener() as journal:
        units = [unit(submitted(name)) for name in ("a", "b", "a", "c")]
        results = await asyncio.gather(*(journal.commit(each) for each in units), return_exceptions=True)
        assert results[:2] == [1, 2]
        assert isinstance(results[2], Refused)
        assert results[3] == 3
        assert [row.run for row in await journal.select(RunRow, order="seq")] == ["a", "b", "c"]


async def test_of_many_who_want_the_same_key_one_gets_it(opener):
    async with opener() as journal:
        units = [unit(submitted(f"run-{n}", key="only")) for n in range(50)]
        results = await asyncio.gather(*(journal.commit(each) for each in units), return_exceptions=True)
        assert [type(result) for result in results] == [int, *[Refused] * 49]
        assert len(await journal.select(RunRow)) == 1


async def test_units_are_committed_in_the_order_in_which_they_were_given(opener):
    async with opener() as journal:
        await journal.commit(unit(submitted("a")))
        journal.enqueue(unit(facts.RunStarted("a")))
        journal.enqueue(unit(facts.AttemptStarted("a", "n", 1)))
        assert await journal.commit(unit(succeeded("a", "n"))) == 4
        kinds = [type(record.fact) for record in await journal.records(0, limit=9)]
    assert kinds == [facts.RunSubmitted, facts.RunStarted, facts.AttemptStarted, facts.AttemptSucceeded]


async def test_what_is_enqueued_is_committed_without_anybody_waiting(opener):
    async with opener() as journal:
        journal.enqueue(unit(submitted("a")))
        await journal.changed(0)
        assert [row.run for row in await journal.select(RunRow)] == ["a"]


async def test_an_enqueued_unit_that_is_refused_breaks_the_journal(opener):
    async def refuse() -> None:
        async with opener() as journal:
            await journal.commit(unit(submitted("a")))
            with contextlib.suppress(JournalError):
                journal.enqueue(unit(submitted("a")))
            with pytest.raises(JournalError):
                await journal.changed(1)
            with pytest.raises(JournalError):
                await journal.commit(unit(submitted("b")))
            with pytest.raises(JournalError):
                await journal.select(RunRow)
            raise JournalError("of the memory journal nothing comes out by itself")

    with pytest.raises(JournalError):
        await refuse()


async def test_a_thousand_commits_have_one_order_without_gaps(opener, notes):
    async with opener(notes) as journal:
        seqs = await asyncio.gather(*(journal.commit(unit(submitted(f"run-{n:04}"), facts.RunStarted(f"run-{n:04}"))) for n in range(1000)))
        assert seqs == list(range(2, 2001, 2))
        records = await journal.records(0, limit=5000)
        assert [record.seq for record in records] == list(range(1, 2001))
    assert notes.seqs == list(range(1, 2001))
    assert notes.troubles == []


async def test_a_callers_cancellation_does_not_tear_its_unit(opener):
    async with opener() as journal:
        async with anyio.create_task_group() as group:
            group.start_soon(journal.commit, unit(submitted("a"), facts.RunStarted("a")))
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        await journal.commit(unit(submitted("b")))
        rows = {row.run: row.state for row in await journal.select(RunRow)}
        assert rows in ({"b": "queued"}, {"a": "running", "b": "queued"})
        assert journal.seq == 3 if "a" in rows else 1


async def test_pages_of_records_join(opener):
    async with opener() as journal:
        for each in (*a_run("a", "x"), *a_run("b", "x", "y")):
            await journal.commit(each)
        pages, after = [], 0
        while page := await journal.records(after, limit=2):
            pages += page
            after = page[-1].seq
        assert [record.seq for record in pages] == list(range(1, journal.seq + 1))
        of_b = await journal.records(0, limit=99, run="b")
        assert [record.seq for record in of_b] == list(range(6, 13))
        assert [record.seq for record in await journal.records(7, limit=2, run="b")] == [8, 9]
        assert await journal.records(journal.seq, limit=9) == []


async def test_facts_are_given_by_their_places(opener):
    async with opener() as journal:
        await journal.commit(unit(submitted("a"), facts.RunStarted("a")))
        assert await journal.facts([2, 7, 0]) == {2: facts.RunStarted("a")}
        assert await journal.facts([]) == {}


async def test_select_filters_by_values_by_none_and_by_many(opener):
    async with opener() as journal:
        for name, key in (("a", None), ("b", "k"), ("c", None)):
            await journal.commit(unit(submitted(name, key)))
        await journal.commit(unit(facts.RunStarted("b"), facts.CancelRequested("b")))

        async def found(**equals: object) -> list[str]:
            return [row.run for row in await journal.select(RunRow, **equals)]

        assert await found() == ["a", "b", "c"]
        assert await found(run="b") == ["b"]
        assert await found(run="nobody") == []
        assert await found(key=None) == ["a", "c"]
        assert await found(key=(None, "k")) == ["a", "b", "c"]
        assert await found(state=("running", "held")) == ["b"]
        assert await found(state=()) == []
        assert await found(run=("a", "c", "z"), state="queued") == ["a", "c"]
        assert await found(cancel_requested=True) == ["b"]
        assert await found(seq=(1, 3)) == ["a", "c"]


async def test_select_takes_conditions(opener):
    async with opener() as journal:
        for name, key in (("xa", None), ("ya", "k"), ("b", None)):
            await journal.commit(unit(submitted(name, key)))

        async def found(**conditions: object) -> list[str]:
            return [row.run for row in await journal.select(RunRow, **conditions)]

        assert await found(run=Ending("a")) == ["xa", "ya"]
        assert await found(run=Ending("ya")) == ["ya"]
        assert await found(run=Ending("")) == ["b", "xa", "ya"]
        assert await found(key=Ending("k")) == ["ya"]
        assert await found(key=Ending("K")) == []
        assert await found(seq=Below(3)) == ["xa", "ya"]
        assert await found(run=Ending("a"), seq=Below(2)) == ["xa"]
        assert await found(seq=Above(2)) == ["b"]
        assert await found(started_at=Above(-1)) == []
        assert await found(started_at=Below(100)) == []


async def test_select_sorts_and_limits(opener):
    async with opener() as journal:
        for name, key in (("c", "1"), ("a", None), ("b", "2"), ("d", None)):
            await journal.commit(unit(submitted(name, key)))

        async def found(**how: object) -> list[str]:
            return [row.run for row in await journal.select(RunRow, **how)]

        assert await found(order="seq") == ["c", "a", "b", "d"]
        assert await found(order="seq", descending=True, limit=2) == ["d", "b"]
        assert await found(descending=True) == ["d", "c", "b", "a"]
        assert await found(order="key") == ["a", "d", "c", "b"]
        assert await found(order="key", descending=True) == ["b", "c", "d", "a"]
        assert await found(limit=0) == []


async def test_rows_come_back_as_they_were_projected(opener):
    async with opener() as journal:
        await journal.commit(unit(submitted("a", key="k"), facts.CancelRequested("a"), facts.AttemptStarted("a", "n", 1), at=9))
        await journal.commit(unit(facts.CheckpointSaved("a", "n", 1, 4, facts.Inline(msgspec.Raw(b"{}"))), at=11))
        assert await journal.select(RunRow) == [RunRow("a", 1, "etl", "g1", "queued", 0, 9, key="k", cancel_requested=True)]
        assert (await journal.select(RunRow))[0].cancel_requested is True
        assert await journal.select(KeyRow, pipeline="etl", key="k") == [KeyRow("etl", "k", "a")]
        assert await journal.select(CheckpointRow) == [CheckpointRow("a", "n", 4, 4, 11)]


async def test_whoever_waits_for_a_change_sees_it(opener):
    async with opener() as journal, anyio.create_task_group() as group:
        seen: list[int] = []

        async def watch(after: int) -> None:
            await journal.changed(after)
            seen.append(journal.seq)

        for after in (0, 0, 1):
            group.start_soon(watch, after)
        await anyio.wait_all_tasks_blocked()
        assert seen == []
        await journal.commit(unit(submitted("a"), submitted("b")))
        await anyio.wait_all_tasks_blocked()
        assert seen == [2, 2, 2]
        await journal.changed(1)


async def test_after_a_commit_its_caller_reads_what_it_wrote(opener):
    async with opener() as journal:
        for n in range(30):
            await journal.commit(unit(submitted(f"run-{n:02}")))
            assert (await journal.select(RunRow, order="seq", descending=True, limit=1))[0].run == f"run-{n:02}"


async def test_strings_of_any_script_and_of_no_meaning_survive(opener):
    odd = "ünï\x00\n\x1b[2J'\"; DROP TABLE runs; --\u202e\U0001d518"
    async with opener() as journal:
        await journal.commit(unit(recorded(odd, odd)))
        assert [(row.source, row.id) for row in await journal.select(EventRow, source=odd)] == [(odd, odd)]
        assert [row.id for row in await journal.select(EventRow, id=(odd, "x"))] == [odd]


async def test_the_points_of_a_commit_are_told(opener, notes):
    async with opener(notes) as journal:
        await journal.commit(unit(submitted("a")))
        with pytest.raises(Refused):
            await journal.commit(unit(submitted("a")))
    told = [point for point in notes.points if point.startswith("journal.commit.")]
    assert told == ["journal.commit.before", "journal.commit.after", "journal.commit.before"]


@pytest.mark.parametrize("opener", ["sqlite", "inline"], indirect=True)
@pytest.mark.parametrize("given", [facts.RunStarted("a\ud800"), facts.AttemptStarted("a", "n", 2**63), recorded("inbox", "1\ud800")])
async def test_what_sqlite_cannot_hold_fails_alone(opener, given):
    async with opener() as journal:
        first, second, third = await asyncio.gather(
            journal.commit(unit(submitted("a"))),
            journal.commit(unit(facts.RunStarted("a"), given)),
            journal.commit(unit(submitted("b"))),
            return_exceptions=True,
        )
        assert (first, third) == (1, 2)
        assert isinstance(second, ValueNotStorable)
        assert [row.state for row in await journal.select(RunRow)] == ["queued", "queued"]
