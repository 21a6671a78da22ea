"""What suspended nodes wait for, in words: `an answer to 'Deploy?' from ada or bob`."""

from __future__ import annotations

import msgspec

from eventflow import facts, ids, states
from eventflow.engine import wanted as wants
from eventflow.engine.wanted import AnswerWanted, ChildWanted, EventWanted
from eventflow.server.answers import AskedFor, WaitingEntry


def of_fact(fact: facts.NodeSuspended) -> str:
    """Say what a node began to wait for."""
    match wants.decode(fact.wanted):
        case EventWanted() as event:
            return _event(event)
        case AnswerWanted(question=question, who=who):
            return _answer(question, list(who))
        case ChildWanted(run=run):
            return _child(run)
        case _:
            return _TIME


def of_entry(wait: WaitingEntry) -> str:
    """Say what a node waits for."""
    if wait.event is not None:
        return _event(wait.event)
    if wait.child is not None:
        return _child(wait.child)
    return _answer(wait.question or "", wait.who) if wait.kind == states.ANSWER else _TIME


def _event(wanted: EventWanted | AskedFor) -> str:
    about = [f"type {wanted.type}"] if wanted.type else []
    about += [f"subject {wanted.subject}"] if wanted.subject else []
    about += [f"{path} = {msgspec.json.encode(value).decode()}" for path, value in wanted.match.items()]
    return f"an event of {wanted.source}" + (f" with {', '.join(about)}" if about else "")


def _answer(question: str, who: list[str]) -> str:
    return f"an answer to {question!r}" + (f" from {' or '.join(who)}" if who else "")


def _child(run: str) -> str:
    return f"the end of run {ids.short(run)}"


_TIME = "its time"
