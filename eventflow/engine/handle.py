"""A handle on a run: what `submit` gives, and what can be asked of it."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar, cast

from eventflow.projections import RunRow

R = TypeVar("R")


class Runs(Protocol):
    """What a handle asks of the engine."""

    async def wait(self, run: str) -> RunRow: ...
    async def state(self, run: str) -> RunRow: ...
    async def result(self, run: str) -> object: ...
    async def cancel(self, run: str) -> None: ...


class Run(Generic[R]):
    """A run, which is durable. `id` names it for ever; `pipeline` is the name of its pipeline."""

    def __init__(self, id: str, pipeline: str, runs: Runs) -> None:  # noqa: A002 - `run.id` is what people look for
        self.id = id
        self.pipeline = pipeline
        self._runs = runs

    async def result(self) -> R:
        """Wait for the run's end and give what its pipeline returned, as a fresh copy.

        Raises `RunFailed` or `RunCancelled`. A held run is waited for.
        """
        return cast("R", await self._runs.result(self.id))

    async def wait(self) -> RunRow:
        """Wait for the run's end, whatever it is, and give its row."""
        return await self._runs.wait(self.id)

    async def state(self) -> str:
        """Give the run's state now: `queued`, `running`, `suspended`, `held`, `succeeded`, `failed` or `cancelled`."""
        return (await self._runs.state(self.id)).state

    async def cancel(self) -> None:
        """Have the run cancelled. Durable when this returns; the run's end comes when what runs has stopped."""
        await self._runs.cancel(self.id)

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self.pipeline}>"
