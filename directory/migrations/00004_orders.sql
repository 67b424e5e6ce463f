-- Orders: quotas over several connect keys. Times, lists and flags are as in the
-- first file.

-- +goose Up
CREATE TABLE orders (
	id           TEXT PRIMARY KEY,
	po           TEXT   NOT NULL,
	partner      TEXT   NOT NULL,
	quantity     BIGINT NOT NULL,
	used         BIGINT NOT NULL DEFAULT 0 CHECK (used <= quantity),
	listed       BIGINT NOT NULL, -- whether its serial numbers are known
	tags         TEXT   NOT NULL,
	created_at   BIGINT NOT NULL,
	created_by   TEXT   NOT NULL,
	expires_at   BIGINT NOT NULL,
	completed_at BIGINT NOT NULL DEFAULT 0,
	closed_at    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX orders_by_po ON orders (po, id);
-- A number is free again once its order is closed.
CREATE UNIQUE INDEX orders_open ON orders (po) WHERE closed_at = 0;

-- What an order expects, and what came: one row for each of its quantity that is
-- known.
CREATE TABLE order_units (
	order_id TEXT   NOT NULL REFERENCES orders (id),
	unit     TEXT   NOT NULL, -- the serial number, folded (see api.FoldSerial); of a device without one, its id
	serial   TEXT   NOT NULL, -- as listed, else as the device says
	listed   BIGINT NOT NULL,
	device   TEXT   NOT NULL, -- the last that came; empty: none yet
	times    BIGINT NOT NULL, -- that one came
	PRIMARY KEY (order_id, unit)
);

ALTER TABLE connect_keys ADD COLUMN order_id TEXT NOT NULL DEFAULT ''; -- empty: of none
CREATE INDEX connect_keys_by_order ON connect_keys (order_id);
