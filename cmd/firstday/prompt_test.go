package main

import (
	"context"
	"errors"
	"testing"
)

func TestPromptEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reading, never := make(chan bool), make(chan bool)
	defer close(never)
	go func() { <-reading; cancel() }()
	restored := false
	_, err := interruptible(ctx, func() ([]byte, error) {
		close(reading)
		<-never
		return nil, nil
	}, func() error {
		restored = true
		return nil
	})
	if !errors.Is(err, context.Canceled) || !restored {
		t.Errorf("%v, terminal restored: %v", err, restored)
	}
}
