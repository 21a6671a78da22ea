"""How the nodes of a graph must end, said in the plainest way that is still exact. It shares no code with the engine.

`RULES` says, for each trigger rule, what follows from the set of the different upstream outcomes: no rule counts further than to one.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, product
from typing import Any, TypeAlias

GOOD, SKIPPED = "succeeded", "skipped"
FAILED, UPSTREAM_FAILED, CANCELLED = "failed", "upstream_failed", "cancelled"
BROKEN = frozenset({FAILED, UPSTREAM_FAILED, CANCELLED})
OUTCOMES = (GOOD, SKIPPED, FAILED, UPSTREAM_FAILED, CANCELLED)

RUN, SKIP, FAIL, ASK = "run", "skip", "fail", "ask"
STRICT, PREDICATE = "all_success", "predicate"

Ended = frozenset[str]
"""The different outcomes that there were, whatever their number."""


def is_broken(ended: Ended) -> bool:
    return bool(ended & BROKEN)


RULES: dict[str, Callable[[Ended], str]] = {
    # Needs everything: a failure among what it needs makes it fail, else a skip makes it skipped.
    STRICT: lambda ended: FAIL if is_broken(ended) else SKIP if SKIPPED in ended else RUN,
    "none_failed": lambda ended: FAIL if is_broken(ended) else RUN,
    "none_failed_min_one_success": lambda ended: FAIL if is_broken(ended) else RUN if GOOD in ended else SKIP,
    # Needs one success: without it fails where something failed, and is skipped where nothing ran.
    "one_success": lambda ended: RUN if GOOD in ended else FAIL if is_broken(ended) else SKIP,
    "all_done_min_one_success": lambda ended: RUN if GOOD in ended else FAIL if is_broken(ended) else SKIP,
    # Is there for what went wrong, or for what was left out: otherwise there is nothing to do.
    "all_failed": lambda ended: RUN if ended <= BROKEN else SKIP,
    "one_failed": lambda ended: RUN if is_broken(ended) else SKIP,
    "all_skipped": lambda ended: RUN if ended == {SKIPPED} else SKIP,
    "none_skipped": lambda ended: SKIP if SKIPPED in ended else RUN,
    # Needs that something was tried.
    "one_done": lambda ended: SKIP if ended == {SKIPPED} else RUN,
    # Don't mind.
    "all_done": lambda _: RUN,
    "always": lambda _: RUN,
    PREDICATE: lambda _: ASK,
}


def ruled(rule: str, ended: Iterable[str]) -> str:
    """Give what a rule says once all have ended. With nothing upstream there is nothing to object to."""
    different = frozenset(ended)
    return RULES[rule](different) if different else ASK if rule == PREDICATE else RUN


# Programs: what a pipeline is built of, for the engine through the authoring interface, for the model as it stands

GOOD_BODY, BAD_BODY, SKIP_BODY, FLAKY, STUCK, SLOW = "good", "bad", "skip", "flaky", "stuck", "slow"
"""What a body does: succeed, always raise, ask to be skipped, raise the first time, hang until its node is cancelled, take its time."""

PLAIN, MAYBE, ONE_OF, ONE_OF_OR, MAYBE_ONE_OF, PARAMETER = "plain", "maybe", "one_of", "one_of_or", "maybe_one_of", "parameter"
LITERAL = 4
"""The number of the plain value behind the alternatives of `one_of_or`."""


class Written:
    """A part of a program, which shows what is said in it and leaves out what isn't."""

    def __repr__(self) -> str:
        said = [(one.name, getattr(self, one.name)) for one in dataclasses.fields(self) if getattr(self, one.name) != one.default]  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in said)})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(repr(self))


@dataclass(frozen=True, repr=False)
class Take(Written):
    """A value that is taken: of one step, of the first of several that has one, or of a parameter."""

    kind: str
    names: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Over(Written):
    """A list that a step is mapped over: in step with the others, or as an axis of its own."""

    take: Take
    is_own: bool = False


@dataclass(frozen=True, repr=False)
class Step(Written):
    """A node. With `over` it is a map, of its own body or of a program (`each`). `does` is by the place of the item that it is in.

    `asks` is what its predicate says, where that is its rule.
    """

    name: str
    seed: int = 0
    takes: tuple[Take, ...] = ()
    after: tuple[str, ...] = ()
    rule: str = STRICT
    asks: str = "yes"
    does: tuple[str, ...] = (GOOD_BODY,)
    falls_back: bool = False
    passes: bool = False
    over: tuple[Over, ...] = ()
    is_keyed: bool = False
    min_success: float = 1.0
    max_active: int | None = None
    each: Program | None = None
    hooks: tuple[str, ...] = ()
    is_teardown: bool = False

    @property
    def everything(self) -> tuple[Take, ...]:
        """All that it takes of other steps."""
        return tuple(take for take in (*self.takes, *(over.take for over in self.over)) if take.kind != PARAMETER)


