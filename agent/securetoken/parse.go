package securetoken

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"firstday.dev/internal/propertylist"
)

// Bounds on what tools print, and on what is believed of it.
const (
	maxOutput  = 1 << 20
	maxHolders = 10000
)

// errOutput: a tool printed what none of the known versions prints.
var errOutput = errors.New("unexpected output")

func unexpected(tool string, output []byte) error {
	return fmt.Errorf("%s: %w: %.200q", tool, errOutput, output)
}

// told matches a line of sysadminctl -secureTokenStatus, which begins with the
// time and the process. After "user" comes the full name, which a person chose:
// only what is before it counts.
var told = regexp.MustCompile(`^(?:[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]{8,20} sysadminctl\[[0-9]+:[0-9A-Fa-fx]+\] )?Secure token is (ENABLED|DISABLED) for user `)

// parseStatus reads what sysadminctl -secureTokenStatus writes to its standard
// error, whatever its exit code. An account that it does not know is an error,
// not one without a token.
func parseStatus(output []byte) (bool, error) {
	const tool = "sysadminctl"
	if len(output) > maxOutput {
		return false, unexpected(tool, output)
	}
	var found []string
	for line := range strings.Lines(string(output)) {
		if m := told.FindStringSubmatch(line); m != nil {
			found = append(found, m[1])
		}
	}
	if len(found) != 1 { // a full name of two lines could bring a second
		return false, unexpected(tool, output)
	}
	return found[0] == "ENABLED", nil
}

// guid is how diskutil writes a GeneratedUID.
var guid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// nobody is all that diskutil prints where there is no one, even for a property
// list.
const nobody = "No cryptographic users for "

// accountKind are accounts; the others are keys for recovery, of the MDM and of
// iCloud.
const accountKind = "LocalOpenDirectory"

// guestID is the guest's, who has an entry without ever having a password
// (eclecticlight.co on macOS 10.13).
const guestID = "FFFFEEEE-DDDD-CCCC-BBBB-AAAA000000C9"

// parseHolders reads what diskutil apfs listUsers / -plist prints. VolumeOwner is
// there since macOS 11.
func parseHolders(output []byte) ([]Holder, error) {
	const tool = "diskutil"
	if len(output) > maxOutput {
		return nil, unexpected(tool, output)
	}
	if text := strings.TrimSpace(string(output)); strings.HasPrefix(text, nobody) && !strings.Contains(text, "\n") {
		return []Holder{}, nil
	}
	var list struct {
		Users *[]struct {
			Kind  string `plist:"APFSCryptoUserType"`
			ID    string `plist:"APFSCryptoUserUUID"`
			Owner bool   `plist:"VolumeOwner"`
		}
	}
	if err := propertylist.Unmarshal(output, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", tool, err)
	}
	if list.Users == nil || len(*list.Users) > maxHolders {
		return nil, unexpected(tool, output)
	}
	holders := []Holder{}
	for _, u := range *list.Users {
		if !guid.MatchString(u.ID) || u.Kind == "" {
			return nil, unexpected(tool, output)
		}
		if id := strings.ToUpper(u.ID); u.Kind == accountKind && id != guestID {
			holders = append(holders, Holder{id, u.Owner})
		}
	}
	return holders, nil
}

// escrowed matches the line that counts of profiles status -type bootstraptoken;
// FileWave shows "on server".
var escrowed = regexp.MustCompile(`(?m)^(?:profiles: )?Bootstrap Token escrowed (?:to|on) server: *(YES|NO)[ \r]*$`)

// parseBootstrap reads whether the MDM keeps a bootstrap token. That it could is
// another line, and not enough.
func parseBootstrap(output []byte) (bool, error) {
	const tool = "profiles"
	if len(output) > maxOutput {
		return false, unexpected(tool, output)
	}
	m := escrowed.FindAllSubmatch(output, -1)
	if len(m) != 1 {
		return false, unexpected(tool, output)
	}
	return string(m[0][1]) == "YES", nil
}

// parseFileVault gives the line of fdesetup status that says whether it is on. An
// institutional key has a line before it.
func parseFileVault(output []byte) (string, error) {
	const tool = "fdesetup"
	if len(output) > maxOutput {
		return "", unexpected(tool, output)
	}
	for line := range strings.Lines(string(output)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "FileVault is ") && len(line) < 200 {
			return line, nil
		}
	}
	return "", unexpected(tool, output)
}

// unlocker matches a line of fdesetup list.
var unlocker = regexp.MustCompile(`^([^,\x00-\x1f]{1,255}),([0-9A-Fa-f-]{36})$`)

// parseUnlockers reads the accounts that fdesetup list prints, as NAME,UUID.
func parseUnlockers(output []byte) ([]string, error) {
	const tool = "fdesetup"
	if len(output) > maxOutput {
		return nil, unexpected(tool, output)
	}
	names := []string{}
	for line := range strings.Lines(string(output)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		m := unlocker.FindStringSubmatch(line)
		if m == nil || !guid.MatchString(m[2]) || len(names) == maxHolders {
			return nil, unexpected(tool, output)
		}
		names = append(names, m[1])
	}
	return names, nil
}
