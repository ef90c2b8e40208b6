-- What each verification reads and writes, made as narrow as it can be. What each table and column means stands in docs/data-model.md.

-- A counter has a number of its own: a verification finds it without an index, and many fit into one page. The old table is renamed first: from
-- then on no other node writes to it, and nothing that was accepted is missed.
ALTER TABLE counter RENAME TO named_counter;
CREATE TABLE counter (
    counter_no {NUMBER} NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    last_step BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    run_since_success BIGINT NOT NULL,
    drift BIGINT NOT NULL,
    standing TEXT NOT NULL
);
ALTER TABLE token ADD COLUMN counter_no BIGINT REFERENCES counter (counter_no);
INSERT INTO counter (counter_no, version, last_step, failures, run_since_success, drift, standing)
SELECT row_number() OVER (ORDER BY token_id), version, last_step, failures, run_since_success, drift, standing FROM named_counter;
UPDATE token SET counter_no = n.counter_no
FROM (SELECT token_id, row_number() OVER (ORDER BY token_id) AS counter_no FROM named_counter) n
WHERE n.token_id = token.token_id;
DROP TABLE named_counter;
CREATE UNIQUE INDEX token_counter ON token (counter_no);

-- An event is found by its service and its id: one index for both spares each verification a second one.
DROP INDEX audit_service;
-- ONLY POSTGRESQL
ALTER TABLE audit DROP CONSTRAINT audit_pkey;
-- ONLY SQLITE
DROP INDEX audit_target;
ALTER TABLE audit RENAME TO keyed_audit;
CREATE TABLE audit (
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
INSERT INTO audit (audit_id, at_ms, service_id, actor_kind, actor_id, action, target_kind, target_id, outcome, request_id, address)
SELECT audit_id, at_ms, service_id, actor_kind, actor_id, action, target_kind, target_id, outcome, request_id, address
FROM keyed_audit ORDER BY audit_id;
DROP TABLE keyed_audit;
CREATE INDEX audit_target ON audit (target_kind, target_id, at_ms) WHERE target_kind <> 'token';
-- BOTH
CREATE UNIQUE INDEX audit_event ON audit (service_id, audit_id);
-- Those of no service, of which the index above holds any number of the same id.
CREATE UNIQUE INDEX audit_installation ON audit (audit_id) WHERE service_id IS NULL;
