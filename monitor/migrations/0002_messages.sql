-- What people are told: alerts of the own rules and of others. Times are unix milliseconds.
CREATE TABLE messages (
    -- Never used again, so that a client can go on from the last one it saw.
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    -- monitor, alertmanager or grafana
    source          TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    severity        TEXT    NOT NULL,
    -- JSON object, keys in order: with source and name it says which alert it is.
    labels          TEXT    NOT NULL,
    value           REAL,
    summary         TEXT    NOT NULL,
    advice          TEXT    NOT NULL,
    runbook         TEXT    NOT NULL,
    started_ms      INTEGER NOT NULL,
    ended_ms        INTEGER,
    -- The files it touches; null until somebody could be asked.
    files           INTEGER,
    owners          TEXT    NOT NULL DEFAULT '[]',
    tags            TEXT    NOT NULL DEFAULT '[]',
    -- The message that says it all, this one included.
    parent          INTEGER,
    acknowledged_by TEXT,
    acknowledged_ms INTEGER,
    -- Grows with every change of any message.
    changed         INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX messages_open ON messages (source, name, labels) WHERE ended_ms IS NULL;
CREATE INDEX messages_by_change ON messages (changed);
CREATE INDEX messages_by_end ON messages (ended_ms);

-- Who has read what.
CREATE TABLE message_reads (
    message INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    person  TEXT    NOT NULL,
    read_ms INTEGER NOT NULL,
    PRIMARY KEY (message, person)
) STRICT, WITHOUT ROWID;

-- Alerts that nobody wants to be told of for a while; a maintenance window is one that begins later.
CREATE TABLE silences (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The alert's name; empty for all.
    name      TEXT    NOT NULL,
    -- JSON object of labels that must be so.
    labels    TEXT    NOT NULL,
    begins_ms INTEGER NOT NULL,
    ends_ms   INTEGER NOT NULL,
    author    TEXT    NOT NULL,
    reason    TEXT    NOT NULL
) STRICT;
