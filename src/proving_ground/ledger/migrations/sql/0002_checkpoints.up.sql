-- What the Merkle engine signs. Append-only: it may add one and change none.
CREATE TABLE checkpoints (
    number bigint PRIMARY KEY CHECK (number > 0),
    size bigint NOT NULL UNIQUE CHECK (size > 0),
    note text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN checkpoints.size IS 'events 1 to size are below the root that the note states';
COMMENT ON COLUMN checkpoints.note IS 'the signed text; number and size stand in it again';
