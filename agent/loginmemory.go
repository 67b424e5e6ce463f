package agent

import (
	"sync"

	"firstday.dev/internal/statefile"
)

// loginMemory is what the service knows of the login window whether or not it can be
// written down: a full disk must not make a window dead that has said hello, nor one
// alive that has not. The files are for the next start, and for other programs.
type loginMemory struct {
	mu    sync.Mutex
	hello loginHello // the last one heard; it has no Boot: none was
	owed  bool       // hello is not in its file yet

	// Of the looks alone, which are one after the other.
	unwritten *loginRecord
	instead   loginRecord // what its file had then
}

// hear takes a hello, and writes it down if it can.
func (m *loginMemory) hear(path string, h loginHello) error {
	m.mu.Lock()
	m.hello, m.owed = h, true
	m.mu.Unlock()
	return m.keepHello(path)
}

func (m *loginMemory) heard() loginHello {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hello
}

// keepHello writes down what could not be before.
func (m *loginMemory) keepHello(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.owed {
		return nil
	}
	if err := statefile.Write(path, &m.hello); err != nil {
		return err
	}
	m.owed = false
	return nil
}

// recall gives the record that could not be written, unless a command has written
// another one since. It is for keep to know what the file has.
func (m *loginMemory) recall(file *loginRecord) *loginRecord {
	if m.unwritten != nil && m.instead == *file {
		return m.unwritten
	}
	m.unwritten, m.instead = nil, *file
	return file
}

// keep writes a record, or remembers it.
func (m *loginMemory) keep(path string, r *loginRecord) error {
	if err := r.write(path); err != nil {
		m.unwritten = r
		return err
	}
	m.unwritten = nil
	return nil
}