@dataclass(frozen=True, repr=False)
class Case(Written):
    """One `when` block of a choice; `name` is what the program calls its branch."""

    name: str
    matches: tuple[int, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, repr=False)
class Choice(Written):
    """`when` blocks on one value, and perhaps an `otherwise`. Without matches it is asked whether the value is truthy."""

    value: Take
    cases: tuple[Case, ...]
    otherwise: Case | None = None

    @property
    def about(self) -> tuple[Take, bool]:
        """What is decided on: a plain number itself, of what a body gives the whole or its number."""
        return self.value, self.value.kind != PARAMETER and not self.cases[0].matches


@dataclass(frozen=True, repr=False)
class Group(Written):
    """Statements under one name."""

    name: str
    body: tuple[Statement, ...]


Statement: TypeAlias = "Step | Choice | Group"


@dataclass(frozen=True, repr=False)
class Program(Written):
    """The body of a pipeline. A run has closing tasks too, each with what it does, and hooks; what an item gives is `result`."""

    body: tuple[Statement, ...]
    result: Take | None = None
    closers: tuple[tuple[str, str], ...] = ()
    hooks: tuple[str, ...] = ()


# What becomes of it

HOOKED = {"success": GOOD, "failure": FAILED, "cancel": CANCELLED}
LANE = re.compile(r"\[k?(\d+)\]")


@dataclass(frozen=True)
class End:
    """How a node ended, and what others can take of it (`has_value`)."""

    state: str
    value: object = None
    has_value: bool = False
    is_own: bool = False
    """Whether a branch was skipped because it decided so itself."""

    @property
    def counts_as(self) -> str:
        return GOOD if self.has_value else self.state


NOTHING = End(SKIPPED)


