from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from eventflow.engine.resources import LARGEST, Resources, check_sizes
from eventflow.errors import DefinitionError
from tests.engine.world import turns

DECLARING = "say how much there is in [tool.eventflow.resources], open_engine(resources={...}) or run(p.bind(...), resources={...})"


@asynccontextmanager
async def holding(resources: Resources, uses: Mapping[str, float], order: int = 0) -> AsyncGenerator[None]:
    hold = await resources.acquire(uses, order)
    try:
        yield
    finally:
        hold.release()


class Takers:
    """Those who want resources: who has got them, in order, and what lets each of them go."""

    def __init__(self, **sizes: float) -> None:
        self.resources = Resources(sizes)
        self.got: list[str] = []
        self.gone: dict[str, anyio.CancelScope] = {}

    async def take(self, who: str, uses: Mapping[str, float], order: int = 0) -> None:
        """Hold what is wanted until told to go."""
        with anyio.CancelScope() as self.gone[who]:
            async with holding(self.resources, uses, order):
                self.got.append(who)
                await anyio.sleep_forever()

    async def leave(self, who: str) -> None:
        self.gone[who].cancel()
        await turns()


async def test_what_is_held_is_not_free() -> None:
    resources = Resources({"gpu": 2, "ram_gb": 16})
    async with holding(resources, {"gpu": 1, "ram_gb": 8}):
        assert (resources.free("gpu"), resources.free("ram_gb")) == (1, 8)
        async with holding(resources, {"gpu": 1}):
            assert (resources.free("gpu"), resources.free("ram_gb")) == (0, 8)
    assert (resources.free("gpu"), resources.free("ram_gb")) == (2, 16)


async def test_who_needs_nothing_waits_for_nobody() -> None:
    resources = Resources({})
    (await resources.acquire({})).release()


async def test_amounts_that_fit_on_paper_fit_here() -> None:
    resources = Resources({"share": 0.3})
    async with holding(resources, {"share": 0.1}), holding(resources, {"share": 0.2}):
        assert resources.free("share") == 0
    for _ in range(1000):
        async with holding(resources, {"share": 0.1}):
            pass
    assert resources.free("share") == 0.3


async def test_even_the_smallest_amount_is_held() -> None:
    resources = Resources({"share": 1})
    async with holding(resources, {"share": 1e-12}):
        assert resources.free("share") < 1


async def test_a_release_hands_over_in_the_same_turn() -> None:
    takers = Takers(gpu=1)
    first = await takers.resources.acquire({"gpu": 1})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(takers.take, "waiting", {"gpu": 1})
        await turns()
        first.release()
        assert takers.resources.free("gpu") == 0
        tasks.start_soon(takers.take, "late", {"gpu": 1}, -1)
        await anyio.lowlevel.checkpoint()
        assert takers.got == ["waiting"]
        tasks.cancel_scope.cancel()


async def test_those_who_wait_come_in_order_and_then_as_they_arrived() -> None:
    takers = Takers(gpu=1)
    async with anyio.create_task_group() as tasks:
        for who, order in (("first", 9), ("b1", 2), ("a1", 1), ("b2", 2), ("a2", 1)):
            tasks.start_soon(takers.take, who, {"gpu": 1}, order)
            await turns()
        for who in ("first", "a1", "a2", "b1", "b2"):
            await takers.leave(who)
    assert takers.got == ["first", "a1", "a2", "b1", "b2"]


async def test_a_big_demand_at_the_head_is_not_starved_by_small_ones_behind_it() -> None:
    takers = Takers(gpu=4)
    async with anyio.create_task_group() as tasks:
        for who in ("small 1", "small 2"):
            tasks.start_soon(takers.take, who, {"gpu": 1})
        tasks.start_soon(takers.take, "big", {"gpu": 4})
        tasks.start_soon(takers.take, "small 3", {"gpu": 1})
        await turns()
        assert takers.got == ["small 1", "small 2"]
        await takers.leave("small 1")
        assert takers.got == ["small 1", "small 2"]
        await takers.leave("small 2")
        assert takers.got == ["small 1", "small 2", "big"]
        await takers.leave("big")
        assert takers.got[-1] == "small 3"
        await takers.leave("small 3")


