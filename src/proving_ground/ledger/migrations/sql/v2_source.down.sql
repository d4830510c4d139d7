-- What the column held is lost, and `migrate down` says how much that was.
ALTER TABLE events DROP COLUMN source;
