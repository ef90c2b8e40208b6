-- The first schema. What each table and column means stands in docs/data-model.md.

CREATE TABLE service (
    service_id TEXT NOT NULL PRIMARY KEY,
    name_ja TEXT NOT NULL,
    name_en TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    help_desk TEXT NOT NULL,
    policy TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL
);

CREATE TABLE contract (
    contract_id TEXT NOT NULL PRIMARY KEY,
    service_id TEXT NOT NULL REFERENCES service (service_id),
    name TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX contract_name ON contract (service_id, name);

CREATE TABLE app_user (
    user_id TEXT NOT NULL PRIMARY KEY,
    service_id TEXT NOT NULL REFERENCES service (service_id),
    contract_id TEXT NOT NULL REFERENCES contract (contract_id),
    login_id TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    language TEXT NOT NULL,
    mail_address TEXT,
    password_hash TEXT NOT NULL,
    confirmation_password_hash TEXT NOT NULL,
    disabled BOOLEAN NOT NULL,
    reopens_at_ms BIGINT,
    created_at_ms BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX app_user_login ON app_user (service_id, login_id);
CREATE INDEX app_user_contract ON app_user (contract_id, login_id);
CREATE UNIQUE INDEX app_user_master ON app_user (contract_id) WHERE role = 'master';

CREATE TABLE issuance_draft (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES app_user (user_id),
    issuance_id TEXT NOT NULL,
    token_user_id TEXT NOT NULL,
    mail_address TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL
);

CREATE TABLE issuance (
    issuance_id TEXT NOT NULL PRIMARY KEY,
    service_id TEXT NOT NULL REFERENCES service (service_id),
    user_id TEXT NOT NULL REFERENCES app_user (user_id),
    token_user_id TEXT NOT NULL,
    mail_address TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    digits BIGINT NOT NULL,
    step_s BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    starts BIGINT NOT NULL,
    state TEXT NOT NULL,
    token_id TEXT,
    sealed_record {BLOB},
    version BIGINT NOT NULL
);
CREATE UNIQUE INDEX issuance_token_user ON issuance (service_id, token_user_id);
CREATE INDEX issuance_user ON issuance (user_id, created_at_ms);
CREATE INDEX issuance_record ON issuance (expires_at_ms) WHERE sealed_record IS NOT NULL;

-- A decoy answers for services, issuances and users that do not exist: no foreign key to service.
CREATE TABLE attempt (
    attempt_id TEXT NOT NULL PRIMARY KEY,
    service_id TEXT NOT NULL,
    token_user_id TEXT NOT NULL,
    issuance_id TEXT REFERENCES issuance (issuance_id),
    user_id TEXT REFERENCES app_user (user_id),
    counted BOOLEAN NOT NULL,
    ke1_hash {BLOB} NOT NULL,
    start_reply {BLOB} NOT NULL,
    sealed_state {BLOB},
    state TEXT NOT NULL,
    finish_hash {BLOB},
    finish_reply {BLOB},
    started_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL
);
CREATE INDEX attempt_of_ids ON attempt (service_id, token_user_id);
CREATE INDEX attempt_user ON attempt (user_id, started_at_ms);
CREATE INDEX attempt_age ON attempt (state, started_at_ms);
CREATE INDEX attempt_decoy ON attempt (started_at_ms, attempt_id) WHERE issuance_id IS NULL;

CREATE TABLE token (
    token_id TEXT NOT NULL PRIMARY KEY,
    service_id TEXT NOT NULL REFERENCES service (service_id),
    user_id TEXT NOT NULL REFERENCES app_user (user_id),
    issuance_id TEXT NOT NULL REFERENCES issuance (issuance_id),
    algorithm TEXT NOT NULL,
    digits BIGINT NOT NULL,
    step_s BIGINT NOT NULL,
    sealed_seed {BLOB} NOT NULL,
    sealed_device_key {BLOB} NOT NULL,
    activated_at_ms BIGINT NOT NULL,
    confirmed_at_ms BIGINT,
    suspended_at_ms BIGINT,
    revoked_at_ms BIGINT,
    revoked_by TEXT
);
CREATE UNIQUE INDEX token_live ON token (user_id) WHERE revoked_at_ms IS NULL;
CREATE INDEX token_user ON token (user_id, activated_at_ms);
CREATE INDEX token_unconfirmed ON token (activated_at_ms) WHERE confirmed_at_ms IS NULL AND revoked_at_ms IS NULL;

CREATE TABLE counter (
    token_id TEXT NOT NULL PRIMARY KEY REFERENCES token (token_id),
    version BIGINT NOT NULL,
    last_step BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    run_since_success BIGINT NOT NULL,
    drift BIGINT NOT NULL,
    standing TEXT NOT NULL
);

CREATE TABLE session (
    session_hash {BLOB} NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES app_user (user_id),
    stage TEXT NOT NULL,
    csrf_token TEXT NOT NULL,
    language TEXT NOT NULL,
    began_at_ms BIGINT NOT NULL,
    used_at_ms BIGINT NOT NULL
);
CREATE INDEX session_of_user ON session (user_id);
CREATE INDEX session_age ON session (used_at_ms);

CREATE TABLE throttle (
    throttle_key TEXT NOT NULL PRIMARY KEY,
    failures BIGINT NOT NULL,
    last_at_ms BIGINT NOT NULL
);
CREATE INDEX throttle_age ON throttle (last_at_ms);

CREATE TABLE outbox (
    mail_id TEXT NOT NULL PRIMARY KEY,
    service_id TEXT NOT NULL REFERENCES service (service_id),
    user_id TEXT NOT NULL REFERENCES app_user (user_id),
    issuance_id TEXT REFERENCES issuance (issuance_id),
    notice TEXT NOT NULL,
    language TEXT NOT NULL,
    to_address TEXT NOT NULL,
    facts TEXT NOT NULL,
    state TEXT NOT NULL,
    tries BIGINT NOT NULL,
    next_try_at_ms BIGINT NOT NULL,
    claimed_until_ms BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    sent_at_ms BIGINT,
    last_error TEXT
);
CREATE INDEX outbox_due ON outbox (state, next_try_at_ms);
CREATE INDEX outbox_sent ON outbox (sent_at_ms) WHERE state = 'sent';
CREATE INDEX outbox_issuance ON outbox (issuance_id, mail_id) WHERE issuance_id IS NOT NULL;

-- An event outlives what it tells of: no foreign keys.
CREATE TABLE audit (
    audit_id TEXT NOT NULL PRIMARY KEY,
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
CREATE INDEX audit_target ON audit (target_kind, target_id, at_ms);

CREATE TABLE installation (
    name TEXT NOT NULL PRIMARY KEY,
    value {BLOB} NOT NULL
);

CREATE TABLE data_key (
    data_key_id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    wrapped {BLOB} NOT NULL,
    seals_granted BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL
);
