"""Programs at random: whatever can be written in a pipeline's body, within reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from hypothesis import strategies as st

from tests.engine import graph_model as model
from tests.engine.graph_model import Case, Choice, Group, Over, Program, Statement, Step, Take

BODIES = (
    *((model.GOOD_BODY,) * 12),
    *(model.SLOW, model.SLOW, model.FLAKY, model.BAD_BODY, model.BAD_BODY, model.SKIP_BODY, model.SKIP_BODY, model.STUCK),
)
CALM = (model.GOOD_BODY, model.SLOW, model.FLAKY, model.BAD_BODY, model.SKIP_BODY)
"""What a body does, as often as it is named. A closing task doesn't hang: there would be no end."""

RULES = (*((model.STRICT,) * len(model.RULES)), *sorted(set(model.RULES) - {model.STRICT}))
HOOKS = tuple(model.HOOKED)
KINDS = (*(("step",) * 4), *("map", "map", "each", "choice", "choice", "group", "passing", "teardown"))
"""What a statement is, as often as it is named."""


@dataclass(frozen=True)
class Source:
    """Something that can be taken: of which kind, and in which branches it was made."""

    name: str
    is_number: bool
    branches: tuple[str, ...]


@dataclass
class Writer:
    """Writes one program, statement by statement; `names` are never used twice, `budget` is what may still be written in all."""

    draw: st.DrawFn
    names: count[int]
    budget: list[int]
    depth: int
    parameters: tuple[str, ...] = ()
    sources: list[Source] = field(default_factory=list)

    def whole(self) -> Program:
        body = self.block((), 8, nesting=0)
        closers = tuple((f"last_{number}", does) for number, does in enumerate(self.draw(st.lists(st.sampled_from(CALM), max_size=2))))
        return Program(body, closers=closers, hooks=self.draw(_several(HOOKS)))

    def item(self) -> Program:
        body = (*self.block((), 4, nesting=1), last := self.step((), plain=True))
        numbers = [source for source in self.sources if source.is_number]
        result = self.draw(st.sampled_from([Take(model.PLAIN, (last.name,)), self.choice_of(numbers, model.ONE_OF)]))
        return Program(body, result)

    def block(self, branches: tuple[str, ...], most: int, *, nesting: int) -> tuple[Statement, ...]:
        statements: list[Statement] = []
        for _ in range(self.draw(st.integers(1, most))):
            if self.budget[0] <= 0 and statements:
                break
            statements.append(self.statement(branches, nesting))
        return tuple(statements)

    def statement(self, branches: tuple[str, ...], nesting: int) -> Statement:
        kind = self.draw(st.sampled_from(KINDS))
        numbers = self.visible(branches, numbers=True)
        match kind:
            case "choice" if nesting < 3 and (numbers or self.parameters):
                return self.choice(branches, nesting)
            case "group" if nesting < 2:
                return Group(self.name("g"), self.block(branches, 2, nesting=nesting + 1))
            case "each" if numbers and self.depth < 2:
                return self.each(branches)
            case "map" | "passing" | "teardown" if numbers:
                return {"map": self.mapped, "passing": self.passing, "teardown": self.teardown}[kind](branches)
            case _:
                return self.step(branches)

    # Steps

    def step(self, branches: tuple[str, ...], *, plain: bool = False) -> Step:
        draw, rule = self.draw, model.STRICT if plain else self.draw(st.sampled_from(RULES))
        takes = self.takes(branches, rule)
        after = self.after(branches, rule)
        step = Step(
            self.name("s"),
            draw(st.integers(0, 3)),
            takes,
            after,
            rule,
            draw(st.sampled_from(["yes", "yes", "no", "raise"])),
            self.does(),
            falls_back=draw(_rarely),
            hooks=draw(_several(HOOKS)) if draw(_rarely) else (),
        )
        return self.made(step, branches, is_number=True)

    def passing(self, branches: tuple[str, ...]) -> Step:
        taken = self.draw(st.sampled_from(self.visible(branches, numbers=True)))
        step = Step(self.name("h"), self.draw(st.integers(0, 3)), (Take(model.PLAIN, (taken.name,)),), does=self.does(), passes=True)
        return self.made(step, branches, is_number=True)

    def mapped(self, branches: tuple[str, ...]) -> Step:
        draw, rule = self.draw, self.draw(st.sampled_from(RULES))
        over = [Over(self.list_of(branches, rule))]
        if draw(st.booleans()):
            over.append(Over(self.list_of(branches, rule), is_own=draw(st.booleans())))
        step = Step(
            self.name("m"),
            draw(st.integers(0, 3)),
            self.takes(branches, rule),
            self.after(branches, rule),
            rule,
            does=self.does(),
            falls_back=draw(_rarely),
            over=tuple(over),
            is_keyed=draw(_rarely),
            min_success=draw(_shares),
            max_active=draw(_most),
            hooks=draw(_several(HOOKS)) if draw(_rarely) else (),
        )
        return self.made(step, branches, is_number=False)

    def each(self, branches: tuple[str, ...]) -> Step:
        draw, takes = self.draw, self.takes(branches, model.STRICT)
        inner = Writer(draw, self.names, self.budget, self.depth + 1, ("item", *"ab"[: len(takes)]))
        step = Step(
            self.name("p"),
            takes=takes,
            over=(Over(self.list_of(branches, model.STRICT)),),
            is_keyed=draw(_rarely),
            min_success=draw(_shares),
            max_active=draw(_most),
            each=inner.item(),
        )
        return self.made(step, branches, is_number=False)

    def teardown(self, branches: tuple[str, ...]) -> Step:
        taken = self.draw(st.sampled_from(self.visible(branches)))
        does = (self.draw(st.sampled_from(CALM)),)
        return Step(self.name("t"), takes=(Take(model.PLAIN, (taken.name,)),), does=does, is_teardown=True)

    def made(self, step: Step, branches: tuple[str, ...], *, is_number: bool) -> Step:
        self.sources.append(Source(step.name, is_number, branches))
        return step

    # Branches

    def choice(self, branches: tuple[str, ...], nesting: int) -> Choice:
        draw = self.draw
        numbers = [Take(model.PLAIN, (one.name,)) for one in self.visible(branches, numbers=True)]
        if self.parameters:
            numbers.append(Take(model.PARAMETER, ("item",)))
        value = draw(st.sampled_from(numbers))
        matched = draw(st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=4, unique=True), max_size=2))
        written: list[Case] = []
        named: list[Source] = []
        for matches in matched or [[]]:
            case = self.case(tuple(matches), branches, nesting)
            written.append(case)
            named.append(Source(case.name, is_number=False, branches=branches))
        last = self.case((), branches, nesting) if draw(st.booleans()) else None
        self.sources += named
        return Choice(value, tuple(written), last)

    def case(self, matches: tuple[int, ...], branches: tuple[str, ...], nesting: int) -> Case:
        name = self.name("w")
        return Case(name, matches, self.block((*branches, name), 3, nesting=nesting + 1))

    # What is taken

    def takes(self, branches: tuple[str, ...], rule: str) -> tuple[Take, ...]:
        return tuple(self.take(branches, rule) for _ in range(self.draw(st.integers(0, 2))) if self.sources)

    def take(self, branches: tuple[str, ...], rule: str) -> Take:
        draw, visible = self.draw, self.visible(branches)
        lenient = [model.MAYBE, model.ONE_OF_OR, model.MAYBE_ONE_OF]
        kinds = [*lenient, model.ONE_OF, *([model.PLAIN] * 4 if visible else [])] if rule == model.STRICT else lenient
        kind = draw(st.sampled_from([*kinds, *([model.PARAMETER] if self.parameters else [])]))
        if kind == model.PARAMETER:
            return Take(kind, (draw(st.sampled_from(self.parameters)),))
        if kind in (model.MAYBE, model.PLAIN):
            return Take(kind, (draw(st.sampled_from(visible if kind == model.PLAIN else self.sources)).name,))
        return self.choice_of(self.sources, kind)

    def choice_of(self, sources: list[Source], kind: str) -> Take:
        chosen = self.draw(st.lists(st.sampled_from(sources), min_size=1, max_size=3, unique=True))
        return Take(kind, tuple(one.name for one in chosen))

    def list_of(self, branches: tuple[str, ...], rule: str) -> Take:
        numbers = [source for source in self.sources if source.is_number]
        visible = self.visible(branches, numbers=True)
        if rule != model.STRICT or self.draw(_rarely):
            return self.choice_of(numbers, model.ONE_OF_OR)
        return Take(model.PLAIN, (self.draw(st.sampled_from(visible)).name,))

    def after(self, branches: tuple[str, ...], rule: str) -> tuple[str, ...]:
        known = self.visible(branches) if rule == model.STRICT else self.sources
        chosen = self.draw(st.lists(st.sampled_from(known), max_size=2, unique=True)) if known else []
        return tuple(source.name for source in chosen)

    def visible(self, branches: tuple[str, ...], *, numbers: bool = False) -> list[Source]:
        """Give what has a value wherever the block that is being written runs."""
        return [one for one in self.sources if branches[: len(one.branches)] == one.branches and (one.is_number or not numbers)]

    # Small things

    def does(self) -> tuple[str, ...]:
        return tuple(self.draw(st.lists(st.sampled_from(BODIES), min_size=1, max_size=1 + self.depth * 2)))

    def name(self, kind: str) -> str:
        self.budget[0] -= 1
        return f"{kind}{next(self.names)}"


_rarely = st.sampled_from([False, False, False, True])
_shares = st.sampled_from([1.0, 1.0, 0.5, 0.34, 0.0])
_most = st.sampled_from([None, None, 1, 2])


def _several(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


@st.composite
def programs(draw: st.DrawFn, budget: int = 22) -> Program:
    return Writer(draw, count(1), [budget], 0).whole()
