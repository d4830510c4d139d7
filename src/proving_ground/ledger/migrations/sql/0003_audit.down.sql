DROP FUNCTION append_events;
DROP FUNCTION append_audit;
DROP TABLE audit;
DROP FUNCTION audit_is_append_only;
