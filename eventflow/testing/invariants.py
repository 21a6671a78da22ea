"""The invariants that every history must keep, each a pure function from evidence to sentences that say where it is broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from eventflow import codec, facts, states
from eventflow.definition.bodies import Body
from eventflow.definition.retries import Retry
from eventflow.facts import Inline, Stored
from eventflow.journal.history import History, UnsoundHistory
from eventflow.journal.tables import key_of
from eventflow.projections import TABLES, NodeRow, Row, RunRow, WaitRow
from eventflow.testing import structures
from eventflow.testing.evidence import Evidence
from eventflow.testing.ledger import SUBMIT, Acknowledged, BodyEnded, BodyStarted, CancelAcknowledged, ProcessEnded, Sent


def violations(evidence: Evidence) -> list[str]:
    """Give every violation, each a sentence that begins with the invariant's id. It looks at nothing but the evidence."""
    return [f"{name}: {said}" for name, broken in INVARIANTS.items() for said in broken(evidence)]


# Events and runs


def _acknowledged_is_kept(evidence: Evidence) -> Iterator[str]:
    kept = {(fact.source, fact.id) for fact in evidence.facts(facts.EventRecorded)}
    kept |= {(SUBMIT, fact.key) for fact in evidence.facts(facts.RunSubmitted) if fact.key is not None}
    for entry in evidence.written(Acknowledged):
        if (entry.source, entry.id) not in kept:
            yield f"{entry.source} {entry.id!r} was acknowledged and is not in the journal"
    cancelled = {fact.run for fact in evidence.facts(facts.CancelRequested)}
    ended = {row.run for row in _rows(evidence, RunRow) if row.state in states.ENDED_RUN}
    for entry in evidence.written(CancelAcknowledged):
        if entry.run not in cancelled | ended:
            yield f"the cancel of run {entry.run} was acknowledged and is not in the journal"


def _each_event_is_decided_once(evidence: Evidence) -> Iterator[str]:
    events = evidence.facts(facts.EventRecorded)
    expired = Counter((fact.source, name) for fact in evidence.facts(facts.IdentitiesExpired) for name in fact.ids)
    for identity, count in Counter((event.source, event.id) for event in events).items():
        if count > 1 + expired[identity]:
            yield f"event {identity} was recorded {count} times"
    decisions = Counter((fact.event, fact.trigger) for fact in evidence.facts(facts.DecisionMade))
    wanted = {(event.event, trigger) for event in events for trigger in evidence.triggers.get(event.source, ())}
    for event, trigger in sorted(wanted | decisions.keys()):
        if decisions[event, trigger] != 1:
            yield f"event {event} has {decisions[event, trigger]} decisions at trigger {trigger!r}"
    fired = {(fact.event, fact.trigger): fact.run for fact in evidence.facts(facts.DecisionMade) if fact.run is not None}
    runs = Counter((fact.event, fact.trigger, fact.run) for fact in evidence.submitted.values())
    for (event, trigger), run in fired.items():
        if runs[event, trigger, run] != 1:
            yield f"event {event} fired run {run} at trigger {trigger!r}, which was not submitted"
    keys = Counter((fact.pipeline, fact.key) for fact in evidence.facts(facts.RunSubmitted) if fact.key is not None)
    yield from (f"key {key!r} of pipeline {pipeline!r} has {count} runs" for (pipeline, key), count in keys.items() if count > 1)


def _each_run_has_a_cause(evidence: Evidence) -> Iterator[str]:
    sent = {(entry.source, entry.id) for entry in evidence.written(Sent)}
    sources = {source for source, _ in sent}
    fired = {fact.run for fact in evidence.facts(facts.DecisionMade)}
    for run in evidence.facts(facts.RunSubmitted):
        if (run.event, run.parent, run.rerun_of) == (None, None, None) and (SUBMIT, run.key) not in sent:
            yield f"nobody asked for run {run.run} of {run.pipeline} (key {run.key!r})"
        if run.event is not None and run.run not in fired:
            yield f"run {run.run} of {run.pipeline} is for event {run.event}, but no decision fired it"
    for event in evidence.facts(facts.EventRecorded):
        if event.source in sources and (event.source, event.id) not in sent:
            yield f"event {event.id!r} of {event.source} was never sent"


def _nothing_sent_is_passed_over(evidence: Evidence) -> Iterator[str]:
    recorded = {(fact.source, fact.id) for fact in evidence.facts(facts.EventRecorded)}
    known = {(fact.source, name) for fact in evidence.facts(facts.IdentitiesKnown) for name in fact.ids}
    for entry in evidence.written(Sent):
        identity = (entry.source, entry.id)
        if entry.source != SUBMIT and identity not in recorded and (evidence.finished or identity in known):
            yield f"event {entry.id!r} of {entry.source} was sent and is lost: nothing was decided on it"


