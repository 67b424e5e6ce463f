package signin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/statefile"
)

// schema is the version of the files that this package keeps.
const schema = 1

// stage is how far an account is.
type stage string

const (
	making stage = "making" // it may be there in part
	made   stage = "made"   // it is there, closed; the directory may know
	bound  stage = "bound"  // the directory knows
)

// journal says what is being done, for who comes after a kill. The password is
// not in it: the account has it already, or must be asked for it again.
type journal struct {
	Schema     int        `json:"schema"`
	Stage      stage      `json:"stage"`
	User       api.Person `json:"user"`
	Name       string     `json:"name"` // of the account
	ID         string     `json:"id"`
	Tag        string     `json:"tag"`
	Existing   bool       `json:"existing"`       // it was there before
	Used       bool       `json:"used,omitempty"` // and its user had signed in to it, perhaps
	Ticket     api.Secret `json:"ticket"`
	DeviceCode api.Secret `json:"deviceCode"`
	After      int64      `json:"after"` // see entry
}

func (a *Accounts) journalFile() string { return filepath.Join(a.Folder, "signin.json") }
func (a *Accounts) ledgerFile() string  { return filepath.Join(a.Folder, "users.json") }

func (a *Accounts) writeJournal(j *journal) error {
	j.Schema = schema
	return statefile.Write(a.journalFile(), j)
}

// readJournal gives nil if nothing is being done.
func (a *Accounts) readJournal() (*journal, error) {
	j := new(journal)
	err := statefile.Read(a.journalFile(), j)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case j.Schema != schema || j.Name == "" || !slices.Contains([]stage{making, made, bound}, j.Stage):
		return nil, fmt.Errorf("%s is not of this build", a.journalFile())
	}
	return j, nil
}

func (a *Accounts) removeJournal() error {
	err := os.Remove(a.journalFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// setJournalAside lets people look at a journal that cannot be read.
func (a *Accounts) setJournalAside() error {
	return os.Rename(a.journalFile(), a.journalFile()+".damaged")
}

// ledger is which accounts are managed ones, and whose.
type ledger struct {
	Schema  int     `json:"schema"`
	Entries []entry `json:"accounts"`
}

// entry is a managed account.
type entry struct {
	User uuid.UUID `json:"user"`
	Name string    `json:"name"`
	ID   string    `json:"id,omitempty"`
	Tag  string    `json:"tag"`
	Open bool      `json:"open"` // somebody may sign in to it
	// After is the version of the directory's news that is older than this, or
	// was followed: what it says of the user is not about what the account is
	// now.
	After int64 `json:"after,omitempty"`
	// Greeted: its user has had a session, see NoteFirstSession.
	Greeted bool `json:"greeted,omitempty"`
}

func (l *ledger) of(user uuid.UUID) *entry {
	i := slices.IndexFunc(l.Entries, func(e entry) bool { return e.User == user })
	if i < 0 {
		return nil
	}
	return &l.Entries[i]
}

func (l *ledger) put(e entry) {
	if known := l.of(e.User); known != nil {
		e.Greeted = e.Greeted || known.Greeted && known.ID == e.ID
		*known = e
		return
	}
	l.Entries = append(l.Entries, e)
}

func (l *ledger) drop(user uuid.UUID) {
	l.Entries = slices.DeleteFunc(l.Entries, func(e entry) bool { return e.User == user })
}

func (a *Accounts) readLedger() (*ledger, error) {
	l := new(ledger)
	err := statefile.Read(a.ledgerFile(), l)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &ledger{Schema: schema}, nil
	case err != nil:
		return nil, err
	case l.Schema != schema:
		return nil, fmt.Errorf("%s has schema %d; this build reads %d", a.ledgerFile(), l.Schema, schema)
	}
	return l, nil
}

func (a *Accounts) changeLedger(f func(*ledger)) error {
	l, err := a.readLedger()
	if err != nil {
		return err
	}
	f(l)
	return statefile.Write(a.ledgerFile(), l)
}

// Managed gives the names of the managed accounts.
func (a *Accounts) Managed() ([]string, error) {
	return a.names(func(*entry) bool { return true })
}

// Open gives the names of those that are open.
func (a *Accounts) Open() ([]string, error) {
	return a.names(func(e *entry) bool { return e.Open })
}

func (a *Accounts) names(want func(*entry) bool) ([]string, error) {
	l, err := a.readLedger()
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range l.Entries {
		if e := &l.Entries[i]; want(e) {
			names = append(names, e.Name)
		}
	}
	return names, nil
}
