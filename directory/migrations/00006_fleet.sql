-- Many devices: found by what they are, with what happened to them. Times, lists
-- and flags are as in the first file.

-- +goose Up
ALTER TABLE devices ADD COLUMN ssap_off BIGINT NOT NULL DEFAULT 0; -- here, whatever the settings say

-- What lists of devices are searched and sorted by, of those that are in or wait
-- to be let in. It is made anew of a device's other rows whenever they change, see
-- fleet.go; narrow, so that looking at all of it is fast.
CREATE TABLE fleet (
	device      TEXT PRIMARY KEY REFERENCES devices (id),
	state       TEXT   NOT NULL,
	platform    TEXT   NOT NULL,
	people      BIGINT NOT NULL, -- whether it is somebody's
	trouble     BIGINT NOT NULL, -- whether its agent reports problems
	ssap_off    BIGINT NOT NULL,
	connect_key TEXT   NOT NULL,
	package_id  TEXT   NOT NULL,
	name        TEXT   NOT NULL, -- folded, as are serial and words
	serial      TEXT   NOT NULL,
	enrolled_at BIGINT NOT NULL,
	seen_at     BIGINT NOT NULL,
	words       TEXT   NOT NULL, -- that it is searched by
	settings    BIGINT NOT NULL DEFAULT 0 -- the newest revision that it is known to have
);
-- Each has all that filters ask for: none looks anything up elsewhere.
CREATE INDEX fleet_by_name ON fleet (name, device, state, platform, people, trouble, ssap_off, connect_key, package_id, words);
CREATE INDEX fleet_by_serial ON fleet (serial, device, state, platform, people, trouble, ssap_off, connect_key, package_id, words);
CREATE INDEX fleet_by_enrolment ON fleet (enrolled_at, device, state, platform, people, trouble, ssap_off, connect_key, package_id, words);
CREATE INDEX fleet_by_sight ON fleet (seen_at, device, state, platform, people, trouble, ssap_off, connect_key, package_id, words);
CREATE INDEX fleet_by_standing ON fleet (state, people, trouble, ssap_off);

-- What the agents of those devices report.
CREATE TABLE device_problems (
	device  TEXT NOT NULL REFERENCES devices (id),
	problem TEXT NOT NULL,
	PRIMARY KEY (device, problem)
);
CREATE INDEX device_problems_by_text ON device_problems (problem);

CREATE TABLE device_events (
	device TEXT   NOT NULL REFERENCES devices (id),
	number BIGINT NOT NULL, -- from 1
	at     BIGINT NOT NULL,
	kind   TEXT   NOT NULL,
	code   TEXT   NOT NULL,
	actor  TEXT   NOT NULL,
	detail TEXT   NOT NULL,
	PRIMARY KEY (device, number)
);
CREATE INDEX device_events_by_kind ON device_events (kind, at);
INSERT INTO device_events (device, number, at, kind, code, actor, detail) SELECT id, 1, enrolled_at, 'enrolled', '', 'device:' || id, '{}' FROM devices;

CREATE TABLE connect_key_tags (
	tag         TEXT NOT NULL,
	connect_key TEXT NOT NULL REFERENCES connect_keys (id),
	PRIMARY KEY (tag, connect_key)
);
CREATE INDEX connect_key_tags_by_key ON connect_key_tags (connect_key);
CREATE INDEX connect_keys_by_batch ON connect_keys (batch);
CREATE INDEX connect_keys_by_end ON connect_keys (expires_at);
CREATE INDEX connect_key_refusals ON connect_key_uses (id) WHERE refusal <> '';
CREATE INDEX connect_key_refusals_by_key ON connect_key_uses (connect_key, id) WHERE refusal <> '';

ALTER TABLE order_units ADD COLUMN came_at BIGINT NOT NULL DEFAULT 0; -- when its first device did
UPDATE order_units SET came_at = COALESCE((SELECT d.enrolled_at FROM devices d WHERE d.id = order_units.device), 0) WHERE device <> '';
