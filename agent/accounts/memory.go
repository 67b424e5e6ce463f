package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"firstday.dev/agent/securetoken"
	"firstday.dev/api"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/internal/strictjson"
)

// InMemory is a [Store] that behaves like the real one of its platform, for
// tests and simulated devices. Use [Memory] or [MemoryIn] to make one. Its
// methods may be called from several goroutines.
type InMemory struct {
	// Fault, if not nil, is asked before and after each step; see [Step]. It must
	// not call the store.
	Fault func(Step) error
	// Computer is the device's name, which no account on Windows may have.
	Computer string
	// Refuse, if not nil, is the system's password policy: it gives the reason
	// why a password does not do, or nothing.
	Refuse func(password []byte) string
	// Rules are what it tells of that policy.
	Rules PasswordRules
	// Escrowed: the MDM of a Mac gives secure tokens.
	Escrowed bool

	platform platform
	file     string // "" if only in memory
	mu       sync.Mutex
	state    memoryState
}

// Step is a point in a call at which a test can let it fail. An error that the
// fault hook gives before a step stands for the step; one that it gives after,
// for what the system said though the step was done. Create takes back what it
// did, as it does after any error. With an error that wraps [ErrKilled] nothing
// is taken back, as if the process had been killed there.
type Step struct {
	// Call is find, list, free, create, furnish, enable, disable, remove,
	// administrator, password, reset, change, token or fullname. A Create is a create, which
	// makes the tagged account, and a furnish, which gives it the rest.
	Call string
	Name string // of the account, empty for list
	Done bool   // it is after the step
}

// ErrKilled is for the fault hook, see [Step].
var ErrKilled = errors.New("killed")

// memoryState is what the file holds.
type memoryState struct {
	LastID   int
	Accounts []*memoryAccount
	Groups   []string
}

// memoryAccount is one of them, with its password as salt and hash.
type memoryAccount struct {
	Account
	Salt []byte `json:",omitempty"`
	Hash []byte `json:",omitempty"`
	// Person: somebody signs in with it; not the system's own.
	Person bool
	Token  bool `json:",omitempty"` // a secure token
}

// maxMemoryFile bounds the file, in bytes.
const maxMemoryFile = 4 << 20

// Memory gives a system without people. It has the accounts that every system
// of its platform has. An unknown platform is a mistake in the program that
// calls: it panics.
func Memory(p api.Platform) *InMemory {
	known, err := platformOf(p)
	if err != nil {
		panic(err)
	}
	m := &InMemory{platform: known}
	for _, name := range systemAccounts[p] {
		m.append(Account{Name: name, Disabled: true})
	}
	m.state.Groups = slices.Clone(systemGroups[p])
	return m
}

var systemAccounts = map[api.Platform][]string{
	api.Windows: {"Administrator", "Guest", "DefaultAccount", "WDAGUtilityAccount"},
	api.MacOS:   {"root", "daemon", "nobody", "_www"},
	api.Linux:   {"root", "daemon", "www-data"},
}

var systemGroups = map[api.Platform][]string{
	api.Windows: {"Administrators", "Users", "Guests", "Backup Operators"},
	api.MacOS:   {"wheel", "staff", "admin", "everyone"},
	api.Linux:   {"adm", "sudo", "users"},
}

