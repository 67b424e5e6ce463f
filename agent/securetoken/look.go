package securetoken

import (
	"context"
	"errors"
)

// Commands runs macOS' tools.
type Commands interface {
	// Run gives what the program at a path wrote. The error is that of os/exec.
	Run(ctx context.Context, stdin []byte, path string, args ...string) (stdout, stderr []byte, err error)
}

const (
	sysadminctl = "/usr/sbin/sysadminctl"
	diskutil    = "/usr/sbin/diskutil"
	profiles    = "/usr/bin/profiles"
	fdesetup    = "/usr/bin/fdesetup"
)

// Tokens tells who has a token, and whether macOS gives them out. The error says
// what is not known.
func Tokens(ctx context.Context, c Commands) (*Mac, error) {
	m, err := Holders(ctx, c)
	out, said, failed := c.Run(ctx, nil, profiles, "status", "-type", "bootstraptoken")
	yes, silent := parseBootstrap(append(out, said...))
	if silent != nil {
		return m, errors.Join(err, silent, failed)
	}
	m.Escrowed = &yes
	return m, err
}

// Holders tells who has a token, and nothing else.
func Holders(ctx context.Context, c Commands) (*Mac, error) {
	out, _, failed := c.Run(ctx, nil, diskutil, "apfs", "listUsers", "/", "-plist")
	holders, err := parseHolders(out)
	if err != nil {
		return new(Mac), errors.Join(err, failed)
	}
	return &Mac{Holders: &holders}, nil
}

// Disk adds what fdesetup says of FileVault, for a diagnosis.
func (m *Mac) Disk(ctx context.Context, c Commands) error {
	out, _, err := c.Run(ctx, nil, fdesetup, "status")
	line, unread := parseFileVault(out)
	if unread != nil {
		return errors.Join(unread, err)
	}
	m.FileVault = line
	if line != "FileVault is On." {
		return nil // list answers with an error then
	}
	out, _, err = c.Run(ctx, nil, fdesetup, "list")
	names, unread := parseUnlockers(out)
	if unread != nil {
		return errors.Join(unread, err)
	}
	m.Unlockers = &names
	return nil
}

// Told gives what sysadminctl says of an account, nil for nothing. Its exit code
// says nothing.
func Told(ctx context.Context, c Commands, account string) (*bool, error) {
	_, said, err := c.Run(ctx, nil, sysadminctl, "-secureTokenStatus", account)
	has, unread := parseStatus(said)
	if unread != nil {
		return nil, errors.Join(unread, err)
	}
	return &has, nil
}