def _open_runs_are_due(evidence: Evidence) -> Iterator[str]:
    ended = {row.run: row.state for row in _rows(evidence, RunRow) if row.state in states.ENDED_RUN}
    for row in _rows(evidence, NodeRow):
        if row.state == states.RETRYING and row.due is None:
            yield f"node {row.node} of run {row.run} is to be tried again, and nothing says when"
        if row.run in ended and row.state not in states.ENDED_NODE:
            yield f"node {row.node} of run {row.run} is {row.state}, though the run has {ended[row.run]}"
    suspended = {(row.run, row.node) for row in _rows(evidence, NodeRow) if row.state == states.SUSPENDED}
    waits = {(row.run, row.node) for row in _rows(evidence, WaitRow)}
    for run, node in sorted(suspended ^ waits):
        yield f"node {node} of run {run} is suspended without anything that it waits for, or waits without being suspended"


def _runs_keep_their_order(evidence: Evidence) -> Iterator[str]:
    place = {fact.run: place for place, fact in enumerate(evidence.facts(facts.RunSubmitted))}
    latest: dict[tuple[str, int, str | None], str] = {}
    for run in dict.fromkeys(fact.run for fact in evidence.facts(facts.RunStarted)):
        submitted = evidence.submitted.get(run)
        if submitted is None:
            continue
        queue = (submitted.pipeline, submitted.priority, submitted.concurrency_key)
        before = latest.setdefault(queue, run)
        if place[before] > place[run]:
            yield f"run {run} of {submitted.pipeline} was submitted before run {before} and started after it"
        else:
            latest[queue] = run
    files = [(record.at, record.fact) for record in evidence.records if isinstance(record.fact, facts.EventRecorded)]
    for (at, event), (then, later) in pairwise(files):
        if at == then and event.source == later.source and event.type == "file" and event.time > later.time:
            yield f"file event {event.id!r} came before {later.id!r}, which is older"


# Bodies


def _results_are_one_and_true(evidence: Evidence) -> Iterator[str]:
    ends = {(entry.run, entry.node, entry.attempt, entry.result) for entry in evidence.written(BodyEnded)}
    for (run, node), results in evidence.results.items():
        if len(results) > 1:
            yield f"node {node} of run {run} has {len(results)} results"
    for fact in evidence.facts(facts.AttemptSucceeded) if evidence.bodies else ():
        if (digest := _digest(fact.result)) and (fact.run, fact.node, fact.attempt, digest) not in ends:
            yield f"no body of node {fact.node} of run {fact.run}, attempt {fact.attempt}, gave the result that was recorded"


def _finished_work_stays_finished(evidence: Evidence) -> Iterator[str]:
    for name, ends in evidence.ends.items():
        for start in evidence.bodies.get(name, ()):
            if start.at > ends[0].at:
                again = f"the body of node {name[1]} of run {name[0]} began again (attempt {start.attempt})"
                yield f"{again} after its end, {ends[0].state}, was recorded"


def _attempts_are_counted(evidence: Evidence) -> Iterator[str]:
    died = {entry.pid for entry in evidence.written(ProcessEnded) if entry.code != 0}
    started = Counter((fact.run, fact.node) for fact in evidence.facts(facts.AttemptStarted))
    lost = Counter((fact.run, fact.node, fact.reason) for fact in evidence.facts(facts.AttemptLost))
    for name in started.keys() | evidence.bodies.keys():
        body = evidence.body(name)
        if body is None:
            continue
        allowed, shut, crashed = _allowed(body), lost[(*name, "shutdown")], lost[(*name, "crash")]
        begun = evidence.bodies.get(name, [])
        if started[name] > allowed + shut + crashed:
            yield f"node {name[1]} of run {name[0]} has {started[name]} attempts, {crashed + shut} of them lost: {allowed} are allowed"
        if len(begun) > allowed + shut + len({entry.pid for entry in begun} & died):
            yield f"the body of node {name[1]} of run {name[0]} began {len(begun)} times: {allowed} are allowed, beside crashes"
        if crashed > body.options.max_crashes:
            yield f"node {name[1]} of run {name[0]} was under {crashed} crashes: {body.options.max_crashes} are allowed"


def _allowed(body: Body) -> int:
    retry = body.options.retry
    own = retry.attempts if isinstance(retry, Retry) else max(rule.attempts for rule in retry)
    return own + (0 if body.fallback is None else _allowed(body.fallback))


