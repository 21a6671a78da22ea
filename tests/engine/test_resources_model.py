"""Resources under any order of asking, releasing and giving up: never more than there is, nobody starved, nothing idle, nothing late."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from eventflow.engine.resources import Hold, Resources
from tests.engine.world import turns

SIZES = {"gpu": 3, "ram": 2.5}
AMOUNTS = {"gpu": (1, 2, 3), "ram": (0.1, 0.2, 0.7, 1, 2.5)}

uses = st.dictionaries(st.sampled_from(sorted(SIZES)), st.none(), min_size=1).flatmap(
    lambda names: st.fixed_dictionaries({name: st.sampled_from(AMOUNTS[name]) for name in names})
)


@dataclass(frozen=True)
class Ask:
    """Somebody asks for amounts."""

    uses: dict[str, float]
    order: int


@dataclass(frozen=True)
class Release:
    """One of those who hold something lets it go."""

    choice: int


@dataclass(frozen=True)
class GiveUp:
    """One of those who wait is cancelled; together with a release before, in the same turn of the loop."""

    choice: int
    together: bool


choices = st.integers(0, 1000)
steps = st.lists(
    st.one_of(st.builds(Ask, uses, st.integers(0, 3)), st.builds(Release, choices), st.builds(GiveUp, choices, st.booleans())), max_size=40
)


@dataclass(eq=False)
class Taker:
    place: tuple[int, int]
    uses: dict[str, Fraction]
    task: asyncio.Task[Hold]


@dataclass
class Scene:
    """Everybody who waits or holds, kept apart from what is tested."""

    resources: Resources = field(default_factory=lambda: Resources(SIZES))
    waiting: list[Taker] = field(default_factory=list)
    holding: list[Taker] = field(default_factory=list)
    count: int = 0

    def ask(self, ask: Ask) -> None:
        self.count += 1
        exact = {name: Fraction(str(amount)) for name, amount in ask.uses.items()}
        task = asyncio.create_task(self.resources.acquire(ask.uses, ask.order))
        self.waiting.append(Taker((ask.order, self.count), exact, task))

    def release(self, choice: int) -> None:
        if self.holding:
            self.holding.pop(choice % len(self.holding)).task.result().release()

    def give_up(self, choice: int) -> None:
        if self.waiting:
            self.waiting.pop(choice % len(self.waiting)).task.cancel()

    def left(self) -> dict[str, Fraction]:
        return {name: Fraction(str(size)) - sum(taker.uses.get(name, 0) for taker in self.holding) for name, size in SIZES.items()}

    async def look(self) -> None:
        """Let everybody go on who can, and check what has come of it."""
        head = min(self.waiting, key=lambda taker: taker.place, default=None)
        await turns(5)
        got = sorted((taker for taker in self.waiting if taker.task.done()), key=lambda taker: taker.place)
        for taker in got:
            self.waiting.remove(taker)
            self.holding.append(taker)
        left = self.left()
        assert all(amount >= 0 for amount in left.values())
        assert {name: self.resources.free(name) for name in SIZES} == {name: float(amount) for name, amount in left.items()}
        if head in self.waiting and head is not None:
            assert any(left[name] < amount for name, amount in head.uses.items())
            for taker in got:  # nobody has taken what the first in line needs: what is left is enough for it, or wasn't touched
                assert all(left[name] >= head.uses[name] for name in taker.uses.keys() & head.uses.keys())
        self.nobody_could_go_on(left)

    def nobody_could_go_on(self, left: dict[str, Fraction]) -> None:
        """Check by the rule as it is written: in order, the first of each demand that can't have it keeps it from all behind."""
        blocked: list[dict[str, Fraction]] = []
        for taker in sorted(self.waiting, key=lambda taker: taker.place):
            if taker.uses in blocked:
                continue
            left = {name: amount - taker.uses.get(name, 0) for name, amount in left.items()}
            assert any(left[name] < 0 for name in taker.uses)
            blocked.append(taker.uses)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_never_more_than_there_is_and_never_less_than_there_could_be(script: list[Ask | Release | GiveUp]) -> None:
    async def main() -> None:
        scene = Scene()
        for step in script:
            match step:
                case Ask():
                    scene.ask(step)
                case Release(choice):
                    scene.release(choice)
                case GiveUp(choice, together):
                    if together:
                        scene.release(choice)
                    scene.give_up(choice)
            await scene.look()
        while scene.holding or scene.waiting:
            assert scene.holding, "those who wait are waiting for nobody"
            scene.release(0)
            await scene.look()
        assert {name: scene.resources.free(name) for name in SIZES} == SIZES

    asyncio.run(main())


@settings(max_examples=100, deadline=None)
@given(st.lists(uses, min_size=1, max_size=6), uses, st.lists(uses, min_size=1, max_size=5))
def test_nobody_starves_however_many_come_after(
    before: list[dict[str, float]], wanted: dict[str, float], after: list[dict[str, float]]
) -> None:
    async def main() -> None:
        scene = Scene()
        for one in (*before, wanted):
            scene.ask(Ask(one, 0))
            await scene.look()
        patient = max(scene.waiting + scene.holding, key=lambda taker: taker.place)
        # Each time round others come, and all who hold something let go, one by one. Each time at least the first in line gets what it needs.
        for _ in before:
            for one in after:
                scene.ask(Ask(one, 0))
            await scene.look()
            for taker in tuple(scene.holding):
                scene.release(scene.holding.index(taker))
                await scene.look()
        assert patient not in scene.waiting
        for taker in scene.waiting:
            taker.task.cancel()
        await turns(5)

    asyncio.run(main())
