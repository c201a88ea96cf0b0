-- Where messages are sent on to, and from which one on: a new channel is not told the whole past.
CREATE TABLE channels (
    name       TEXT    PRIMARY KEY,
    first      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What each channel has taken of a message: its beginning (1), or its end too (2).
CREATE TABLE deliveries (
    channel TEXT    NOT NULL,
    message INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    said    INTEGER NOT NULL,
    PRIMARY KEY (channel, message)
) STRICT, WITHOUT ROWID;