@dataclass
class Model:
    """Works out how every node of a run ends. `branches` gives the names that the branches have got, by what the program calls them.

    With what really happened (`actual`) it works out each node from how those above it have really ended, and allows for nodes that a
    cancel of the run has stopped: then `wrong` are the nodes that ended as they must not.
    """

    branches: Mapping[str, str]
    actual: Mapping[str, str] | None = None
    ends: dict[str, End] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    asked: dict[str, dict[str, int]] = field(default_factory=dict)
    """What a map asks of the user's, and how often: its lists for their items, its function for keys."""

    def run(self, program: Program) -> str:
        """Give the state of the whole run; `ends` are the nodes' then."""
        scope = Scope("", {}, {}, "")
        self._block(program.body, scope, None)
        for name, does in program.closers:
            self._end(scope, name, self._body(name, (does,)), closing=True)
        state = self._state(scope)
        for hook in program.hooks:
            called = GOOD if HOOKED[hook] == state else SKIPPED
            # A cancel may come when the run's hooks have been called already.
            self._hook(scope, f"run_{hook}", called if self.actual is None else self.actual.get(f"run_{hook}", called))
        return state

    def _state(self, scope: Scope) -> str:
        if self.actual is not None:
            return CANCELLED
        return FAILED if {end.state for end in scope.counted.values()} & {FAILED, CANCELLED} else GOOD

    def _block(self, statements: tuple[Statement, ...], scope: Scope, around: End | None) -> None:
        before: list[End] = []
        for number, statement in enumerate(statements):
            last = statements[number - 1] if number else None
            match statement:
                case Step():
                    self._step(statement, scope, around)
                case Choice():
                    # One `otherwise` is for all blocks right before it that decide on the same.
                    is_same = isinstance(last, Choice) and last.otherwise is None and last.about == statement.about
                    before = self._choice(statement, before if is_same else [], scope, around)
                case Group(name=name, body=body):
                    self._block(body, dataclasses.replace(scope, group=f"{scope.group}{name}."), around)

    # Branches

    def _choice(self, choice: Choice, before: list[End], scope: Scope, around: End | None) -> list[End]:
        decided = [self._decide(choice.value, case, scope, around) for case in choice.cases]
        for case, end in zip(choice.cases, decided, strict=True):
            self._block(case.body, scope, end)
        if choice.otherwise is not None:
            self._block(choice.otherwise.body, scope, self._decide_otherwise(choice.otherwise, [*before, *decided], scope, around))
        return [*before, *decided]

    def _decide(self, value: Take, case: Case, scope: Scope, around: End | None) -> End:
        said = _behind(around) or ruled(STRICT, [scope.counted_as(value, STRICT)])
        if said == FAIL:
            return self._branch(scope, case, End(UPSTREAM_FAILED))
        if said == SKIP:
            return self._branch(scope, case, NOTHING)
        found = scope.value(value)
        return self._decided(scope, case, taken=folded(found) in case.matches if case.matches else is_truthy(found))

    def _decide_otherwise(self, case: Case, others: list[End], scope: Scope, around: End | None) -> End:
        said = _behind(around)
        if said == FAIL or (said is None and any(end.state in BROKEN for end in others)):
            return self._branch(scope, case, End(UPSTREAM_FAILED))
        if said == SKIP or any(end.state == SKIPPED and not end.is_own for end in others):
            return self._branch(scope, case, NOTHING)
        return self._decided(scope, case, taken=all(end.state == SKIPPED for end in others))

    def _decided(self, scope: Scope, case: Case, *, taken: bool) -> End:
        return self._branch(scope, case, End(GOOD if taken else SKIPPED, taken, has_value=True, is_own=True))

    def _branch(self, scope: Scope, case: Case, end: End) -> End:
        found = self._end(dataclasses.replace(scope, group=""), self.branches[case.name], end)
        scope.ends[case.name] = found
        return found

    # Steps

    def _step(self, step: Step, scope: Scope, around: End | None) -> None:
        end = self._end(scope, step.name, self._judged(step, scope, around), closing=step.is_teardown)
        is_known = self.actual is None or f"{scope.prefix}{scope.group}{step.name}" in self.actual
        for hook in step.hooks if is_known else ():
            said = _behind(around)
            called = SKIPPED if said == SKIP else UPSTREAM_FAILED if said == FAIL else GOOD if HOOKED[hook] == end.state else SKIPPED
            self._hook(scope, f"{step.name}_{hook}", called)

    def _judged(self, step: Step, scope: Scope, around: End | None) -> End:
        said = _behind(around)
        if said is None or (said == SKIP and step.passes):
            found = ruled(
                step.rule,
                [scope.counted_as(take, step.rule) for take in step.everything] + [scope.ends[name].counts_as for name in step.after],
            )
            said = found if said is None or found == FAIL else SKIP
        if said == ASK:
            said = {"yes": RUN, "no": SKIP, "raise": FAILED}[step.asks]
        match said:
            case "run":
                full = f"{scope.prefix}{scope.group}{step.name}"
                given = scope.taken(step)
                end = self._map(step, scope) if step.over else self._body(full, step.does, step.seed, given, falls_back=step.falls_back)
                return self._passing(step, scope) if end.state == SKIPPED else end
            case "skip":
                return self._passing(step, scope)
            case "failed":
                return End(FAILED)
            case _:
                return End(UPSTREAM_FAILED)

    def _passing(self, step: Step, scope: Scope) -> End:
        if step.passes and scope.is_there(step.takes[0]):
            return End(SKIPPED, scope.value(step.takes[0]), has_value=True)
        return NOTHING

    def _body(self, full: str, does: tuple[str, ...], seed: int = 0, given: Sequence[object] = (), *, falls_back: bool = False) -> End:
        match doing(full, does):
            case "bad" if falls_back:
                return End(GOOD, Number(LITERAL), has_value=True)
            case "bad":
                return End(FAILED)
            case "skip":
                return NOTHING
            case "stuck":
                return End(CANCELLED)
            case _:
                return End(GOOD, Number(made(full, seed, given)), has_value=True)

    def _hook(self, scope: Scope, name: str, state: str) -> None:
        self._end(scope, name, End(state), closing=True, counts=False)

    # Maps

    def _map(self, step: Step, scope: Scope) -> End:
        values = [scope.value(over.take, last=[LITERAL]) for over in step.over]
        lists = [items_of(value) for value in values]
        asked = self.asked[f"{scope.prefix}{scope.group}{step.name}"] = {"iter": sum(not isinstance(value, list) for value in values)}
        zipped = [number for number, over in enumerate(step.over) if not over.is_own]
        own = [number for number, over in enumerate(step.over) if over.is_own]
        if len({len(lists[number]) for number in zipped}) > 1:
            return End(FAILED)
        axes = ([list(zip(*(lists[number] for number in zipped), strict=True))] if zipped else []) + [
            [(item,) for item in lists[number]] for number in own
        ]
        combined = [dict(zip([*zipped, *own], chain.from_iterable(parts), strict=True)) for parts in product(*axes)]
        keys = [f"k{items[0]}" if step.is_keyed else str(index) for index, items in enumerate(combined)]
        asked["key"] = len(keys) if step.is_keyed else 0
        if len(set(keys)) < len(keys):
            return End(FAILED)
        found = [
            self._item(step, scope, key, [items[number] for number in sorted(items)]) for key, items in zip(keys, combined, strict=True)
        ]
        good = [end.value for end in found if end.state == GOOD]
        needed = math.ceil(Fraction(str(step.min_success)) * sum(1 for end in found if end.state != SKIPPED))
        is_enough = not any(end.state in BROKEN for end in found) or len(good) >= needed
        return End(GOOD, good, has_value=True) if is_enough else End(FAILED)

    def _item(self, step: Step, scope: Scope, key: str, items: list[int]) -> End:
        name = f"{scope.prefix}{scope.group}{step.name}[{key}]"
        if step.each is None:
            end = self._body(name, step.does, step.seed, [*scope.taken(step), *items], falls_back=step.falls_back)
            return self._end(Scope("", {}, {}, ""), name, end)
        inner = Scope(f"{name}.", {"item": items[0], **dict(zip("ab", scope.taken(step), strict=False))}, {}, "")
        self._block(step.each.body, inner, None)
        broken = next((end for end in inner.counted.values() if end.state in BROKEN), None)
        if broken is not None:
            return End(FAILED)
        assert step.each.result is not None
        return End(GOOD, inner.value(step.each.result)) if inner.is_there(step.each.result) else NOTHING

    def _end(self, scope: Scope, name: str, end: End, *, closing: bool = False, counts: bool = True) -> End:
        """Take down how a node ends, or how it really has, where that may be."""
        full = f"{scope.prefix}{scope.group}{name}"
        if self.actual is not None and self.actual.get(full) != end.state:
            end = self._otherwise(full, end, closing=closing)
        self.ends[full] = end
        scope.ends[name] = end
        if counts:
            scope.counted[name] = end
        return end

    def _otherwise(self, full: str, end: End, *, closing: bool) -> End:
        """Give how a node of a cancelled run has really ended, and note whether it must not have ended so."""
        really = None if self.actual is None else self.actual.get(full)
        ran = end.state in (GOOD, FAILED)
        # Of an item that was never opened, nothing is known.
        is_stopped = (really is None and LANE.search(full) and not (closing and ran)) or (really == CANCELLED and not closing)
        if not is_stopped:
            self.wrong.append(f"{full} is {really}, and should be {end.state}")
        return End(really or CANCELLED)