async def test_who_needs_something_else_passes() -> None:
    takers = Takers(gpu=2, ram_gb=8)
    async with anyio.create_task_group() as tasks:
        for who, uses in (
            ("gpu", {"gpu": 1}),
            ("both", {"gpu": 2, "ram_gb": 6}),
            ("much ram", {"ram_gb": 4}),
            ("some ram", {"ram_gb": 2}),
        ):
            tasks.start_soon(takers.take, who, uses)
            await turns()
        # Of the memory 6 are kept for `both`. They aren't for `much ram`, for which in turn the 2 that are left are kept.
        assert takers.got == ["gpu"]
        await takers.leave("much ram")
        assert takers.got == ["gpu", "some ram"]
        await takers.leave("gpu")
        assert takers.got == ["gpu", "some ram", "both"]
        tasks.cancel_scope.cancel()


async def test_a_long_line_for_one_thing_doesnt_lock_up_another() -> None:
    takers = Takers(gpu=1, ram_gb=8)
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(takers.take, f"gpu {number}", {"gpu": 1, "ram_gb": 1})
        tasks.start_soon(takers.take, "ram", {"ram_gb": 6})
        await turns()
        assert takers.got == ["gpu 0", "ram"]
        await takers.leave("gpu 0")
        assert takers.got == ["gpu 0", "ram", "gpu 1"]
        tasks.cancel_scope.cancel()


async def test_who_gives_up_at_the_head_lets_the_others_on_at_once() -> None:
    takers = Takers(gpu=2)
    async with anyio.create_task_group() as tasks:
        for who, amount in (("small", 1), ("big", 2), ("next", 1)):
            tasks.start_soon(takers.take, who, {"gpu": amount})
        await turns()
        assert takers.got == ["small"]
        await takers.leave("big")
        assert takers.got == ["small", "next"]
        tasks.cancel_scope.cancel()
    assert takers.resources.free("gpu") == 2


async def test_what_was_granted_to_somebody_cancelled_in_the_same_turn_goes_to_the_next() -> None:
    takers = Takers(gpu=1)
    first = await takers.resources.acquire({"gpu": 1})
    cancelled = asyncio.create_task(takers.take("cancelled", {"gpu": 1}))
    waiting = asyncio.create_task(takers.resources.acquire({"gpu": 1}))
    await turns()
    first.release()
    cancelled.cancel()
    (await waiting).release()
    assert cancelled.cancelled()
    assert takers.got == []
    assert takers.resources.free("gpu") == 1


async def test_what_is_released_late_is_held_until_then_and_released_once() -> None:
    resources = Resources({"gpu": 2})
    hold = await resources.acquire({"gpu": 1})
    async with holding(resources, {"gpu": 1}):
        hold.release()
        hold.release()
        assert resources.free("gpu") == 1
    assert resources.free("gpu") == 2


def test_a_demand_that_could_never_be_met_is_refused() -> None:
    resources = Resources({"ram_gb": 64, "gpu": 1.0})
    resources.check({"gpu": 1, "ram_gb": 0.5})
    with pytest.raises(DefinitionError) as refused:
        resources.check({"cpu": 1}, "a.py:3")
    assert str(refused.value) == f"a.py:3: uses={{'cpu': 1}}: there is no such resource; there is 1 of 'gpu', 64 of 'ram_gb': {DECLARING}"
    with pytest.raises(DefinitionError, match=r"uses=\{'gpu': 2\} can never be had: there is 1 of it"):
        resources.check({"ram_gb": 1, "gpu": 2})
    with pytest.raises(DefinitionError, match="can never be had"):
        resources.check({"gpu": math.nan})


async def test_without_any_resource_it_is_said_where_to_declare_one() -> None:
    with pytest.raises(DefinitionError) as refused:
        await Resources({}).acquire({"gpu": 1})
    assert str(refused.value) == f"uses={{'gpu': 1}}: there is no such resource; none is declared: {DECLARING}"


@pytest.mark.parametrize("size", [0, -1, math.inf, math.nan, True, "1", None, LARGEST * 2])
def test_what_is_no_size_is_refused(size: float) -> None:
    with pytest.raises(ValueError, match="resource 'gpu' is a number above 0"):
        check_sizes({"gpu": size})


@pytest.mark.parametrize("name", ["", "GPU", "a b", "x" * 65, 5])
def test_what_can_name_no_resource_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="can't name a resource"):
        Resources({name: 1})
