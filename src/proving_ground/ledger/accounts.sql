-- About 40 MB for each unit of scale: the same rows on every machine, each pair summing to nothing.
INSERT INTO accounts (id, tenant, balance, note)
SELECT id,
       'tenant-' || (id % 10),
       CASE id % 2 WHEN 0 THEN 1 ELSE -1 END
           * (('x' || substr(md5(((id + 1) / 2)::text), 1, 7))::bit(28)::int),
       md5(id::text) || md5((-id)::text)
FROM generate_series(1, 200000 * {scale}::bigint) AS id;
