package page

import "bytes"

// Logon is a name and a password for the system to check.
type Logon struct {
	Name     string
	Password []byte
}

// Wipe forgets the password.
func (l *Logon) Wipe() { clear(l.Password) }

// maxPair is how long both may be, with the NUL between them.
const maxPair = 756

// newLogon gives none where the system could not take it.
func newLogon(name, password []byte) *Logon {
	if len(name) == 0 || len(name)+1+len(password) > maxPair {
		return nil
	}
	return &Logon{string(name), bytes.Clone(password)}
}

// readLogon reads what the service gives: the name, NUL, the password. nil: it is
// something else.
func readLogon(pair []byte) *Logon {
	name, password, ok := bytes.Cut(pair, []byte{0})
	if !ok || len(password) == 0 || bytes.IndexByte(password, 0) >= 0 {
		return nil
	}
	return newLogon(name, password)
}
