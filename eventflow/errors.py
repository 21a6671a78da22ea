"""Everything that eventflow raises.

EventflowError
├── DefinitionError        a pipeline, task, sensor or trigger is written wrongly (names the user's file and line)
├── ProjectError           a project folder can't be loaded (holds every mistake found)
├── ParameterError         arguments that don't fit a pipeline's signature
├── ValueNotStorable       a value that the journal can't carry
│   └── NotFinite          NaN or an infinity
├── NotFound               a run, node, event or pipeline that isn't there
├── InvalidRequest         a question to the daemon that makes no sense as it is put
│   └── Ambiguous          a short id that fits several things (lists them)
├── EventConflict          an identity that is taken by an event of other content
├── FileChanged            a file that is no longer the version that an event tells of
├── NoDaemon               what only a daemon can do, and none is at work on the project
├── RunError               how a run ended, when not with a result
│   ├── RunFailed
│   └── RunCancelled
├── SensorError            a sensor can't look just now; it says when to try again
│   ├── SourceUnreachable  its server, database or file isn't there, or doesn't answer
│   ├── WatchedFolderMissing
│   └── WatchedFolderUnreadable
├── EngineClosed           asked of an engine that is stopping or stopped
├── Refused                a unit that the journal would not commit: its guard found another state
└── JournalError           the journal can't be trusted or reached; each has an exit code
    ├── JournalDamaged     74: I/O error, corruption, or shorter than it was
    ├── JournalOwned       75: another process writes it
    ├── JournalVersion     76: written by a newer eventflow
    ├── JournalDenied      77: no permission
    ├── JournalFull        74: no space left; not fatal to a running daemon
    └── JournalMisplaced   78: on a file system that can't hold it
"""

from __future__ import annotations


class EventflowError(Exception):
    """Something that eventflow found wrong, said so that a person can act on it."""

    exit_code = 1


class DefinitionError(EventflowError):
    """A mistake in how a pipeline, task, sensor or trigger is written.

    `where` is `file:line` of the user's code, or None where no line can be named.
    """

    exit_code = 78

    def __init__(self, message: str, where: str | None = None) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.message = message
        self.where = where


class ProjectError(EventflowError):
    """A project that can't be loaded. `mistakes` holds every one that was found, each naming its file."""

    exit_code = 78

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class ParameterError(EventflowError):
    """Arguments that don't fit a pipeline's signature: one missing, one unknown, or one of the wrong type."""

    exit_code = 64


class ValueNotStorable(EventflowError):
    """A value that can't be stored. The message names the place inside the value and its type."""


class NotFinite(ValueNotStorable):
    """A value that holds NaN or an infinity, of which JSON would silently make null."""


class NotFound(EventflowError):
    """No run, node, event, pipeline or sensor goes by that name or id."""

    exit_code = 64


class InvalidRequest(EventflowError):
    """A question that can't be answered as it is put: a malformed id, a number out of range, an unknown state. The message says which."""

    exit_code = 64


class Ambiguous(InvalidRequest):
    """A short id that fits several runs or events. The message lists them."""


class EventConflict(EventflowError):
    """An event whose identity is taken by another one, which says something else. Nothing was recorded of it."""


class FileChanged(EventflowError):
    """A file that is no longer as its event saw it: changed, replaced or removed. A later version fires an event of its own."""


class NoDaemon(EventflowError):
    """What was asked needs a daemon, and none is at work on this project, or it ended before it had answered."""


class RunError(EventflowError):
    """A run that ended without a result. `run` is its id."""

    def __init__(self, run: str, message: str) -> None:
        super().__init__(message)
        self.run = run


class RunFailed(RunError):
    """A run of which at least one needed node failed. The message names the first failed node and its error."""


class RunCancelled(RunError):
    """A run that was cancelled."""


class SensorError(EventflowError):
    """What keeps a sensor from looking. `retry_after` is in how many seconds to try again, or None to leave that to the supervisor."""

    retry_after: float | None = None


class SourceUnreachable(SensorError):
    """What a sensor watches isn't there, refuses it, or doesn't answer. `retry_after` is what it asked for itself, if it did."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class WatchedFolderMissing(SensorError):
    """A watched folder that isn't there, or is no folder."""

    retry_after = 2.0


class WatchedFolderUnreadable(SensorError):
    """A watched folder that is there and can't be listed."""

    retry_after = 2.0


class EngineClosed(EventflowError):
    """The engine is stopping or has stopped: it takes nothing more."""


class Refused(EventflowError):
    """A unit that the journal did not commit, because one of its changes found another state than it stands on.

    `table` and `key` name the row. Nothing of the unit is kept.
    """

    def __init__(self, table: str, key: tuple[object, ...]) -> None:
        super().__init__(f"{table} {key!r} is not in the state that this change stands on")
        self.table = table
        self.key = key


class JournalError(EventflowError):
    """The journal can't be used. The daemon ends with `exit_code`."""

    exit_code = 74


class JournalDamaged(JournalError):
    """The journal's disk failed, its content is damaged, or it is shorter than it was."""

    exit_code = 74


class JournalOwned(JournalError):
    """Another process writes this journal. The message names its pid, host and start."""

    exit_code = 75


class JournalVersion(JournalError):
    """The journal was written by a newer eventflow. Nothing in it was touched."""

    exit_code = 76


class JournalDenied(JournalError):
    """The state folder or a file in it can't be read or written by this user."""

    exit_code = 77


class JournalMisplaced(JournalError):
    """The state folder is on a file system that can't hold a journal safely, such as a network mount."""

    exit_code = 78


class JournalFull(JournalError):
    """No space is left on the journal's disk. Nothing was lost; new work is refused until there is space again."""

    exit_code = 74
