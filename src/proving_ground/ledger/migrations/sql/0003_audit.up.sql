-- The audit log: the service's role may add to it and read it; nobody changes or removes an entry.
CREATE TABLE audit (
    seq bigint PRIMARY KEY,
    at text NOT NULL,
    event text NOT NULL,
    reason text NOT NULL,
    tenant text NOT NULL,
    subject text NOT NULL,
    request_id text NOT NULL,
    detail text NOT NULL,
    digest text NOT NULL
);
COMMENT ON COLUMN audit.at IS 'text, so that what was hashed is what is stored';

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- One at a time, as with events: each digest follows the one committed before it.
CREATE FUNCTION append_audit(p_texts text[]) RETURNS SETOF audit
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    head audit%ROWTYPE;
    number bigint;
    packed text;
BEGIN
    PERFORM pg_advisory_xact_lock(722);
    SELECT * INTO head FROM audit ORDER BY seq DESC LIMIT 1;
    number := coalesce(head.seq, 0) + 1;
    SELECT string_agg(octet_length(each) || ':' || each, '' ORDER BY place) INTO packed
        FROM unnest(p_texts) WITH ORDINALITY AS given(each, place);
    RETURN QUERY INSERT INTO audit
        SELECT number, p_texts[1], p_texts[2], p_texts[3], p_texts[4], p_texts[5], p_texts[6],
            p_texts[7], encode(sha256(convert_to(format('%s %s %s',
                coalesce(head.digest, repeat('0', 64)), number, packed), 'UTF8')), 'hex')
        RETURNING *;
END
$$;

-- All or none: the caller sees the conflict and nothing is stored.
CREATE FUNCTION append_events(p_tenant text, p_keys text[], p_bodies text[])
RETURNS TABLE (outcome text, seq bigint, digest text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    done record;
BEGIN
    FOR place IN 1 .. cardinality(p_keys) LOOP
        SELECT * INTO done FROM append_event(p_tenant, p_keys[place], p_bodies[place]);
        IF done.outcome = 'conflict' THEN
            RAISE EXCEPTION 'conflict' USING ERRCODE = 'LC409', DETAIL = done.seq;
        END IF;
        outcome := done.outcome;
        seq := done.seq;
        digest := done.digest;
        RETURN NEXT;
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION append_audit, append_events FROM PUBLIC;
