-- One schema for SQLite and PostgreSQL. Times are milliseconds since 1970 in
-- UTC, 0 for never; lists and facts are JSON; flags are 0 and 1.

-- +goose Up
CREATE TABLE secrets (
	name  TEXT PRIMARY KEY,
	value BYTEA NOT NULL -- sealed, see seal.go
);

-- One row: what grows with each change. A device that knows the revision of its
-- last answer knows whether there is news.
CREATE TABLE revision (
	id     BIGINT PRIMARY KEY CHECK (id = 1),
	number BIGINT NOT NULL
);
INSERT INTO revision (id, number) VALUES (1, 1);

CREATE TABLE settings (
	revision   BIGINT PRIMARY KEY,
	changed_at BIGINT NOT NULL,
	changed_by TEXT   NOT NULL,
	document   TEXT   NOT NULL
);

CREATE TABLE connect_keys (
	id         TEXT PRIMARY KEY,
	hash       BYTEA  NOT NULL UNIQUE,
	label      TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	created_by TEXT   NOT NULL,
	expires_at BIGINT NOT NULL,
	revoked_at BIGINT NOT NULL DEFAULT 0,
	max_uses   BIGINT NOT NULL,
	uses       BIGINT NOT NULL DEFAULT 0 CHECK (uses <= max_uses),
	platforms  TEXT   NOT NULL,
	serials    TEXT   NOT NULL,
	package_id TEXT   NOT NULL,
	batch      TEXT   NOT NULL,
	tags       TEXT   NOT NULL,
	approval   BIGINT NOT NULL
);

CREATE TABLE devices (
	id          TEXT PRIMARY KEY,
	key_hash    BYTEA  NOT NULL UNIQUE, -- of its public key
	state       TEXT   NOT NULL,
	revision    BIGINT NOT NULL,
	platform    TEXT   NOT NULL,
	serial      TEXT   NOT NULL,
	name        TEXT   NOT NULL,
	facts       TEXT   NOT NULL,
	connect_key TEXT   NOT NULL REFERENCES connect_keys (id),
	package_id  TEXT   NOT NULL,
	enrolled_at BIGINT NOT NULL,
	seen_at     BIGINT NOT NULL,
	replaces    TEXT   NOT NULL -- the device that the same hardware was before
);
CREATE INDEX devices_by_serial ON devices (platform, serial);
CREATE INDEX devices_by_name ON devices (name, id);

-- What became of each attempt to enrol with a key that exists.
CREATE TABLE connect_key_uses (
	id          TEXT PRIMARY KEY,
	connect_key TEXT   NOT NULL REFERENCES connect_keys (id),
	at          BIGINT NOT NULL,
	refusal     TEXT   NOT NULL, -- a code; empty: the device is enrolled
	device      TEXT   NOT NULL,
	serial      TEXT   NOT NULL,
	remote      TEXT   NOT NULL
);
CREATE INDEX connect_key_uses_by_key ON connect_key_uses (connect_key, at);

CREATE TABLE tokens (
	id         TEXT PRIMARY KEY,
	hash       BYTEA  NOT NULL UNIQUE,
	name       TEXT   NOT NULL,
	role       TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	created_by TEXT   NOT NULL,
	expires_at BIGINT NOT NULL,
	revoked_at BIGINT NOT NULL DEFAULT 0
);

-- Append-only; each entry's hash covers the one before it.
CREATE TABLE audit (
	seq     BIGINT PRIMARY KEY,
	at      BIGINT NOT NULL,
	actor   TEXT   NOT NULL,
	action  TEXT   NOT NULL,
	subject TEXT   NOT NULL,
	detail  TEXT   NOT NULL,
	hash    BYTEA  NOT NULL
);
CREATE TABLE audit_head (
	id   BIGINT PRIMARY KEY CHECK (id = 1),
	seq  BIGINT NOT NULL,
	hash BYTEA  NOT NULL
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '');
