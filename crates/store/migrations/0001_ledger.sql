-- Amounts are nano-dollars, instants microseconds since 1970 UTC, days counted since 1970-01-01.
-- Only what SQLite and PostgreSQL both understand: TEXT, BIGINT, BOOLEAN, CHECK, plain indexes.
-- `/* SQLITE: … */` is uncommented there: the busiest tables are stored by their key, which saves
-- a second tree for each row.

CREATE TABLE account (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('user', 'system')),
    name TEXT NOT NULL,
    email TEXT,
    -- The sum of the account's entries.
    posted_nano BIGINT NOT NULL DEFAULT 0,
    -- The sum of all leases on it.
    leased_nano BIGINT NOT NULL DEFAULT 0,
    -- Everything that ever came in, and went out as charges: posted = credited - used.
    credited_nano BIGINT NOT NULL DEFAULT 0,
    used_nano BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    CHECK (leased_nano >= 0),
    CHECK (kind = 'system' OR posted_nano >= leased_nano)
);

CREATE TABLE api_key (
    -- The public id: SHA-256 of the secret, hexadecimal. An identifier, never a credential.
    hash TEXT NOT NULL PRIMARY KEY,
    -- Keyed digest of the secret: what a request is looked up by.
    lookup TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL REFERENCES account (id),
    kind TEXT NOT NULL CHECK (kind IN ('inference', 'management')),
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    limit_nano BIGINT,
    limit_reset TEXT CHECK (limit_reset IN ('daily', 'weekly', 'monthly')),
    include_byok_in_limit BOOLEAN NOT NULL,
    disabled BOOLEAN NOT NULL,
    expires_at BIGINT,
    creator_user_id TEXT,
    usage_nano BIGINT NOT NULL DEFAULT 0,
    byok_usage_nano BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX api_key_account ON api_key (account_id, created_at);

-- What a key used on each day; weeks and months are sums of days. Outlives the key.
CREATE TABLE key_usage (
    key_hash TEXT NOT NULL,
    day BIGINT NOT NULL,
    usage_nano BIGINT NOT NULL,
    byok_usage_nano BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    PRIMARY KEY (key_hash, day)
) /* SQLITE: WITHOUT ROWID */;

CREATE TABLE node (
    id TEXT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL
);

CREATE TABLE lease (
    node_id TEXT NOT NULL REFERENCES node (id),
    account_id TEXT NOT NULL REFERENCES account (id),
    epoch BIGINT NOT NULL,
    amount_nano BIGINT NOT NULL CHECK (amount_nano >= 0),
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, node_id)
);
CREATE INDEX lease_node ON lease (node_id);

-- Append-only. The id is the generation's, or `grant:…`.
CREATE TABLE posting (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('charge', 'grant', 'void', 'absorbed', 'adjustment')),
    -- No foreign key: the account's row is locked before, and this is the busiest table.
    account_id TEXT NOT NULL,
    key_hash TEXT,
    -- What the account received or paid.
    amount_nano BIGINT NOT NULL,
    -- What the operator bore: the cost of failed attempts, and the part of the charge that the
    -- account's credit did not cover.
    absorbed_nano BIGINT NOT NULL DEFAULT 0,
    uncovered_nano BIGINT NOT NULL DEFAULT 0,
    -- What the call would have cost, paid by the account with a key of its own.
    byok_nano BIGINT NOT NULL DEFAULT 0,
    -- Whether it is unknown that the client saw the end of the answer.
    delivery_unknown BOOLEAN NOT NULL DEFAULT FALSE,
    note TEXT,
    created_at BIGINT NOT NULL
) ;

-- Append-only. The entries of a posting sum to zero.
CREATE TABLE entry (
    posting_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    leg BIGINT NOT NULL,
    amount_nano BIGINT NOT NULL,
    PRIMARY KEY (posting_id, leg)
) /* SQLITE: WITHOUT ROWID */;

CREATE TABLE generation (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL,
    key_hash TEXT,
    request_id TEXT NOT NULL,
    model TEXT NOT NULL,
    provider_name TEXT NOT NULL,
    status TEXT NOT NULL,
    usage_nano BIGINT NOT NULL,
    tokens_prompt BIGINT NOT NULL,
    tokens_completion BIGINT NOT NULL,
    -- An opaque JSON document; what is filtered on is a column.
    record TEXT NOT NULL,
    created_at BIGINT NOT NULL
) ;
CREATE INDEX generation_account ON generation (account_id, created_at);

CREATE TABLE setting (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

INSERT INTO account (id, kind, name, created_at) VALUES
    ('acct_absorbed', 'system', 'Absorbed by the operator', 0),
    ('acct_grants', 'system', 'Granted credit', 0),
    ('acct_providers', 'system', 'Owed to providers for uncharged attempts', 0),
    ('acct_revenue', 'system', 'Revenue', 0);
