"""Reading a table round by round: what `place` describes, done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from eventflow.errors import SourceUnreachable
from eventflow.ports import Clock, Seen
from eventflow.sensors.rows.postgres import place as places
from eventflow.sensors.rows.postgres.connection import Connection
from eventflow.sensors.rows.postgres.past import Past
from eventflow.sensors.rows.postgres.place import MARGIN, Place, Snapshot
from eventflow.sensors.rows.postgres.statements import Order, Statements, Stretch
from eventflow.sensors.rows.source import Page

_PATROL_PACE = 0.5
_STEPS_AT_ONCE = 10
_MOST_SKIPPED = 10_000
_NOWHERE = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How far a look goes: `step` rows are looked at by one statement, `settle` and `rest` are in seconds.

    A table of more than one step is patrolled once in `rest` seconds.
    """

    settle: float
    step: int = 20_000
    rest: float = 600.0


@dataclass(slots=True)
class _Walk:
    """A round or a patrol under way: the `low` that it goes by, the one that is its result, and how far it came."""

    order: Order
    low: int | None
    upper: int
    at: tuple[str, ...] | None = None
    end: tuple[str, ...] | None = None
    steps: int = 0


@dataclass(frozen=True, slots=True)
class _Mark:
    """The floor to be: the last place in the table, the number that no transaction had then, and from when on it may be the floor.

    A key may be drawn some time before its transaction has a number: that all below a number have ended isn't enough.
    """

    number: int
    top: tuple[str, ...]
    ripe: float


@dataclass(slots=True)
class _Found:
    """What one look has found: records, by the identity that they make, in order; and for how many more there is room."""

    room: int
    records: dict[str, Mapping[str, object]] = field(default_factory=dict[str, Mapping[str, object]])


