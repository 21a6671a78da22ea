"""A gate: what a node waits on. It hears each upstream outcome as it comes, and decides as soon as the answer can no longer change.

What it decides doesn't depend on the order in which it hears.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Sequence

from eventflow import states
from eventflow.definition.graph import DEFAULT_RULE, Dependency, Node
from eventflow.definition.options import PREDICATE
from eventflow.engine.outcome import Outcome
from eventflow.engine.rules import Tally, Verdict, verdict


class Gate:
    """Applies a node's rule to the outcomes of what the node depends on.

    It calls `decided` once, on the loop, with the verdict and, for one to skip or to fail, with the outcome that it is due to. The branch
    around the node comes first: where it isn't taken, the node is skipped whatever its rule says; one that passes its input on is so only
    when that is there.
    """

    __slots__ = ("_awaited", "_cause", "_decided", "_node", "_skipped_by", "_tally", "_values", "_waits")

    def __init__(self, node: Node, decided: Callable[[Verdict, Outcome | None], None]) -> None:
        self._node = node
        self._decided: Callable[[Verdict, Outcome | None], None] | None = decided
        self._tally = Tally(0)
        self._values = self._waits = 0
        self._awaited = False
        self._skipped_by: Outcome | None = None
        self._cause: dict[Verdict, Outcome] = {}

    def listen(self, around: Future[Outcome] | None, upstream: Sequence[tuple[Dependency, Sequence[Future[Outcome]]]]) -> None:
        """Wait on these outcomes: that of the branch around the node, and those that each dependency names. With none it opens at once."""
        self._awaited = around is not None
        self._tally = Tally(sum(1 for dependency, _ in upstream if dependency.counts))
        self._waits = len(upstream) - self._tally.total
        for dependency, outcomes in upstream:
            self._listen_to(dependency, outcomes)
        if around is not None:
            around.add_done_callback(self._hear_branch)
        elif not upstream or self._node.rule == "always":
            self._look()

    def _listen_to(self, dependency: Dependency, outcomes: Sequence[Future[Outcome]]) -> None:
        if dependency.counts and not dependency.optional and len(outcomes) == 1:
            outcomes[0].add_done_callback(self._hear_plain)
            return
        # A rule may say yes while a value that the node takes, if there is one, is still to come: what it gets must not be left to chance.
        is_awaited = dependency.optional and self._node.rule != DEFAULT_RULE
        self._values += is_awaited
        if len(outcomes) == 1:
            outcomes[0].add_done_callback(lambda future: self._hear(dependency, future.result(), is_chosen=is_awaited))
            return
        is_counted, is_chosen = False, not is_awaited

        def hear(_: Future[Outcome]) -> None:
            nonlocal is_counted, is_chosen
            first = None if is_counted else _first(outcomes)
            chosen = not is_chosen and self._is_chosen(outcomes)
            is_counted, is_chosen = is_counted or first is not None, is_chosen or chosen
            if first is not None or chosen:
                self._hear(dependency, first, is_chosen=chosen)

        for outcome in outcomes:
            outcome.add_done_callback(hear)

    def _is_chosen(self, alternatives: Sequence[Future[Outcome]]) -> bool:
        """Tell whether it is known which alternative has a value, if any does; a predicate is told the states of all of them."""
        for future in alternatives:
            if not future.done():
                return False
            if future.result().has_value and self._node.rule != PREDICATE:
                return True
        return True

    def _hear_branch(self, future: Future[Outcome]) -> None:
        outcome = future.result()
        self._awaited = False
        if outcome.state == states.SKIPPED:
            self._skipped_by = outcome
        elif outcome.state != states.SUCCEEDED:
            self._decide(Verdict.FAIL, outcome)
            return
        self._look()

    def _hear_plain(self, future: Future[Outcome]) -> None:
        """Hear what most nodes depend on, and there may be a million of: an outcome that is needed."""
        outcome = future.result()
        if outcome.state == states.SUCCEEDED and self._tally.left > 1 and self._node.rule == DEFAULT_RULE:
            self._tally.count(outcome.state)  # one that changes nothing yet
            return
        self._count(_PLAIN, outcome)
        self._look()

    def _hear(self, dependency: Dependency, outcome: Outcome | None, *, is_chosen: bool) -> None:
        self._values -= is_chosen
        if not dependency.counts:
            self._waits -= 1
        elif outcome is not None:
            self._count(dependency, outcome)
        self._look()

    def _count(self, dependency: Dependency, outcome: Outcome) -> None:
        state = states.SUCCEEDED if outcome.passes else outcome.state
        if state == states.SKIPPED:
            self._cause.setdefault(Verdict.SKIP, outcome)
            if dependency.optional and self._node.rule == DEFAULT_RULE:
                state = states.SUCCEEDED
        elif state != states.SUCCEEDED:
            self._cause.setdefault(Verdict.FAIL, outcome)
        self._tally.count(state)

    def _look(self) -> None:
        if self._awaited:
            return
        if self._skipped_by is not None:
            self._look_behind(self._skipped_by)
            return
        answer = verdict(self._node.rule, self._tally)
        if answer is Verdict.FAIL or (answer is not None and not self._waits and (not self._values or self._hands_nothing_on(answer))):
            self._decide(answer, self._cause.get(answer))

    def _hands_nothing_on(self, answer: Verdict) -> bool:
        return answer is Verdict.SKIP and not self._node.passes

    def _look_behind(self, branch: Outcome) -> None:
        """Look whether the node can be skipped now that its branch isn't taken."""
        if not self._node.passes:
            self._decide(Verdict.SKIP, branch)
        elif (answer := verdict(DEFAULT_RULE, self._tally)) is not None:
            self._decide(Verdict.SKIP if answer is Verdict.RUN else answer, self._cause.get(answer, branch))

    def _decide(self, answer: Verdict, cause: Outcome | None) -> None:
        decided, self._decided = self._decided, None
        if decided is not None:
            decided(answer, cause)


def _first(alternatives: Sequence[Future[Outcome]]) -> Outcome | None:
    """Give the outcome of the first alternative that isn't skipped, of the last one where all are; None as long as it may change."""
    for future in alternatives:
        if not future.done():
            return None
        outcome = future.result()
        if outcome.state != states.SKIPPED or outcome.passes:
            return outcome
    return alternatives[-1].result()


_PLAIN = Dependency(())
