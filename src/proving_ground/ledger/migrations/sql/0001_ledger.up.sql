-- The ledger's tables. Events are append-only: the service's role cannot change or remove one.
CREATE TABLE accounts (
    id bigint PRIMARY KEY,
    tenant text NOT NULL,
    balance bigint NOT NULL,
    note text NOT NULL
);
COMMENT ON TABLE accounts IS 'static reference data; the balances of a pair cancel out';

CREATE TABLE events (
    seq bigint PRIMARY KEY,
    tenant text NOT NULL,
    key text NOT NULL,
    body text NOT NULL,
    digest text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (tenant, key)
);

CREATE TABLE restore_points (
    name text PRIMARY KEY,
    lsn pg_lsn NOT NULL,
    wal_file text NOT NULL,
    event_seq bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    archived_at timestamptz
);
COMMENT ON COLUMN restore_points.event_seq IS 'every event up to this one lies before the point';
COMMENT ON COLUMN restore_points.archived_at IS 'when its WAL was seen in the archive';

-- One at a time: the lock is held until the commit, so that seq order is commit order (a bigserial
-- would not promise that) and each digest follows the one committed before it.
CREATE FUNCTION append_event(
    p_tenant text, p_key text, p_body text,
    OUT outcome text, OUT seq bigint, OUT digest text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    old events%ROWTYPE;
    head events%ROWTYPE;
BEGIN
    PERFORM pg_advisory_xact_lock(721);
    SELECT * INTO old FROM events WHERE tenant = p_tenant AND key = p_key;
    IF FOUND THEN
        outcome := CASE WHEN old.body = p_body THEN 'same' ELSE 'conflict' END;
        seq := old.seq;
        digest := old.digest;
        RETURN;
    END IF;
    SELECT * INTO head FROM events ORDER BY seq DESC LIMIT 1;
    outcome := 'appended';
    seq := coalesce(head.seq, 0) + 1;
    digest := encode(sha256(convert_to(format('%s %s %s:%s%s:%s%s:%s',
        coalesce(head.digest, repeat('0', 64)), seq,
        octet_length(p_tenant), p_tenant,
        octet_length(p_key), p_key,
        octet_length(p_body), p_body), 'UTF8')), 'hex');
    INSERT INTO events (seq, tenant, key, body, digest)
        VALUES (seq, p_tenant, p_key, p_body, digest);
END
$$;
