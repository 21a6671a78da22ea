-- What a graph can say beside tasks: runs and nodes that wait, children, pauses, reruns; and how much of the rates is used up.

ALTER TABLE runs ADD COLUMN parent TEXT;
ALTER TABLE runs ADD COLUMN parent_node TEXT;
ALTER TABLE runs ADD COLUMN rerun_of TEXT;
ALTER TABLE runs ADD COLUMN concurrency_key TEXT;
ALTER TABLE runs ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN ran INTEGER NOT NULL DEFAULT 0;

-- A run's children, to be cancelled with it; the runs of a pipeline that ended last, for its circuit breaker.
CREATE INDEX runs_by_parent ON runs (parent) WHERE parent IS NOT NULL;
CREATE INDEX runs_by_end ON runs (pipeline, ended_at);

ALTER TABLE nodes ADD COLUMN cancel_requested INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN fallback INTEGER;
ALTER TABLE nodes ADD COLUMN items_seq INTEGER;

CREATE TABLE waits (
    run   TEXT    NOT NULL,
    node  TEXT    NOT NULL,
    kind  TEXT    NOT NULL,
    seq   INTEGER NOT NULL,
    since INTEGER NOT NULL,
    due   INTEGER,
    PRIMARY KEY (run, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE pipelines (
    pipeline TEXT    NOT NULL PRIMARY KEY,
    paused   INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    reason   TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE rates (
    rate    TEXT    NOT NULL PRIMARY KEY,
    full_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
