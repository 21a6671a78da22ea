-- What sensors of many kinds need: identities as ranges, events by what became of them, the runs that ended since some fact.

CREATE TABLE seen_ranges (
    source TEXT    NOT NULL,
    low    INTEGER NOT NULL,
    high   INTEGER NOT NULL,
    PRIMARY KEY (source, low)
) STRICT, WITHOUT ROWID;

-- The newest decisions of one outcome.
CREATE INDEX decisions_by_outcome ON decisions (outcome, seq);

-- A cancelled run, too, names the fact that ended it; and runs are found by that fact.
UPDATE runs
SET result_seq = (SELECT max(seq) FROM facts WHERE facts.run = runs.run AND facts.kind = 'RunCancelled')
WHERE state = 'cancelled' AND result_seq IS NULL;

CREATE INDEX runs_by_result ON runs (result_seq) WHERE result_seq IS NOT NULL;

-- The waits that an event ended. Most nodes have no reason.
CREATE INDEX nodes_by_reason ON nodes (reason) WHERE reason IS NOT NULL;
