-- Who administers in the console, and how they come in. Times, lists and flags
-- are as in the first file.

-- +goose Up
CREATE TABLE administrators (
	id           TEXT PRIMARY KEY,
	name         TEXT   NOT NULL UNIQUE,
	full_name    TEXT   NOT NULL,
	email        TEXT   NOT NULL, -- empty: none
	role         TEXT   NOT NULL,
	state        TEXT   NOT NULL,
	issuer       TEXT   NOT NULL, -- with the subject: who they are at a provider; empty: none
	subject      TEXT   NOT NULL,
	password     TEXT   NOT NULL, -- argon2id; empty: none
	totp         BYTEA  NOT NULL, -- secret, sealed; there with the password
	totp_step    BIGINT NOT NULL,
	recovery     TEXT   NOT NULL,
	failures     BIGINT NOT NULL, -- in a row
	locked_until BIGINT NOT NULL,
	created_at   BIGINT NOT NULL,
	created_by   TEXT   NOT NULL,
	signed_in_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX administrators_by_subject ON administrators (issuer, subject) WHERE issuer <> '';

CREATE TABLE passkeys (
	id            TEXT PRIMARY KEY,
	administrator TEXT   NOT NULL REFERENCES administrators (id),
	credential    BYTEA  NOT NULL UNIQUE, -- its id at the authenticator
	name          TEXT   NOT NULL,
	document      TEXT   NOT NULL, -- public key and flags, JSON
	counter       BIGINT NOT NULL, -- of signatures; 0: it counts none
	created_at    BIGINT NOT NULL,
	used_at       BIGINT NOT NULL
);
CREATE INDEX passkeys_by_administrator ON passkeys (administrator);

-- Links by which somebody becomes an administrator, or chooses anew how to sign
-- in.
CREATE TABLE invitations (
	hash          BYTEA PRIMARY KEY, -- of the secret in the link
	administrator TEXT   NOT NULL, -- empty: the first owner, who says who they are
	created_at    BIGINT NOT NULL,
	expires_at    BIGINT NOT NULL
);

-- A browser in the middle of a way in.
CREATE TABLE ceremonies (
	hash       BYTEA PRIMARY KEY, -- of the cookie
	purpose    TEXT   NOT NULL, -- see ceremony.go
	way        TEXT   NOT NULL,
	expires_at BIGINT NOT NULL,
	pending    BYTEA  NOT NULL -- sealed: challenges and secrets
);
CREATE INDEX ceremonies_by_end ON ceremonies (expires_at);

-- Who is signed in.
CREATE TABLE console_sessions (
	id            TEXT PRIMARY KEY,
	hash          BYTEA  NOT NULL UNIQUE, -- of the cookie
	administrator TEXT   NOT NULL REFERENCES administrators (id),
	way           TEXT   NOT NULL,
	address       TEXT   NOT NULL,
	browser       TEXT   NOT NULL,
	began_at      BIGINT NOT NULL,
	used_at       BIGINT NOT NULL, -- to the minute
	proved_at     BIGINT NOT NULL, -- when it was proved last who sits there
	ends_at       BIGINT NOT NULL
);
CREATE INDEX console_sessions_by_administrator ON console_sessions (administrator);
CREATE INDEX console_sessions_by_end ON console_sessions (ends_at);
