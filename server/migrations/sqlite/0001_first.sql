-- Times are milliseconds since the epoch (UTC); 0 stands for none. Nothing is NULL. Ids are lower-case UUIDs unless said otherwise.

CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  -- The API client it belongs to; empty where callers are not told apart.
  owner TEXT NOT NULL,
  -- lifesign.v1.SessionKind
  kind BIGINT NOT NULL,
  -- lifesign.v1.SessionState
  state BIGINT NOT NULL,
  -- Rises with every change: who writes says which version it has read.
  version BIGINT NOT NULL,
  policy TEXT NOT NULL,
  client_reference TEXT NOT NULL,
  -- Its name at a compatible endpoint; empty: none.
  external_id TEXT NOT NULL,
  -- What is kept of the reference image, sealed under the session's token; empty: nothing.
  reference BLOB NOT NULL,
  created BIGINT NOT NULL,
  -- When it ends, or is forgotten once it has ended.
  expires BIGINT NOT NULL,
  -- lifesign.v1.Decision; 0: none yet.
  decision BIGINT NOT NULL,
  -- lifesign.v1.Verdict; empty: none yet.
  verdict BLOB NOT NULL
);
CREATE INDEX sessions_by_owner ON sessions (owner, created, id);
CREATE INDEX sessions_by_expiry ON sessions (expires);
-- Those that have not ended: PENDING and ACTIVE.
CREATE INDEX sessions_open ON sessions (kind, expires) WHERE state <= 2;
CREATE UNIQUE INDEX sessions_by_external_id ON sessions (external_id) WHERE external_id <> '';

-- The sha256 of the token that opens a session's stream.
CREATE TABLE session_tokens (
  hash BLOB PRIMARY KEY,
  session_id TEXT NOT NULL
);
CREATE INDEX session_tokens_by_session ON session_tokens (session_id);

-- Work that goes on after a restart: a session whose media are still to be judged.
CREATE TABLE jobs (
  session_id TEXT PRIMARY KEY,
  -- What to judge, sealed.
  payload BLOB NOT NULL,
  -- How often it was begun.
  attempts BIGINT NOT NULL,
  -- Who works on it; empty: nobody.
  worker TEXT NOT NULL,
  -- Until when it is theirs.
  lease BIGINT NOT NULL,
  -- When it may be begun.
  due BIGINT NOT NULL
);
CREATE INDEX jobs_by_due ON jobs (due);

-- Answers by request_id. The key is a hash of it, and the answer is sealed under it, so that only who repeats the call can read it.
CREATE TABLE remembered (
  key BLOB PRIMARY KEY,
  -- Whose it is: each has room for so many.
  owner TEXT NOT NULL,
  -- The sha256 of the request.
  content BLOB NOT NULL,
  -- Empty: the first call is at work.
  answer BLOB NOT NULL,
  -- Until when the first call is given to answer.
  lease BIGINT NOT NULL,
  expires BIGINT NOT NULL
);
CREATE INDEX remembered_by_expiry ON remembered (expires);
CREATE INDEX remembered_by_owner ON remembered (owner, expires);

-- Who may call.
CREATE TABLE clients (
  id TEXT PRIMARY KEY,
  created BIGINT NOT NULL,
  revoked BIGINT NOT NULL,
  -- A JSON list of policies; empty: all.
  policies TEXT NOT NULL,
  -- Checks allowed in a minute and in a day (UTC); 0: no limit.
  per_minute BIGINT NOT NULL,
  per_day BIGINT NOT NULL,
  -- Where verdicts are announced; empty: nowhere.
  webhook_url TEXT NOT NULL,
  -- The key that announcements are signed with, sealed; empty: none.
  webhook_key BLOB NOT NULL
);

CREATE TABLE client_secrets (
  -- The sha256 of the secret, which is 256 random bits.
  hash BLOB PRIMARY KEY,
  client TEXT NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  revoked BIGINT NOT NULL
);
CREATE INDEX client_secrets_by_client ON client_secrets (client);

-- Names in client certificates (mTLS).
CREATE TABLE client_identities (
  identity TEXT PRIMARY KEY,
  client TEXT NOT NULL
);

-- Tokens that stand for a client's secret for a while.
CREATE TABLE access_tokens (
  -- The sha256 of the token.
  hash BLOB PRIMARY KEY,
  client TEXT NOT NULL,
  -- The hash of the secret that it was issued for: revoked with it.
  secret BLOB NOT NULL,
  -- The endpoints it opens, such as `facia`.
  scheme TEXT NOT NULL,
  expires BIGINT NOT NULL
);
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires);

-- Checks of a client by window: `m` a minute, `d` a day.
CREATE TABLE client_usage (
  client TEXT NOT NULL,
  unit TEXT NOT NULL,
  start BIGINT NOT NULL,
  used BIGINT NOT NULL,
  PRIMARY KEY (client, unit, start)
);

-- The key that a session's images are encrypted with, wrapped by a configured key. Without the row they cannot be read.
CREATE TABLE data_keys (
  session_id TEXT PRIMARY KEY,
  wrapped BLOB NOT NULL,
  -- When the images are erased.
  expires BIGINT NOT NULL
);
CREATE INDEX data_keys_by_expiry ON data_keys (expires);

CREATE TABLE images (
  session_id TEXT NOT NULL,
  name TEXT NOT NULL,
  -- Where the encrypted file lies in the object store.
  object TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size BIGINT NOT NULL,
  PRIMARY KEY (session_id, name)
);

-- Encrypted files whose key is gone, until the object store has removed them.
CREATE TABLE orphans (
  object TEXT PRIMARY KEY,
  session_id TEXT NOT NULL,
  -- When to try (again).
  due BIGINT NOT NULL,
  attempts BIGINT NOT NULL
);

-- Announcements to be delivered.
CREATE TABLE deliveries (
  id TEXT PRIMARY KEY,
  client TEXT NOT NULL,
  session_id TEXT NOT NULL,
  body BLOB NOT NULL,
  created BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  worker TEXT NOT NULL,
  lease BIGINT NOT NULL,
  due BIGINT NOT NULL
);
CREATE INDEX deliveries_by_due ON deliveries (due);

-- What was decided, without anything personal. Rows are added and never changed.
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at BIGINT NOT NULL,
  owner TEXT NOT NULL,
  -- decided, cancelled, expired, forgotten, deleted, client_added, client_revoked, secret_added, secret_revoked
  event TEXT NOT NULL,
  session_id TEXT NOT NULL,
  policy TEXT NOT NULL,
  policy_version TEXT NOT NULL,
  pack TEXT NOT NULL,
  decision TEXT NOT NULL,
  -- Reason codes, or what the event is about; codes and counts only.
  detail TEXT NOT NULL
);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- Facts about this store, such as the check value of the key that seals it.
CREATE TABLE facts (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
);
