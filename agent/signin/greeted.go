package signin

import "slices"

// awaitsFirstSession gives the open account with that ID that nobody had a session
// of yet, nil if there is none.
func (l *ledger) awaitsFirstSession(id string) *entry {
	i := slices.IndexFunc(l.Entries, func(e entry) bool { return id != "" && e.ID == id && e.Open && !e.Greeted })
	if i < 0 {
		return nil
	}
	return &l.Entries[i]
}

// AwaitsFirstSession tells whether the account with that ID is a managed user's,
// of which no session was noted yet.
func (a *Accounts) AwaitsFirstSession(id string) (bool, error) {
	l, err := a.readLedger()
	return err == nil && l.awaitsFirstSession(id) != nil, err
}

// NoteFirstSession notes the session, for good. It tells whether it was the first
// one: whoever does something then does it once. While an account is being made
// it notes nothing.
func (a *Accounts) NoteFirstSession(id string) (bool, error) {
	if !a.mu.TryLock() {
		return false, nil
	}
	defer a.mu.Unlock()
	first := false
	err := a.changeLedger(func(l *ledger) {
		if e := l.awaitsFirstSession(id); e != nil {
			e.Greeted, first = true, true
		}
	})
	return first && err == nil, err
}