class Reading:
    """The reading of one table over one connection. All but `quiet` are called in a transaction that keeps to one snapshot.

    With `forgets`, it tells which identities it will never meet again.
    """

    def __init__(
        self, connection: Connection, statements: Statements, seen: Seen, *, clock: Clock, pace: Pace, history: str, forgets: bool
    ) -> None:
        self.statements = self._sql = statements
        self._connection = connection
        self._seen = seen
        self._clock = clock
        self._pace = pace
        self._history = history
        self._forgets = forgets
        self.past = Past(clock, pace.settle)
        self._start(self._beginning, _NOWHERE)

    def quiet(self, cursor: object, snapshot: Snapshot) -> bool:
        """Whether a look from this cursor would find nothing: the last one found all there was, and no transaction has ended since."""
        return self._quiet == snapshot.text and cursor == self._given and not self._is_due(snapshot)

    @property
    def is_large(self) -> bool:
        """Whether the table is known to be of more than one step."""
        return self._is_large

    async def end(self, snapshot: Snapshot) -> object:
        """Give the cursor behind every row that this snapshot shows. Raises `SourceUnreachable` where these are still too many to tell."""
        query, values = self._sql.unsettled(snapshot.xmin, snapshot.xmax, _MOST_SKIPPED + 1)
        names = [self._sql.fields.name(record) for record in await self._connection.fetch(query, *values)]
        if len(names) > _MOST_SKIPPED:
            raise SourceUnreachable(
                f"a transaction has been open for so long that {_MOST_SKIPPED} rows were written since: only when it ends can be told"
                " which rows are there already"
            )
        place = replace(self._beginning, skip=tuple(names), known=snapshot.xmin, words="the rows that were there at first")
        if self._forgets:
            # A version that is passed over doesn't come back: the cursor alone does that. A key does, with each update.
            place = replace(place, low=snapshot.xmin, patrol=snapshot.xmin)
        return places.written(place)

    async def look(self, cursor: object, snapshot: Snapshot, limit: int) -> Page:
        """Read what comes next behind a cursor."""
        self._adopt(cursor, snapshot)
        self.past.note(snapshot)
        found = _Found(limit)
        more = not await self._go_round(snapshot, found)
        if not more and found.room:
            await self._go_on_patrol(snapshot, found)
        self._quiet = None if more or self._patrol is not None else snapshot.text
        on_patrol = self._patrol is not None or self._is_due(snapshot)
        return await self._page(found, again=0.0 if more else _PATROL_PACE if on_patrol else None)

    # ------------------------------------------------------------------------------------------------------------ cursor

    def _start(self, place: Place, cursor: object) -> None:
        self._place = place
        self._given = cursor
        order = self._sql.whole if place.low is None else self._sql.new
        self._round = None if place.upper is None else _Walk(order, place.low, place.upper, place.at)
        self._patrol: _Walk | None = None
        self._rest_until = self._clock.monotonic()
        self._is_large = False
        self._mark: _Mark | None = None
        self._overtaken: int | None = None
        self._quiet: str | None = None
        self._handed: dict[str, int] = {}

    def _adopt(self, cursor: object, snapshot: Snapshot) -> None:
        """Go on where the cursor says, unless that is where this stands."""
        if cursor == self._given:
            return
        place = places.read(cursor) or self._beginning
        if place.history != self._history or snapshot.xmax < place.highest:
            place = self._elsewhere(place, snapshot)
        if place.order != self._sql.signature:
            place = replace(place, order=self._sql.signature, floor=None, upper=None, at=None)
        low, patrol = (None if number is None else max(number - MARGIN, 0) for number in (place.low, place.patrol))
        self._start(replace(place, low=low, patrol=patrol), cursor)

    def _elsewhere(self, place: Place, snapshot: Snapshot) -> Place:
        """Give the place in another cluster, or on another timeline, where transactions of before may be missing.

        The journal knows every key, so all is read anew. It doesn't know every version: where the numbers seem to go on, so does this.
        """
        if self._forgets and snapshot.xmax >= place.highest:
            return replace(place, history=self._history)
        return replace(self._beginning, count=place.count)

    @property
    def _beginning(self) -> Place:
        return Place(history=self._history, order=self._sql.signature)

    async def _page(self, found: _Found, *, again: float | None) -> Page:
        place = self._place
        taken = {*(await self._seen.of(found.records.keys()) if found.records else ()), *place.skip}
        fresh = {name: record for name, record in found.records.items() if name not in taken}
        known = {name for name, record in fresh.items() if place.known is not None and _writer(record) < place.known}
        settled = self._settled()
        if self._forgets:
            self._handed |= {name: _writer(record) for name, record in fresh.items()}
        if fresh or settled or place.skip:
            words = [f"row {name} of transaction {_writer(record)}" for name, record in fresh.items() if name not in known][-1:]
            self._place = replace(place, count=place.count + 1, skip=(), words=words[0] if words else place.words)
            self._given = self._cursor()
        return Page(
            rows=tuple(self._sql.fields.row(record, name) for name, record in fresh.items() if name not in known),
            known=(*place.skip, *sorted(known)),
            cursor=self._given,
            settled=settled,
            again=again,
        )

    def _cursor(self) -> object:
        under_way = self._round
        upper, at = (None, None) if under_way is None else (under_way.upper, under_way.at)
        return places.written(replace(self._place, upper=upper, at=at))

    def _settled(self) -> tuple[str, ...]:
        """Give what was handed over by transactions so far below that a later start won't meet it either."""
        low, patrol = self._place.low, self._place.patrol
        limit = min(low, patrol) if low is not None and patrol is not None else 0 if self._round is None else self._round.upper
        names = tuple(name for name, writer in self._handed.items() if writer < limit - MARGIN)
        for name in names:
            del self._handed[name]
        return names

    # ------------------------------------------------------------------------------------------------------------ rounds

    async def _go_round(self, snapshot: Snapshot, found: _Found) -> bool:
        """Go on with the round, or with a new one, and tell whether it is done."""
        if self._round is None:
            self._round = await self._begun(snapshot)
        for _ in range(_STEPS_AT_ONCE):
            if await self._step(self._round, snapshot, found):
                place = self._place
                patrol = self._round.upper if place.patrol is None else place.patrol
                self._place = replace(place, low=self._round.upper, patrol=patrol)
                self._is_large = self._is_large or self._round.steps > 1
                self._round = None
                return True
            if not found.room:
                break
        return False

    async def _begun(self, snapshot: Snapshot) -> _Walk:
        low = self._place.low
        await self._raise_floor(snapshot)
        if low is None:  # the patrol's number comes of this round too, so nobody is overtaken in it
            return _Walk(self._sql.whole, None, snapshot.xmin)
        done = self.past.done(snapshot)
        if done > snapshot.xmin:
            self._overtaken = done
        return _Walk(self._sql.new, low, done, self._place.floor)

    async def _raise_floor(self, snapshot: Snapshot) -> None:
        if self._sql.stamp is not None:
            return
        now, low = self._clock.monotonic(), self._place.low
        if self._mark is not None and low is not None and self._mark.number <= low and now >= self._mark.ripe:
            self._place = replace(self._place, floor=self._mark.top)
            self._mark = None
        if self._mark is None:
            last = await self._connection.fetchrow(self._sql.last(self._sql.new))
            if last is not None:
                # A snapshot's xmax isn't the next number: transactions that have one and haven't ended may lie above.
                following = snapshot.xmax + ((int(str(last["next"])) + 3 - snapshot.xmax) & 0xFFFFFFFF)
                self._mark = _Mark(following, _position(last, self._sql.new), now + self._pace.settle)

    # ------------------------------------------------------------------------------------------------------------ patrol

    async def _go_on_patrol(self, snapshot: Snapshot, found: _Found) -> None:
        """Go one step of the patrol, where one is under way or due."""
        if self._patrol is None and self._is_due(snapshot):
            self._patrol = _Walk(self._sql.patrol, self._place.patrol, snapshot.xmin)
            if self._overtaken is not None and snapshot.xmin >= self._overtaken:
                self._overtaken = None
        if self._patrol is None or not await self._step(self._patrol, snapshot, found):
            return
        self._is_large = self._patrol.steps > 1
        self._rest_until = self._clock.monotonic() + (self._pace.rest if self._is_large else 0.0)
        self._place = replace(self._place, patrol=self._patrol.upper)
        self._patrol = None

    def _is_due(self, snapshot: Snapshot) -> bool:
        if self._place.patrol == snapshot.xmin:
            return False
        overtaken_ended = self._overtaken is not None and snapshot.xmin >= self._overtaken
        return overtaken_ended or self._clock.monotonic() >= self._rest_until

    # -------------------------------------------------------------------------------------------------------------- steps

    async def _step(self, walk: _Walk, snapshot: Snapshot, found: _Found) -> bool:
        """Go one step of a walk, as far as there is room, and tell whether it has come to its end."""
        if walk.end is None:
            walk.steps += 1
            query, values = self._sql.end_of_step(Stretch(walk.order, walk.low, walk.at), snapshot.xmax, self._pace.step)
            ahead = await self._connection.fetchrow(query, *values)
            walk.end = None if ahead is None else _position(ahead, walk.order)
        query, values = self._sql.step(Stretch(walk.order, walk.low, walk.at, walk.end), snapshot.xmax, found.room)
        records = await self._connection.fetch(query, *values)
        for record in records:
            found.records.setdefault(self._sql.fields.name(record), record)
        if len(records) == found.room:
            found.room = 0
            walk.at = _position(records[-1], walk.order)
            return False
        found.room -= len(records)
        at_end = walk.end is None
        walk.at, walk.end = walk.end, None
        return at_end


def _position(record: Mapping[str, object], order: Order) -> tuple[str, ...]:
    return tuple(str(record[f"p{number}"]) for number in range(len(order.columns)))


def _writer(record: Mapping[str, object]) -> int:
    return int(str(record["writer"]))
