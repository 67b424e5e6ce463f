-- The audit log by what people look for in it, each in the order of time.

-- +goose Up
CREATE INDEX audit_by_actor ON audit (actor, at, seq);
CREATE INDEX audit_by_action ON audit (action, at, seq);
CREATE INDEX audit_by_subject ON audit (subject, at, seq);
CREATE INDEX audit_by_time ON audit (at, seq);
