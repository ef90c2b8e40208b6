-- What each verification reads and writes, made as narrow as it can be. What each table and column means stands in docs/data-model.md.

-- A counter has a number of its own: a verification finds it without an index, and many fit into one page.
CREATE TABLE numbered_counter (
    counter_no {NUMBER} NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    last_step BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    run_since_success BIGINT NOT NULL,
    drift BIGINT NOT NULL,
    standing TEXT NOT NULL,
    token_id TEXT
);
INSERT INTO numbered_counter (version, last_step, failures, run_since_success, drift, standing, token_id)
SELECT version, last_step, failures, run_since_success, drift, standing, token_id FROM counter ORDER BY token_id;
DROP TABLE counter;
ALTER TABLE token ADD COLUMN counter_no BIGINT REFERENCES numbered_counter (counter_no);
UPDATE token SET counter_no = c.counter_no FROM numbered_counter c WHERE c.token_id = token.token_id;
ALTER TABLE numbered_counter DROP COLUMN token_id;
ALTER TABLE numbered_counter RENAME TO counter;
CREATE UNIQUE INDEX token_counter ON token (counter_no);

-- An event is found by its service and its id: one index for both spares each verification a second one.
CREATE TABLE event (
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
INSERT INTO event SELECT audit_id, at_ms, service_id, actor_kind, actor_id, action, target_kind, target_id, outcome, request_id, address
FROM audit ORDER BY audit_id;
DROP TABLE audit;
ALTER TABLE event RENAME TO audit;
CREATE UNIQUE INDEX audit_event ON audit (service_id, audit_id);
CREATE INDEX audit_target ON audit (target_kind, target_id, at_ms) WHERE target_kind <> 'token';
