-- Events in one order of their own, so that each verification appends a row to the last page and touches no index. What each table and column means stands in docs/data-model.md.

-- Renamed first: from then on nodes of before write no event without a number, and so change nothing.
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
-- 1577836800000 is the beginning of 2020 in milliseconds, 4194304 is 2 to the power of 22 (crates/store/src/numbers.rs).
INSERT INTO audit (event_no, audit_id, at_ms, service_id, actor_kind, actor_id, action, target_kind, target_id, outcome, request_id, address)
SELECT (at_ms - 1577836800000) * 4194304 + row_number() OVER (PARTITION BY at_ms ORDER BY audit_id) AS event_no,
    audit_id, at_ms, service_id, actor_kind, actor_id, action, target_kind, target_id, outcome, request_id, address
FROM unnumbered_audit ORDER BY 1;
DROP TABLE unnumbered_audit;
-- ONLY POSTGRESQL
-- Nodes that write at the same moment may give the same number twice.
CREATE INDEX audit_order ON audit (event_no);
-- BOTH
CREATE INDEX audit_target ON audit (target_kind, target_id, at_ms) WHERE target_kind <> 'token';
