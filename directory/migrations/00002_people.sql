-- Who signs in, on which device. Times, lists and flags are as in the first file.

-- +goose Up
CREATE TABLE users (
	id           TEXT PRIMARY KEY,
	name         TEXT   NOT NULL UNIQUE,
	email        TEXT   NOT NULL, -- empty: none
	full_name    TEXT   NOT NULL,
	state        TEXT   NOT NULL,
	issuer       TEXT   NOT NULL, -- with the subject: who they are at a provider; empty: the password is ours
	subject      TEXT   NOT NULL,
	password     TEXT   NOT NULL, -- argon2id, see password.go
	temporary    BIGINT NOT NULL,
	totp         BYTEA  NOT NULL, -- secret, sealed; empty: none
	totp_step    BIGINT NOT NULL, -- of the last code used, see totp.go
	recovery     TEXT   NOT NULL, -- hashes of the recovery codes that are left
	failures     BIGINT NOT NULL, -- in a row
	locked_until BIGINT NOT NULL,
	created_at   BIGINT NOT NULL,
	created_by   TEXT   NOT NULL,
	signed_in_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_by_email ON users (email) WHERE email <> '';
CREATE UNIQUE INDEX users_by_subject ON users (issuer, subject) WHERE issuer <> '';

-- A sign-in that a device has started, for some minutes.
CREATE TABLE sign_ins (
	id          TEXT PRIMARY KEY,
	device      TEXT   NOT NULL REFERENCES devices (id),
	device_code BYTEA  NOT NULL UNIQUE, -- hash
	user_code   TEXT   NOT NULL UNIQUE,
	state       TEXT   NOT NULL, -- see signin.go
	expires_at  BIGINT NOT NULL,
	address     TEXT   NOT NULL, -- the device's, if the page is shown there
	user_id     TEXT   NOT NULL, -- who has signed in; empty: nobody yet
	number      TEXT   NOT NULL, -- to be typed on the device; empty: none
	tries       BIGINT NOT NULL  -- of the number
);
CREATE INDEX sign_ins_by_end ON sign_ins (expires_at);

-- A browser on the pages of a sign-in.
CREATE TABLE page_sessions (
	hash       BYTEA PRIMARY KEY, -- of the cookie
	signin     TEXT   NOT NULL REFERENCES sign_ins (id) ON DELETE CASCADE,
	expires_at BIGINT NOT NULL,
	step       TEXT   NOT NULL, -- see pages.go
	user_id    TEXT   NOT NULL, -- who has proved something; empty: nobody yet
	pending    BYTEA  NOT NULL  -- sealed: what the step must remember
);
CREATE INDEX page_sessions_by_end ON page_sessions (expires_at);

-- Which users devices have. A slot is held by one, whoever is faster.
CREATE TABLE bindings (
	device        TEXT   NOT NULL REFERENCES devices (id),
	user_id       TEXT   NOT NULL REFERENCES users (id),
	state         TEXT   NOT NULL,
	slot          BIGINT, -- from 1; NULL: unbound
	account       TEXT   NOT NULL,
	account_id    TEXT   NOT NULL,
	signin        TEXT   NOT NULL, -- the one that claimed it
	ticket        BYTEA  UNIQUE, -- hash; NULL: none
	claimed_until BIGINT NOT NULL,
	confirmed     BIGINT NOT NULL, -- whether the password was confirmed with this ticket
	changed_at    BIGINT NOT NULL,
	changed_by    TEXT   NOT NULL,
	PRIMARY KEY (device, user_id),
	UNIQUE (device, slot)
);
CREATE INDEX bindings_by_user ON bindings (user_id);

-- Passwords of break-glass accounts, sealed to the recovery key. Rows are only
-- added: a device that dies in the middle of a change has one or the other.
CREATE TABLE escrows (
	device       TEXT   NOT NULL REFERENCES devices (id),
	number       BIGINT NOT NULL, -- from 1
	account      TEXT   NOT NULL,
	sealed       BYTEA  NOT NULL,
	recovery_key TEXT   NOT NULL,
	created_at   BIGINT NOT NULL,
	confirmed    BIGINT NOT NULL, -- whether the account has it
	revealed_at  BIGINT NOT NULL,
	PRIMARY KEY (device, number)
);
