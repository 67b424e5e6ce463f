-- The OpenID Connect providers that people may sign in with. The client secret
-- of each is among the secrets.

-- +goose Up
CREATE TABLE providers (
	id         TEXT PRIMARY KEY,
	issuer     TEXT   NOT NULL UNIQUE,
	document   TEXT   NOT NULL, -- the rest, JSON
	created_at BIGINT NOT NULL,
	created_by TEXT   NOT NULL
);