@dataclass(frozen=True)
class Scope:
    """Where names mean something: in the run, or in the item whose nodes' names begin with `prefix`. `counted` are all but hooks."""

    prefix: str
    parameters: Mapping[str, object]
    ends: dict[str, End]
    group: str
    counted: dict[str, End] = field(default_factory=dict)

    def counted_as(self, take: Take, rule: str) -> str:
        """Give the one outcome that a take counts as."""
        if take.kind == PARAMETER:
            return GOOD
        found = next((end.counts_as for name in take.names if (end := self.ends[name]).counts_as != SKIPPED), SKIPPED)
        is_lenient = take.kind in (MAYBE, ONE_OF_OR, MAYBE_ONE_OF) and rule == STRICT
        return GOOD if found == SKIPPED and is_lenient else found

    def is_there(self, take: Take) -> bool:
        return take.kind in (PARAMETER, MAYBE, ONE_OF_OR, MAYBE_ONE_OF) or any(self.ends[name].has_value for name in take.names)

    def value(self, take: Take, last: object = None) -> object:
        """Give what is taken; of alternatives that aren't there, what comes `last`."""
        if take.kind == PARAMETER:
            return self.parameters[take.names[0]]
        behind = (last or Number(LITERAL)) if take.kind == ONE_OF_OR else None
        return next((end.value for name in take.names if (end := self.ends[name]).has_value), behind)

    def taken(self, step: Step) -> list[object]:
        return [self.value(take) for take in step.takes]


@dataclass(frozen=True)
class Number:
    """What bodies give."""

    number: int


def _behind(around: End | None) -> str | None:
    """Give what a branch says of all that is in it, None where that may run."""
    if around is None or around.state == GOOD:
        return None
    return SKIP if around.state == SKIPPED else FAIL


def doing(name: str, does: tuple[str, ...]) -> str:
    """Give what the body of a node does, by the places of the items that it is in."""
    return does[sum(map(int, LANE.findall(name))) % len(does)]


def is_truthy(value: object) -> bool:
    """Tell whether a branch on a value is taken: a plain number is truthy as numbers are, what bodies give where it is odd."""
    return bool(value) if isinstance(value, int) else folded(value) % 2 == 1


def made(name: str, seed: int, given: Sequence[object]) -> int:
    """Give the number that a body makes of what it was given."""
    return (seed + sum(map(int, LANE.findall(name))) + sum((place + 2) * folded(value) for place, value in enumerate(given))) % 12


def folded(value: object) -> int:
    """Give one number for anything that a step can take."""
    match value:
        case None:
            return 5
        case bool() | int():
            return int(value)
        case list():
            return 3 * len(value) + sum(map(folded, value))
        case _:
            return value.number  # type: ignore[attr-defined]


def items_of(value: object) -> list[int]:
    """Give what is gone over where a step is mapped over a value."""
    if isinstance(value, list):
        return value
    number = folded(value)
    return [number + place for place in range(number % 4)]
