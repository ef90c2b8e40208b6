-- The life of a token and its renewals by the app. What each table and column means stands in docs/data-model.md.

ALTER TABLE token ADD COLUMN expires_at_ms BIGINT;
-- For the housekeeping; tokens without an end cost nothing.
CREATE INDEX token_expiry ON token (service_id, expires_at_ms) WHERE revoked_at_ms IS NULL AND expires_at_ms IS NOT NULL;

-- A nonce renews a token once: who kept the request of a renewal cannot send it again when the next one opens.
CREATE TABLE token_renewal (
    token_id TEXT NOT NULL REFERENCES token (token_id),
    nonce TEXT NOT NULL,
    renewed_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT,
    PRIMARY KEY (token_id, nonce)
);
