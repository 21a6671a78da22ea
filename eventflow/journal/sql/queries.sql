-- Every statement that is not made from `projections.TABLES` or part of a migration. `queries.py` gives each by its name.

-- name: application
-- What kind of file this is.
PRAGMA application_id;

-- name: version
-- The number of the last migration.
PRAGMA user_version;

-- name: check
-- One row, "ok", or the first thing that is wrong.
PRAGMA quick_check(1);

-- name: check_all
-- As `check`, and whether each index agrees with its table.
PRAGMA integrity_check(100);

-- name: journal_mode
-- Give the mode that was really taken: SQLite stays with the old one in silence where the new one can't be had.
PRAGMA journal_mode = WAL;

-- name: checkpoint
-- Copy the log into the main file as far as readers allow: (busy, frames in the log, frames copied).
PRAGMA wal_checkpoint(PASSIVE);

-- name: checkpoint_all
-- Copy all of it and empty the log. Where a reader is in the way, the next start does it.
PRAGMA wal_checkpoint(TRUNCATE);

-- name: backup
-- Write a compact copy of the journal into a new file.
VACUUM INTO ?;

-- name: begin
-- Take the write lock before the first read: a deferred transaction that reads first can't become a writer once another has written.
BEGIN IMMEDIATE;

-- name: journal
-- Who the journal is, who may write it, and how far it has come.
SELECT id, epoch, coalesce((SELECT max(seq) FROM facts), 0) FROM journal;

-- name: next_epoch
-- Take the journal over from whoever wrote it before.
UPDATE journal SET epoch = epoch + 1;

-- name: set_epoch
-- Go on behind the epochs of the journal that this one stands for.
UPDATE journal SET epoch = ?;

-- name: insert_fact
INSERT INTO facts (seq, at, run, kind, body) VALUES (?, ?, ?, ?, ?);

-- name: seq
-- The place of the last fact.
SELECT coalesce(max(seq), 0) FROM facts;

-- name: wanted
-- The values that a question looks for, on the connection that asks it: in memory, and seen by nobody else.
CREATE TEMP TABLE wanted (place INTEGER NOT NULL, value);

-- name: want
INSERT INTO temp.wanted (place, value) VALUES (?, ?);

-- name: want_nothing
DELETE FROM temp.wanted;

-- name: facts
-- The facts at the places in a JSON array.
SELECT seq, body FROM facts WHERE seq IN (SELECT value FROM json_each(?));

-- name: records
-- A page of all facts.
SELECT seq, at, body FROM facts WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: records_of_run
-- A page of one run's facts.
SELECT seq, at, body FROM facts WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?;
