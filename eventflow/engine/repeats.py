"""Runs of what has run before: a rerun takes over what still stands of a run that has ended, and does the rest again.

It is a new run, for what has ended is final. It is submitted together with all that it takes over, in one unit: it is there as a whole or
not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from eventflow import ids, states
from eventflow.definition.pipelines import Call, Pipeline
from eventflow.engine import origin as origins
from eventflow.engine import reruns
from eventflow.engine.catalogue import Catalogue
from eventflow.engine.intake import Intake
from eventflow.engine.kept import kept
from eventflow.engine.origin import Origin
from eventflow.engine.reruns import Judged, RerunPlan
from eventflow.engine.values import Values
from eventflow.errors import InvalidRequest, NotFound
from eventflow.ports import Ports
from eventflow.projections import RunRow


class _Repeat(NamedTuple):
    """A rerun that could be made: of which run, with what code and arguments, and what becomes of each node."""

    origin: Origin
    call: Call[Any]
    judged: Judged


class Repeats:
    """Plans reruns, and submits them."""

    def __init__(self, ports: Ports, values: Values, catalogue: Catalogue, intake: Intake) -> None:
        self._ports = ports
        self._values = values
        self._catalogue = catalogue
        self._intake = intake

    async def plan(self, run: RunRow, since: str, arguments: Mapping[str, object] | None) -> RerunPlan:
        """Give what a rerun would do. Raises `InvalidRequest`, `NotFound`, `ParameterError` where there can be none."""
        repeat = await self._repeat(run, since, arguments)
        return RerunPlan(run.run, tuple(repeat.judged.entries.values()))

    async def submit(self, run: RunRow, since: str, arguments: Mapping[str, object] | None, key: str | None) -> str:
        """Submit a rerun and give its id, or that of the run which has the key. Raises as `plan`, and where nothing would be done."""
        repeat = await self._repeat(run, since, arguments)
        if run.state == states.SUCCEEDED and since == reruns.FAILED and _is_idle(repeat):
            raise InvalidRequest(
                f"run {ids.short(run.run)} has succeeded, and nothing that it did would be done otherwise now: "
                f"say from where on it is to be done again, a node's name or {reruns.EVERYTHING!r}, or give other arguments"
            )
        submitted = self._intake.submission(repeat.call, key=key, priority=run.priority, rerun_of=run.run)
        past = kept(submitted.run, repeat.call.pipeline.definition.graph, repeat.origin, repeat.judged)
        self._ports.instrument.reached("engine.rerun.before")
        again, is_new = await self._intake.commit(submitted, *past, has_past=bool(past))
        if is_new:
            self._ports.instrument.reached("engine.rerun.after")
        return again

    async def _repeat(self, run: RunRow, since: str, arguments: Mapping[str, object] | None) -> _Repeat:
        if run.state not in states.ENDED_RUN:
            raise InvalidRequest(
                f"run {ids.short(run.run)} hasn't ended: it is {run.state}. Wait for its end or cancel it, then it can be run again"
            )
        pipeline = known(self._catalogue, run.pipeline)
        before = await origins.origin(self._ports.journal, self._values, run)
        given = renewed(pipeline, before.given, arguments or {})
        return _Repeat(before, Call(pipeline, given), reruns.judged(before, pipeline.definition, given, since))


def known(catalogue: Catalogue, name: str) -> Pipeline[..., Any]:
    """Give the pipeline of that name as the code has it today. Raises `NotFound`."""
    pipeline = catalogue.find(name)
    if pipeline is None:
        raise NotFound(f"there is no pipeline {name!r} in the code any more")
    return pipeline


def renewed(pipeline: Pipeline[..., Any], given: bytes, others: Mapping[str, object]) -> bytes:
    """Give recorded arguments as today's parameters want them, with `others` in place of their namesakes. Raises `ParameterError`."""
    parameters = pipeline.parameters
    stored = msgspec.json.decode(given, type=dict[str, msgspec.Raw])
    # What is no longer a parameter is left in, so that it is refused together with whatever else doesn't fit.
    before = {
        name: parameters.value(given, name) if name in parameters.annotations else raw for name, raw in stored.items() if name not in others
    }
    return parameters.encode({**before, **others})


def _is_idle(repeat: _Repeat) -> bool:
    """Tell whether nothing would be done but what belongs to the end of every run."""
    closing = {node.name for node in repeat.call.pipeline.definition.graph.nodes if reruns.closes_run(node)}
    return all(entry.what == reruns.REUSE or name in closing for name, entry in repeat.judged.entries.items())
