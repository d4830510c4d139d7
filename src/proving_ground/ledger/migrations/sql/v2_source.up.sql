-- Who wrote each event. Two statements: a default given with the column would also be shown for the
-- rows that are there already, and their writer is not known. Neither rewrites the table.
ALTER TABLE events ADD COLUMN source text;
ALTER TABLE events ALTER COLUMN source SET DEFAULT current_setting('application_name');
