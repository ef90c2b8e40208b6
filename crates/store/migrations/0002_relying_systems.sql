-- Relying systems: API clients and their keys, answers kept for repeated requests, webhooks. What each table and column
-- means stands in docs/data-model.md.

CREATE TABLE api_client (
    client_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    service_id TEXT REFERENCES service (service_id),
    contract_id TEXT REFERENCES contract (contract_id),
    scopes TEXT NOT NULL,
    networks TEXT NOT NULL,
    requests_per_s BIGINT NOT NULL,
    disabled BOOLEAN NOT NULL,
    created_at_ms BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX api_client_name ON api_client (name);

CREATE TABLE api_key (
    key_id TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES api_client (client_id),
    key_hash {BLOB} NOT NULL,
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT,
    used_at_ms BIGINT
);
CREATE INDEX api_key_client ON api_key (client_id);

-- The answer to a write, for a caller that did not get it and asks again under the same key (R21).
CREATE TABLE api_answer (
    client_id TEXT NOT NULL REFERENCES api_client (client_id),
    idempotency_key TEXT NOT NULL,
    request_hash {BLOB} NOT NULL,
    answer TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (client_id, idempotency_key)
);
CREATE INDEX api_answer_age ON api_answer (created_at_ms);

CREATE TABLE webhook (
    webhook_id TEXT NOT NULL PRIMARY KEY,
    service_id TEXT NOT NULL REFERENCES service (service_id),
    url TEXT NOT NULL,
    actions TEXT NOT NULL,
    sealed_secret {BLOB} NOT NULL,
    sealed_old_secret {BLOB},
    old_secret_until_ms BIGINT,
    disabled BOOLEAN NOT NULL,
    created_at_ms BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX webhook_service ON webhook (service_id, webhook_id);

-- A claimed delivery is one whose next try was moved to the end of the claim.
CREATE TABLE webhook_delivery (
    delivery_id TEXT NOT NULL PRIMARY KEY,
    webhook_id TEXT NOT NULL REFERENCES webhook (webhook_id),
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    tries BIGINT NOT NULL,
    next_try_at_ms BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    delivered_at_ms BIGINT,
    last_error TEXT
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (state, next_try_at_ms);
CREATE INDEX webhook_delivery_webhook ON webhook_delivery (webhook_id, state, next_try_at_ms);
CREATE INDEX webhook_delivery_done ON webhook_delivery (delivered_at_ms) WHERE state = 'delivered';

-- Events are read in the order of their ids, a service at a time.
CREATE INDEX audit_service ON audit (service_id, audit_id);

-- Each verification is an event about a token: an index by token would write a page of its own for each of them. Those events are
-- found by service and time.
DROP INDEX audit_target;
CREATE INDEX audit_target ON audit (target_kind, target_id, at_ms) WHERE target_kind <> 'token';

-- After a restore: nothing whose code could have been accepted by this time is accepted (R23).
ALTER TABLE service ADD COLUMN fence_at_ms BIGINT;
