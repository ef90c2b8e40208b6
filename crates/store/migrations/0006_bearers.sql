-- What a verification reads of a token that lives, in one row that is found by what its user signs in with. What each table and column means stands in docs/data-model.md.

-- Renamed first: from then on no node of before activates, renews or revokes a token behind the back of this table. Each of these begins by reading or writing the second column.
ALTER TABLE token RENAME COLUMN sealed_seed TO moved_seed;
ALTER TABLE token RENAME COLUMN revoked_by TO revoker;
CREATE TABLE bearer (
    service_id TEXT NOT NULL,
    login_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    contract_id TEXT NOT NULL,
    token_id TEXT NOT NULL REFERENCES token (token_id),
    counter_no BIGINT,
    algorithm TEXT NOT NULL,
    digits BIGINT NOT NULL,
    step_s BIGINT NOT NULL,
    sealed_seed {BLOB} NOT NULL,
    activated_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT,
    PRIMARY KEY (service_id, login_id)
)
-- ONLY SQLITE
WITHOUT ROWID
-- BOTH
;
INSERT INTO bearer (service_id, login_id, user_id, contract_id, token_id, counter_no, algorithm, digits, step_s, sealed_seed,
    activated_at_ms, expires_at_ms)
SELECT u.service_id, u.login_id, u.user_id, u.contract_id, t.token_id, t.counter_no, t.algorithm, t.digits, t.step_s, t.moved_seed,
    t.activated_at_ms, t.expires_at_ms
FROM token t JOIN app_user u ON u.user_id = t.user_id
WHERE t.revoked_at_ms IS NULL
ORDER BY u.service_id, u.login_id;
CREATE UNIQUE INDEX bearer_token ON bearer (token_id);
-- No row holds the seed of a token that is revoked. PostgreSQL leaves a dropped column in the rows until they are written again.
-- ONLY POSTGRESQL
UPDATE token SET moved_seed = '';
-- BOTH
ALTER TABLE token DROP COLUMN moved_seed;
