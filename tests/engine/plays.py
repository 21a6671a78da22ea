"""Programs of the graph model as real pipelines, written through the public authoring interface, with bodies that do as they are told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, TypeAlias

import anyio
import msgspec

from eventflow import Ended, Pipeline, Retry, across, current, each, group, maybe, one_of, otherwise, skip, task, when
from eventflow.testing import VirtualClock
from tests.engine import graph_model as model
from tests.engine.graph_model import Case, Choice, Group, Over, Program, Statement, Step, Take
from tests.engine.world import turns

ASKED: Counter[str] = Counter()
"""How often values and functions of the user's were asked something: `bool`, `iter`, `key`, `rule`."""


class Number(msgspec.Struct, frozen=True):
    """What bodies give: something of the user's own that is truthy, and goes over items, in its own way, and notices it."""

    number: int

    def __bool__(self) -> bool:
        ASKED["bool"] += 1
        return model.is_truthy(self)

    def __iter__(self) -> Iterator[int]:
        ASKED["iter"] += 1
        return iter(model.items_of(self))


Given: TypeAlias = Number | list[Number] | bool | int | None


class Play:
    """A program made ready to run: `pipeline`, the names that its branches have got, and the nodes that hang until they are cancelled."""

    def __init__(self, program: Program, clock: VirtualClock) -> None:
        self.program = program
        self.branches: dict[str, str] = {}
        self.stuck: set[str] = set()
        self.called: list[str] = []
        self.clock = clock
        self._steps: dict[str, Step] = {}
        play = self

        @task(retry=Retry(attempts=2, delay=7))
        async def work(a: Given = None, b: Given = None, item: int = 0, other: int = 0) -> Number:
            return await play.perform([a, b], [item, other])

        @task
        async def hook(ending: Ended) -> None:
            play.called.append(f"{current().node} {ending.state}")

        self._work, self._hook = work, hook
        self.pipeline: Pipeline[..., Any] = self._whole()

    async def perform(self, taken: list[Any], items: list[int]) -> Number:
        """Do what the step of the calling node does."""
        name = current().node
        self.called.append(name)
        step = self._steps[re.sub(r"\[[^]]*\]", "", name).rpartition(".")[2]]
        match model.doing(name, step.does):
            case model.BAD_BODY:
                raise ValueError("bad")
            case model.SKIP_BODY:
                skip("left out")
            case model.FLAKY if current().attempt == 1:
                raise OSError("not yet")
            case model.STUCK:
                self.stuck.add(name)
                await anyio.sleep_forever()
            case model.SLOW:
                await turns(2 + step.seed)
                await self.clock.sleep(step.seed)
            case _:
                await turns(step.seed % 3)
        return Number(model.made(name, step.seed, [*taken[: len(step.takes)], *items[: len(step.over)]]))

    # Writing the program down

    def _whole(self) -> Pipeline[..., Any]:
        program = self.program

        def body() -> list[Given]:
            named: dict[str, Any] = {}
            self._block(program.body, named)
            return [maybe(one) for one in named.values()]

        closers = [self._closer(name, does) for name, does in program.closers]
        hooks = {f"on_{hook}": [self._hook.options(name=f"run_{hook}")] for hook in program.hooks}
        return Pipeline("whole", body, finally_=closers, **hooks)  # type: ignore[arg-type]

    def _closer(self, name: str, does: str) -> Any:
        self._steps[name] = Step(name, does=(does,))
        return self._work.options(name=name)

    def _block(self, statements: tuple[Statement, ...], named: dict[str, Any]) -> None:
        for statement in statements:
            match statement:
                case Step():
                    self._step(statement, named)
                case Choice():
                    self._choice(statement, named)
                case Group(name=name, body=body):
                    with group(name):
                        self._block(body, named)

    def _choice(self, choice: Choice, named: dict[str, Any]) -> None:
        value = _taken(choice.value, named)
        for case in choice.cases:
            # What is matched is a part of the value; a parameter is a plain number itself.
            whole = value if not case.matches or choice.value.kind == model.PARAMETER else value.number
            self._case(case, when(whole, *case.matches), named)
        if choice.otherwise is not None:
            self._case(choice.otherwise, otherwise(), named)

    def _case(self, case: Case, block: Any, named: dict[str, Any]) -> None:
        with ExitStack() as stack:
            taken = stack.enter_context(block)
            self.branches[case.name] = taken.__source__.binding.node
            self._block(case.body, named)
        named[case.name] = taken

    def _step(self, step: Step, named: dict[str, Any]) -> None:
        self._steps[step.name] = step
        takes = dict(zip("ab", (_taken(take, named) for take in step.takes), strict=False))
        if step.each is not None:
            named[step.name] = self._mapped(step).map(item=self._axis(step, step.over[0], named), **takes)
            return
        options: dict[str, Any] = {f"on_{hook}": self._hook.options(name=f"{step.name}_{hook}") for hook in step.hooks}
        options |= {"fallback": Number(model.LITERAL)} if step.falls_back else {}
        options |= {"skip": "pass-through"} if step.passes else {}
        rule = _predicate(step.asks) if step.rule == model.PREDICATE else step.rule
        used = self._work.options(name=step.name, rule=rule, min_success=step.min_success, max_active_items=step.max_active, **options)
        used = used.after(*(named[name] for name in step.after))
        if step.is_teardown:
            used.teardown(**takes)
        elif step.over:
            axes = dict(zip(("item", "other"), (self._axis(step, over, named) for over in step.over), strict=False))
            named[step.name] = used.map(**takes, **axes)
        else:
            named[step.name] = used(**takes)

    def _mapped(self, step: Step) -> Any:
        program = step.each
        assert program is not None
        assert program.result is not None
        result = program.result

        def body(item: int, a: Given = None, b: Given = None) -> Number:
            named: dict[str, Any] = {"item": item, "a": a, "b": b}
            self._block(program.body, named)
            return _taken(result, named)

        inner = Pipeline(f"each_{step.name}", body)
        return inner.options(name=step.name, min_success=step.min_success, max_active_items=step.max_active)

    @staticmethod
    def _axis(step: Step, over: Over, named: dict[str, Any]) -> Any:
        marker = across if over.is_own else each
        return marker(_taken(over.take, named, last=[model.LITERAL]), key=_key if step.is_keyed and over is step.over[0] else None)


def _taken(take: Take, named: Mapping[str, Any], last: object = None) -> Any:
    found = [named[name] for name in take.names]
    match take.kind:
        case model.MAYBE:
            return maybe(found[0])
        case model.ONE_OF:
            return one_of(*found)
        case model.ONE_OF_OR:
            return one_of(*found, last or Number(model.LITERAL))
        case model.MAYBE_ONE_OF:
            return maybe(one_of(*found))
        case _:
            return found[0]


def _key(item: int) -> str:
    ASKED["key"] += 1
    return f"k{item}"


def _predicate(says: str) -> Callable[[Mapping[str, str]], bool]:
    def asked(states: Mapping[str, str]) -> bool:
        ASKED["rule"] += 1
        if says == "raise":
            raise ValueError("no opinion")
        return says == "yes"

    return asked
