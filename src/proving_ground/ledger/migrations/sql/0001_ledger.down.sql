DROP FUNCTION append_event;
DROP TABLE restore_points;
DROP TABLE events;
DROP TABLE accounts;
