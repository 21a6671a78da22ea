"""What a person decides about a held run: it goes on, it is begun anew, or it fails."""

from __future__ import annotations

from eventflow import facts, ids, states
from eventflow.definition.pipelines import Call
from eventflow.engine.cancels import Cancels
from eventflow.engine.catalogue import Catalogue
from eventflow.engine.intake import Intake
from eventflow.engine.openruns import OpenRuns
from eventflow.engine.planning import planned
from eventflow.engine.recorded import recorded_run, run_row
from eventflow.engine.recovery import cancelled_nodes
from eventflow.engine.repeats import known, renewed
from eventflow.engine.steps import accepted
from eventflow.errors import InvalidRequest, Refused
from eventflow.facts import Fact, Failure, Unit
from eventflow.ports import Ports
from eventflow.projections import RunRow

RESUME, RESTART, FAIL = "resume", "restart", "fail"
"""What can be decided."""


class Resolutions:
    """Carries out what was decided, and cancels what goes with it."""

    def __init__(self, ports: Ports, catalogue: Catalogue, runs: OpenRuns, intake: Intake, cancels: Cancels) -> None:
        self._ports = ports
        self._catalogue = catalogue
        self._runs = runs
        self._intake = intake
        self._cancels = cancels

    async def resolve(self, run: str, choice: str) -> str:
        """Carry out a choice, and give the run that it leads to.

        Raises `InvalidRequest` where the run isn't held, or the choice can't be met, `NotFound` and `ParameterError` where it can't be
        begun anew.
        """
        row = await self._held(run)
        match choice:
            case "resume":
                return await self._resume(row)
            case "restart":
                return await self._restart(row)
            case "fail":
                return await self._fail(row)
            case _:
                raise InvalidRequest(f"{choice!r} is no way to resolve a held run: there are {RESUME}, {RESTART} and {FAIL}")

    async def _held(self, run: str) -> RunRow:
        row = await run_row(self._ports.journal, run)
        if row.state != states.HELD or row.cancel_requested:
            raise InvalidRequest(f"run {ids.short(run)} is {_shown(row)}: only a held run is resolved")
        return row

    async def _resume(self, row: RunRow) -> str:
        self._intake.check_open()
        plan, _ = await planned(self._ports.journal, row, self._catalogue.find(row.pipeline), holds=False)
        if not plan.resumes:
            raise InvalidRequest(f"run {ids.short(row.run)} can't go on: {plan.reason}. Mend the code and start again, or {_OTHERWISE}")
        opened = self._runs.find(row.run)
        if not await accepted(self._ports, *plan.facts) or opened is None:
            raise InvalidRequest(f"run {ids.short(row.run)} is no longer held")
        self._ports.instrument.reached("engine.resolve.resumed")
        opened.graph = plan.graph
        self._runs.queue(opened)
        self._runs.admit(row.pipeline)
        return row.run

    async def _restart(self, row: RunRow) -> str:
        pipeline = known(self._catalogue, row.pipeline)
        recorded = await recorded_run(self._ports.journal, row)
        call = Call(pipeline, renewed(pipeline, recorded.given, {}))
        submitted = self._intake.submission(call, priority=row.priority, rerun_of=row.run)
        reason = f"begun anew as run {submitted.run}"
        asked, ended = facts.CancelRequested(row.run, reason), facts.RunCancelled(row.run, reason)
        seq = await self._end(row, asked, ended, *self._intake.graph_facts(pipeline), submitted)
        self._intake.submitted(submitted, seq)
        return submitted.run

    async def _fail(self, row: RunRow) -> str:
        failure = Failure("Held", f"a person ended it instead of having it go on; it was held because {row.reason}")
        await self._end(row, facts.RunFailed(row.run, failure))
        return row.run

    async def _end(self, row: RunRow, *happened: Fact) -> int:
        """Commit the end of a held run with that of its nodes, and with whatever else happens; its children are cancelled with it."""
        while True:
            recorded = await recorded_run(self._ports.journal, row)
            nodes = cancelled_nodes(row.run, recorded.nodes, recorded.graph.nodes)
            children = [child.run for child in await self._cancels.descendants(row.run)]
            asked = [facts.CancelRequested(child, "its parent was ended") for child in children]
            try:
                seq = await self._ports.journal.commit(self._unit(*nodes, *happened, *asked))
            except Refused:
                # A child has ended meanwhile, or a wait: that is no reason. Or the run itself has, which is.
                await self._held(row.run)
                continue
            break
        self._ports.instrument.reached("engine.resolve.ended")
        self._runs.forget(row.run)
        for child in children:
            await self._cancels.carry_out(child)
        return seq

    def _unit(self, *happened: Fact) -> Unit:
        return Unit(self._ports.clock.now(), happened)


def _shown(row: RunRow) -> str:
    return "about to be cancelled" if row.cancel_requested and row.state not in states.ENDED_RUN else row.state


_OTHERWISE = f"resolve it with {RESTART} or {FAIL}"
