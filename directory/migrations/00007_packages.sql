-- Packages that the directory builds. Times, lists and flags are as in the first
-- file.

-- +goose Up
CREATE TABLE package_jobs (
	id          TEXT PRIMARY KEY,
	state       TEXT   NOT NULL,
	request     TEXT   NOT NULL, -- JSON, without its secrets: those are sealed among the secrets until the job has ended
	secrets     TEXT   NOT NULL, -- JSON: whose secrets they are
	created_at  BIGINT NOT NULL,
	created_by  TEXT   NOT NULL,
	queued_at   BIGINT NOT NULL,
	step        TEXT   NOT NULL DEFAULT '',
	done        BIGINT NOT NULL DEFAULT 0,
	total       BIGINT NOT NULL DEFAULT 0,
	error_code  TEXT   NOT NULL DEFAULT '',
	error_text  TEXT   NOT NULL DEFAULT '',
	ready_at    BIGINT NOT NULL DEFAULT 0,
	ended_at    BIGINT NOT NULL DEFAULT 0,
	dispatch    BIGINT NOT NULL DEFAULT 1, -- grows with each time that it is given to the queue
	attempts    BIGINT NOT NULL DEFAULT 0, -- of workers, since somebody queued it
	fence       BIGINT NOT NULL DEFAULT 0, -- grows with each worker; what one before it writes is refused
	lease_until BIGINT NOT NULL DEFAULT 0, -- when the worker has to be gone, if it does not say that it is there
	stored      BIGINT NOT NULL DEFAULT 0, -- bytes that it may have in the store
	kit         TEXT   NOT NULL DEFAULT '{}' -- JSON: the keys and files of the kit that is ready
);
CREATE INDEX package_jobs_by_state ON package_jobs (state, queued_at);

-- Each key that was minted for a job, also for those that came to nothing.
CREATE TABLE package_keys (
	connect_key TEXT PRIMARY KEY REFERENCES connect_keys (id),
	job         TEXT   NOT NULL REFERENCES package_jobs (id),
	fence       BIGINT NOT NULL,
	platform    TEXT   NOT NULL,
	package_id  TEXT   NOT NULL
);
CREATE INDEX package_keys_by_job ON package_keys (job);

CREATE TABLE package_uploads (
	id         TEXT PRIMARY KEY,
	name       TEXT   NOT NULL,
	kind       TEXT   NOT NULL,
	size       BIGINT NOT NULL,
	sha256     TEXT   NOT NULL, -- empty: it is still arriving
	created_at BIGINT NOT NULL,
	created_by TEXT   NOT NULL,
	used_at    BIGINT NOT NULL  -- when a job asked for it last
);

-- One row: how much the store may hold of ours, in bytes.
CREATE TABLE package_store (
	id   BIGINT PRIMARY KEY CHECK (id = 1),
	used BIGINT NOT NULL CHECK (used >= 0)
);
INSERT INTO package_store (id, used) VALUES (1, 0);