// MemoryIn is Memory kept in a file, which need not be there yet. It reads the
// file at each call: whoever has the file may look into the accounts while
// another process has them. Only one may change them.
func MemoryIn(p api.Platform, file string) (*InMemory, error) {
	if _, err := platformOf(p); err != nil {
		return nil, err
	}
	m := Memory(p)
	m.file = file
	if err := m.load(); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *InMemory) load() error {
	if m.file == "" {
		return nil
	}
	f, err := os.Open(m.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var state memoryState
	if err := strictjson.Read(f, maxMemoryFile, &state); err != nil {
		return fmt.Errorf("%s: %w", m.file, err)
	}
	if slices.Contains(state.Accounts, nil) {
		return fmt.Errorf("%s: an account that is null", m.file)
	}
	m.state = state
	return nil
}

func (m *InMemory) save() error {
	if m.file == "" {
		return nil
	}
	data, err := json.MarshalIndent(m.state, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(m.file, data, 0o600)
}

// step does one step of a call, with the faults before and after it.
func (m *InMemory) step(ctx context.Context, call, name string, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := m.fault(Step{call, name, false}); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return m.fault(Step{call, name, true})
}

func (m *InMemory) fault(s Step) error {
	if m.Fault == nil {
		return nil
	}
	return m.Fault(s)
}

// change does one changing step on an account.
func (m *InMemory) change(ctx context.Context, call, name string, do func(*memoryAccount) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.step(ctx, call, name, func() error {
		if err := m.load(); err != nil {
			return err
		}
		a := m.find(name)
		if a == nil {
			return notFound(name)
		}
		if err := do(a); err != nil {
			return err
		}
		return m.save()
	})
}

// find compares names as the platform does.
func (m *InMemory) find(name string) *memoryAccount {
	for _, a := range m.state.Accounts {
		if a.Name == name || m.platform.name != api.Linux && strings.EqualFold(a.Name, name) {
			return a
		}
	}
	return nil
}

func (m *InMemory) Find(ctx context.Context, name string) (*Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found *Account
	err := m.step(ctx, "find", name, func() error {
		if err := m.load(); err != nil {
			return err
		}
		a := m.find(name)
		if a == nil {
			return notFound(name)
		}
		found = new(a.Account)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (m *InMemory) List(ctx context.Context) ([]Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var people []Account
	err := m.step(ctx, "list", "", func() error {
		if err := m.load(); err != nil {
			return err
		}
		for _, a := range m.state.Accounts {
			if a.Person {
				people = append(people, a.Account)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return people, nil
}

func (m *InMemory) CheckFree(ctx context.Context, name string) error {
	if err := m.platform.checkName(name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.step(ctx, "free", name, func() error {
		if err := m.load(); err != nil {
			return err
		}
		if by := m.takenBy(name); by != "" {
			return taken(name, by)
		}
		return nil
	})
}

func (m *InMemory) Create(ctx context.Context, n New) (*Account, error) {
	if err := n.check(m.platform); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	made := false
	err := m.step(ctx, "create", n.Name, func() error {
		if err := m.load(); err != nil {
			return err
		}
		if by := m.takenBy(n.Name); by != "" {
			return taken(n.Name, by)
		}
		a := m.append(Account{Name: n.Name, Disabled: true, Tag: n.Tag, Unused: true})
		a.Person, made = true, true
		return m.save()
	})
	if err == nil {
		err = m.step(ctx, "furnish", n.Name, func() error { return m.furnish(n) })
	}
	if err != nil && made && !errors.Is(err, ErrKilled) {
		err = errors.Join(err, m.delete(n.Name))
	}
	if err != nil {
		return nil, err
	}
	return new(m.find(n.Name).Account), nil
}

func (m *InMemory) furnish(n New) error {
	a := m.find(n.Name)
	a.FullName, a.Administrator = m.platform.fullName(n.FullName), n.Administrator
	if err := m.setPassword(a, n.Password); err != nil {
		return err
	}
	return m.save()
}

// takenBy tells who has the name already. On macOS a full name is another name
// for the account.
func (m *InMemory) takenBy(name string) string {
	if m.platform.name == api.Windows && strings.EqualFold(m.Computer, name) {
		return "it is the computer's"
	}
	for _, a := range m.state.Accounts {
		if strings.EqualFold(a.Name, name) || m.platform.name == api.MacOS && strings.EqualFold(a.FullName, name) {
			return "there is user " + a.Name
		}
	}
	for _, g := range m.state.Groups {
		if strings.EqualFold(g, name) {
			return "there is group " + g
		}
	}
	return ""
}

// append gives a new account its ID, and the home it has from the beginning.
func (m *InMemory) append(a Account) *memoryAccount {
	m.state.LastID++
	switch m.platform.name {
	case api.Windows: // makes the home at the first sign-in
		a.ID = fmt.Sprintf("S-1-5-21-1004336348-1177238915-682003330-%d", 1000+m.state.LastID)
	case api.MacOS:
		a.ID = fmt.Sprintf("F17D1D47-0000-4000-8000-%012X", m.state.LastID)
		a.Home = "/Users/" + a.Name
	case api.Linux:
		a.ID, a.Home = fmt.Sprint(1000+m.state.LastID), "/home/"+a.Name
	}
	stored := &memoryAccount{Account: a}
	m.state.Accounts = append(m.state.Accounts, stored)
	return stored
}

func (m *InMemory) Enable(ctx context.Context, name string) error {
	return m.change(ctx, "enable", name, func(a *memoryAccount) error {
		if a.Hash == nil {
			return fmt.Errorf("account %s has no password: %w", name, ErrPassword)
		}
		a.Disabled, a.Unused = false, false
		return nil
	})
}

func (m *InMemory) Disable(ctx context.Context, name string) error {
	return m.change(ctx, "disable", name, func(a *memoryAccount) error {
		a.Disabled = true
		return nil
	})
}

func (m *InMemory) Remove(ctx context.Context, name string) error {
	return m.change(ctx, "remove", name, func(a *memoryAccount) error {
		if err := a.unusedOfOurs(); err != nil {
			return err
		}
		return m.delete(name)
	})
}

func (m *InMemory) delete(name string) error {
	gone := m.find(name)
	m.state.Accounts = slices.DeleteFunc(m.state.Accounts, func(a *memoryAccount) bool { return a == gone })
	return m.save()
}

func (m *InMemory) SetAdministrator(ctx context.Context, name string, administrator bool) error {
	return m.change(ctx, "administrator", name, func(a *memoryAccount) error {
		a.Administrator = administrator
		return nil
	})
}

func (m *InMemory) SetPassword(ctx context.Context, name string, password []byte) error {
	return m.change(ctx, "password", name, func(a *memoryAccount) error {
		if err := a.unusedOfOurs(); err != nil {
			return err
		}
		return m.setPassword(a, password)
	})
}

func (m *InMemory) ResetPassword(ctx context.Context, name, id string, password []byte) error {
	return m.change(ctx, "reset", name, func(a *memoryAccount) error {
		if err := a.mayReset(id); err != nil {
			return err
		}
		return m.setPassword(a, password)
	})
}

// ChangePassword is a [Changer]'s.
func (m *InMemory) ChangePassword(ctx context.Context, name string, old, password []byte) error {
	return m.change(ctx, "change", name, func(a *memoryAccount) error {
		if right, err := a.has(old); err != nil || !right || a.Disabled {
			return errors.Join(fmt.Errorf("%w: the old one is wrong", ErrPassword), err)
		}
		return m.setPassword(a, password)
	})
}

// GiveToken is a [TokenGiver]'s: only the first of a Mac is had so.
func (m *InMemory) GiveToken(ctx context.Context, name string, password []byte) (state securetoken.State, err error) {
	if m.platform.name != api.MacOS {
		return "", nil
	}
	err = m.change(ctx, "token", name, func(a *memoryAccount) error {
		right, err := a.has(password)
		if err == nil && !right {
			err = fmt.Errorf("%w: it is not the account's own", ErrPassword)
		}
		if err == nil && !m.Escrowed && !slices.ContainsFunc(m.state.Accounts, (*memoryAccount).hasToken) {
			a.Token = true
		}
		state = m.tokenState(a)
		return err
	})
	return state, err
}

// Tokens is a [TokenGiver]'s.
func (m *InMemory) Tokens(context.Context) (*securetoken.Mac, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(); err != nil || m.platform.name != api.MacOS {
		return nil, err
	}
	holders := []securetoken.Holder{}
	for _, a := range m.state.Accounts {
		if a.hasToken() {
			holders = append(holders, securetoken.Holder{ID: a.ID, Owner: true})
		}
	}
	return &securetoken.Mac{Holders: &holders, Escrowed: new(m.Escrowed), FileVault: "FileVault is Off."}, nil
}

// TokenStates is a [TokenGiver]'s.
func (m *InMemory) TokenStates(_ context.Context, names []string) ([]AccountToken, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(); err != nil || m.platform.name != api.MacOS {
		return nil, err
	}
	var states []AccountToken
	for _, name := range names {
		if a := m.find(name); a != nil {
			states = append(states, AccountToken{a.Name, m.tokenState(a)})
		}
	}
	return states, nil
}

func (a *memoryAccount) hasToken() bool { return a.Token }

func (m *InMemory) tokenState(a *memoryAccount) securetoken.State {
	switch {
	case a.hasToken() && !m.Escrowed && !slices.ContainsFunc(m.state.Accounts, func(a *memoryAccount) bool { return a.hasToken() && a.Administrator }):
		return securetoken.Alone
	case a.hasToken():
		return securetoken.Held
	case m.Escrowed:
		return securetoken.Coming
	default:
		return securetoken.Missing
	}
}

func (m *InMemory) SetFullName(ctx context.Context, name, fullName string) error {
	return m.change(ctx, "fullname", name, func(a *memoryAccount) error {
		a.FullName = m.platform.fullName(fullName)
		return nil
	})
}

func (m *InMemory) setPassword(a *memoryAccount, password []byte) error {
	if err := m.platform.checkPassword(password); err != nil {
		return err
	}
	if m.Refuse != nil {
		if why := m.Refuse(password); why != "" {
			return fmt.Errorf("%w: %s", ErrPassword, why)
		}
	}
	a.Salt = make([]byte, 16)
	_, _ = rand.Read(a.Salt) // never fails
	hash, err := hashPassword(password, a.Salt)
	a.Hash = hash
	return err
}

// hashPassword is quick: what it protects are the passwords of tests.
func hashPassword(password, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, string(password), salt, 1000, sha256.Size)
}

// CheckPassword tells whether somebody could sign in now: the account is there
// and enabled, and has this password.
func (m *InMemory) CheckPassword(name, password string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.load() != nil {
		return false
	}
	a := m.find(name)
	if a == nil || a.Disabled || a.Hash == nil {
		return false
	}
	hash, err := hashPassword([]byte(password), a.Salt)
	return err == nil && hmac.Equal(hash, a.Hash)
}

// PasswordWorks tells whether the password is that of the account, which need not
// be enabled.
func (m *InMemory) PasswordWorks(_ context.Context, name string, password []byte) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(); err != nil {
		return false, err
	}
	a := m.find(name)
	if a == nil {
		return false, notFound(name)
	}
	return a.has(password)
}

// has tells whether the password is that of the account.
func (a *memoryAccount) has(password []byte) (bool, error) {
	if a.Hash == nil {
		return false, nil
	}
	hash, err := hashPassword(password, a.Salt)
	return err == nil && hmac.Equal(hash, a.Hash), err
}

// PasswordRules are Rules.
func (m *InMemory) PasswordRules(context.Context) (PasswordRules, error) { return m.Rules, nil }

// Add adds an account that somebody else made, as it is: for a test that needs
// one in the way, or a break-glass administrator.
func (m *InMemory) Add(a Account, password string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.load(); err != nil {
		return err
	}
	if by := m.takenBy(a.Name); by != "" {
		return taken(a.Name, by)
	}
	stored := m.append(a)
	stored.Person = true
	if err := m.setPassword(stored, []byte(password)); err != nil {
		return errors.Join(err, m.delete(a.Name))
	}
	return m.save()
}
