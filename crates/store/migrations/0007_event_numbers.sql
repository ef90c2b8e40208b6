-- Events in one order of their own, so that each verification appends a row to the last page and touches no index. What each table and column means stands in docs/data-model.md.

-- Renamed first: on PostgreSQL nodes of before write no event without a number, and so change nothing from then on.
ALTER TABLE audit RENAME TO unnumbered_audit;
CREATE TABLE audit (
    event_no {NUMBER} NOT NULL
-- ONLY SQLITE
    PRIMARY KEY
-- BOTH
    ,
    audit_id TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    service_id TEXT,
    actor_kind TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    action TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    request_id TEXT NOT NULL,
    address TEXT
);
-- 1577836800000 is the beginning of 2020 in milliseconds, 4194304 is 2 to the power of 22, 2100000000000 is the greatest time (crates/store/src/numbers.rs).
INSERT INTO audit (event_no, audit_id, at_ms, service_id, actor_kind, actor_id, action, target_kind, target_id, outcome, request_id, address)
SELECT CASE WHEN at_ms < 1577836800000 THEN 0 WHEN at_ms > 3677836800000 THEN 2100000000000 ELSE at_ms - 1577836800000 END * 4194304
-- ONLY SQLITE
    -- Not sorted, which would be done in memory: rows stand in the order of their commits.
    + rowid % 4194304
-- ONLY POSTGRESQL
    + row_number() OVER (PARTITION BY CASE WHEN at_ms < 1577836800000 THEN 0 WHEN at_ms > 3677836800000 THEN 3677836800000 ELSE at_ms END
        ORDER BY audit_id)
-- BOTH
    , audit_id, at_ms, service_id, actor_kind, actor_id, action, target_kind, target_id, outcome, request_id, address
FROM unnumbered_audit
-- ONLY SQLITE
    ORDER BY rowid
-- ONLY POSTGRESQL
    ORDER BY 1
-- BOTH
;
-- ONLY SQLITE
-- Nothing secret is in it, and to wipe all its pages they would be kept in memory first.
PRAGMA secure_delete = FAST;
DROP TABLE unnumbered_audit;
PRAGMA secure_delete = ON;
-- ONLY POSTGRESQL
DROP TABLE unnumbered_audit;
-- Nodes that write at the same moment may give the same number twice.
CREATE INDEX audit_order ON audit (event_no);
-- BOTH
CREATE INDEX audit_target ON audit (target_kind, target_id, at_ms) WHERE target_kind <> 'token';
