"""The tables of every journal are what its facts say, and all journals agree on every unit, the refused ones included."""

from __future__ import annotations

import os
import random
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from eventflow import facts
from eventflow.errors import Refused
from eventflow.facts import Fact, Unit
from eventflow.journal.history import History
from eventflow.journal.memory import MemoryJournal
from eventflow.journal.sqlite import open_sqlite
from eventflow.journal.verify import verify
from eventflow.ports import Journal
from eventflow.projections import TABLES
from eventflow.testing.clock import VirtualClock
from tests.journal.histories import Chronicle, with_refusals

SEEDS = st.integers(0, 2**32)
SOAK = int(os.environ.get("EVENTFLOW_SOAK", "1"))


async def all_rows(journal: Journal) -> dict[str, list[object]]:
    return {name: list(await journal.select(table)) for table, (name, _) in TABLES.items()}


async def fed(journal: Journal, units: list[Unit]) -> list[object]:
    results: list[object] = []
    for each in units:
        try:
            results.append(await journal.commit(each))
        except Refused as refused:
            results.append((refused.table, refused.key))
    return results


@settings(max_examples=12 * SOAK, deadline=None)
@given(seed=SEEDS, count=st.integers(1, 60))
async def test_every_table_can_be_rebuilt_from_the_facts(seed: int, count: int):
    units = list(Chronicle(random.Random(seed)).units(count))
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sqlite = await stack.enter_async_context(open_sqlite(folder / "a", clock=VirtualClock()))
        inline = await stack.enter_async_context(open_sqlite(folder / "b", clock=VirtualClock(), inline=True))
        for journal in (MemoryJournal(), sqlite, inline):
            assert [result for result in await fed(journal, units) if not isinstance(result, int)] == []
            history = History()
            for record in await journal.records(0, limit=9999):
                history.take(record)
            rows = await all_rows(journal)
            assert rows == {name: history.tables.select(table, {}) for table, (name, _) in TABLES.items()}
        assert verify(folder / "a").problems == ()


@settings(max_examples=12 * SOAK, deadline=None)
@given(seed=SEEDS, count=st.integers(1, 60))
async def test_all_journals_agree_on_every_unit(seed: int, count: int):
    chance = random.Random(seed)
    units = list(with_refusals(chance, Chronicle(chance).units(count)))
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        memory = MemoryJournal()
        sqlite = await stack.enter_async_context(open_sqlite(folder, clock=VirtualClock(), inline=True))
        assert await fed(memory, units) == await fed(sqlite, units)
        assert await memory.records(0, limit=9999) == await sqlite.records(0, limit=9999)
        assert await all_rows(memory) == await all_rows(sqlite)


def test_made_up_histories_hold_every_kind_of_fact():
    seen = {type(fact) for seed in range(60) for each in Chronicle(random.Random(seed)).units(60) for fact in each.facts}
    kinds = {kind for kind in vars(facts).values() if isinstance(kind, type) and issubclass(kind, facts._Fact) and kind is not facts._Fact}
    assert seen == kinds
    assert set(Fact.__args__) == kinds