def _bodies_do_not_overlap(evidence: Evidence) -> Iterator[str]:
    died = {entry.pid: entry.at for entry in evidence.written(ProcessEnded)}
    ends = [(entry.at, entry) for entry in evidence.written(BodyEnded)]
    for (run, node), starts in evidence.bodies.items():
        for start, following in pairwise(sorted(starts, key=lambda entry: entry.at)):
            ended = next((at for at, end in ends if _is_end_of(end, start)), died.get(start.pid))
            if ended is None or ended > following.at:
                yield f"two bodies of node {node} of run {run} ran at once, attempts {start.attempt} and {following.attempt}"


def _is_end_of(end: BodyEnded, start: BodyStarted) -> bool:
    same = (end.run, end.node, end.attempt, end.pid) == (start.run, start.node, start.attempt, start.pid)
    return same and end.at >= start.at


def _at_most_once_is_kept(evidence: Evidence) -> Iterator[str]:
    given_up = {(fact.run, fact.node): fact.attempt for fact in evidence.facts(facts.AttemptFailed) if fact.fallback}
    for name, starts in evidence.bodies.items():
        own = [start for start in starts if start.attempt <= given_up.get(name, start.attempt)]  # behind it the fallback's own begin
        body = evidence.body(name)
        if body is not None and body.options.at_most_once and len(own) > 1:
            yield f"the body of node {name[1]} of run {name[0]} began {len(own)} times, and is to begin at most once"


# The whole


def _everything_ends(evidence: Evidence) -> Iterator[str]:
    if not evidence.finished:
        return
    runs = {row.run: row.state for row in _rows(evidence, RunRow)}
    ended = {(row.run, row.node) for row in _rows(evidence, NodeRow) if row.state in states.ENDED_NODE}
    for run in evidence.submitted:
        if runs.get(run) not in states.ENDED_RUN:
            yield f"run {run} has not ended: it is {runs.get(run, 'missing')}"
    for run, nodes in evidence.graphs.items():
        missing = [path for path in nodes if "[]" not in path and (run, path) not in ended] if runs.get(run) in states.ENDED_RUN else []
        yield from (f"node {node} of run {run} has not ended, though the run has" for node in missing)
    keys = {fact.key for fact in evidence.facts(facts.RunSubmitted)}
    for entry in evidence.written(Sent):
        if entry.source == SUBMIT and entry.id not in keys:
            yield f"the run with key {entry.id!r} was asked for, and there is none"


def _history_is_legal(evidence: Evidence) -> Iterator[str]:
    history = History()
    try:
        for record in evidence.records:
            history.take(record)
    except UnsoundHistory as error:
        yield str(error)
        return
    for table, (name, _) in TABLES.items():
        stored = {key_of(row): row for row in evidence.rows.get(table, ())}
        wanted = history.tables.all(table)
        wrong = sorted(key for key in stored.keys() | wanted.keys() if stored.get(key) != wanted.get(key))
        yield from (f"row {key} of {name} is {stored.get(key)}; the facts say {wanted.get(key)}" for key in wrong)


def _rows(evidence: Evidence, table: type[Row]) -> Sequence[Any]:
    return evidence.rows.get(table, ())


def _digest(value: Inline | Stored) -> str | None:
    """Give the digest of a recorded result as the ledger writes it, None where it is pickled: the ledger knows JSON alone."""
    if isinstance(value, Inline):
        return codec.digest(bytes(value.json))
    return value.digest if value.codec == "json" else None


INVARIANTS: Mapping[str, Callable[[Evidence], Iterator[str]]] = {
    "I1": _acknowledged_is_kept,
    "I2": _each_event_is_decided_once,
    "I3": _each_run_has_a_cause,
    "I4": _nothing_sent_is_passed_over,
    "I5": _open_runs_are_due,
    "I6": _results_are_one_and_true,
    "I7": structures.dependencies_come_first,
    "I8": _finished_work_stays_finished,
    "I9": _attempts_are_counted,
    "I10": _bodies_do_not_overlap,
    "I11": _at_most_once_is_kept,
    "I12": _everything_ends,
    "I13": _history_is_legal,
    "I15": _runs_keep_their_order,
    "I21": structures.decided_once,
    "I22": structures.one_end,
    "I23": structures.branches_are_kept,
    "I24": structures.only_running_runs_begin_anything,
    "I25": structures.children_go_with_their_parent,
    "I26": structures.reused_is_what_it_was,
    "I27": structures.maps_are_whole,
    "I28": structures.causes_are_true,
    "I29": structures.cancelled_nodes_end_so,
}
"""Each invariant by its id. I14 and I17 are about files, and in `checker`; I16 and I18 to I20 are about what there isn't yet, or are proved
by other tests."""
