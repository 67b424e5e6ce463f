-- Users among many: found by what they are called, and what became of their sign-ins,
-- on whatever device.

-- +goose Up
ALTER TABLE users ADD COLUMN words TEXT NOT NULL DEFAULT ''; -- that they are searched by, folded
-- It has all that a search asks for: none looks anything up elsewhere.
CREATE INDEX users_by_words ON users (name, state, words);
CREATE INDEX device_events_of_user ON device_events (actor, at) WHERE kind = 'sign-in';
