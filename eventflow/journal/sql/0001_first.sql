-- The journal's first schema. A migration runs in one transaction, together with the number that records it.

-- The file says what it is: `PRAGMA application_id`, the letters "evfl".
PRAGMA application_id = 0x6576666c;

-- One row about the journal itself. Each daemon that opens it takes the next epoch, and writes only as long as that is still its own.
CREATE TABLE journal (
    only  INTEGER PRIMARY KEY CHECK (only = 1),
    id    TEXT    NOT NULL,
    epoch INTEGER NOT NULL
) STRICT;

INSERT INTO journal (only, id, epoch) VALUES (1, lower(hex(randomblob(16))), 0);

-- All facts, in the one order. `seq` has no gaps: it is allocated inside the writing transaction, from the largest one here, so whatever
-- removes facts must leave the last. `run` and `kind` repeat what stands in the body, for those who look with SQL alone.
CREATE TABLE facts (
    seq  INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    run  TEXT,
    kind TEXT    NOT NULL,
    body BLOB    NOT NULL
) STRICT;

-- One run's facts, in order: `eventflow show`, the live page of a run.
CREATE INDEX facts_of_run ON facts (run, seq) WHERE run IS NOT NULL;

-- Everything below is derived from the facts by `projections.project`, and can be rebuilt from them.

CREATE TABLE graphs (
    digest TEXT    NOT NULL PRIMARY KEY,
    seq    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    run              TEXT    NOT NULL PRIMARY KEY,
    seq              INTEGER NOT NULL,
    pipeline         TEXT    NOT NULL,
    graph            TEXT    NOT NULL,
    state            TEXT    NOT NULL,
    priority         INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    key              TEXT,
    event            TEXT,
    trigger          TEXT,
    cancel_requested INTEGER NOT NULL,
    started_at       INTEGER,
    ended_at         INTEGER,
    reason           TEXT,
    result_seq       INTEGER
) STRICT, WITHOUT ROWID;

-- The newest runs; the newest of one pipeline; the open ones, for recovery and for the queue.
CREATE INDEX runs_by_seq ON runs (seq);
CREATE INDEX runs_by_pipeline ON runs (pipeline, seq);
CREATE INDEX runs_by_state ON runs (state, seq);

CREATE TABLE keys (
    pipeline TEXT NOT NULL,
    key      TEXT NOT NULL,
    run      TEXT NOT NULL,
    PRIMARY KEY (pipeline, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE nodes (
    run        TEXT    NOT NULL,
    node       TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    attempt    INTEGER NOT NULL,
    crashes    INTEGER NOT NULL,
    started_at INTEGER,
    ended_at   INTEGER,
    due        INTEGER,
    reason     TEXT,
    result_seq INTEGER,
    PRIMARY KEY (run, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    run        TEXT    NOT NULL,
    node       TEXT    NOT NULL,
    attempt    INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    reason     TEXT,
    PRIMARY KEY (run, node, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
    run      TEXT    NOT NULL,
    node     TEXT    NOT NULL,
    position INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    saved_at INTEGER NOT NULL,
    PRIMARY KEY (run, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    event       TEXT    NOT NULL PRIMARY KEY,
    seq         INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    time        INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    subject     TEXT
) STRICT, WITHOUT ROWID;

-- The newest events; the newest of one source.
CREATE INDEX events_by_seq ON events (seq);
CREATE INDEX events_by_source ON events (source, seq);

CREATE TABLE seen (
    source       TEXT NOT NULL,
    id           TEXT NOT NULL,
    event        TEXT,
    forgotten_at INTEGER,
    PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;

-- The identities of a source that are gone from it, the longest gone first: what the retention looks at.
CREATE INDEX seen_by_forgetting ON seen (source, forgotten_at);

CREATE TABLE decisions (
    event      TEXT    NOT NULL,
    trigger    TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    decided_at INTEGER NOT NULL,
    run        TEXT,
    reason     TEXT,
    PRIMARY KEY (event, trigger)
) STRICT, WITHOUT ROWID;

-- Why a run was begun.
CREATE INDEX decisions_by_run ON decisions (run) WHERE run IS NOT NULL;

CREATE TABLE cursors (
    source   TEXT    NOT NULL PRIMARY KEY,
    seq      INTEGER NOT NULL,
    moved_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sensors (
    sensor TEXT    NOT NULL PRIMARY KEY,
    state  TEXT    NOT NULL,
    since  INTEGER NOT NULL,
    reason TEXT
) STRICT, WITHOUT ROWID;
