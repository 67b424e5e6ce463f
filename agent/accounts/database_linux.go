package accounts

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// database is passwd(5), shadow(5) and group(5).
type database struct {
	users          []passwdEntry
	shadows        map[string]shadowEntry
	groups         []groupEntry
	administrators string // the group, empty if there is none
	today          int    // days since 1970
}

type passwdEntry struct {
	name, password string
	uid            int
	gecos          gecos
	home, shell    string
}

type shadowEntry struct {
	password string
	expires  int // days since 1970, or never
}

const never = -1

type groupEntry struct {
	name    string
	members []string
}

// administratorGroups are those whose members sudo trusts; a system has one of
// them, the first on Debian and its like.
var administratorGroups = []string{"sudo", "wheel"}

// maxDatabase bounds each file, in bytes.
const maxDatabase = 16 << 20

func (s linuxStore) read() (*database, error) {
	var texts [3]string
	for i, name := range []string{"/etc/passwd", "/etc/shadow", "/etc/group"} {
		text, err := s.readFile(name)
		if err != nil {
			return nil, err
		}
		texts[i] = text
	}
	return parseDatabase(texts[0], texts[1], texts[2]), nil
}

func (s linuxStore) readFile(name string) (string, error) {
	f, err := os.Open(s.path(name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxDatabase+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxDatabase {
		return "", fmt.Errorf("%s is larger than %d bytes", f.Name(), maxDatabase)
	}
	return string(text), nil
}

func parseDatabase(passwd, shadow, group string) *database {
	db := &database{shadows: make(map[string]shadowEntry), today: int(time.Now().Unix() / (24 * 60 * 60))}
	eachLine(passwd, 7, db.addUser)
	eachLine(shadow, 9, db.addShadow)
	eachLine(group, 4, db.addGroup)
	for _, g := range administratorGroups {
		if db.administrators == "" && db.group(g) != nil {
			db.administrators = g
		}
	}
	return db
}

// eachLine leaves out lines that the C library would not take either.
func eachLine(text string, fields int, add func([]string)) {
	for line := range strings.Lines(text) {
		if f := strings.Split(strings.TrimRight(line, "\n"), ":"); len(f) == fields && f[0] != "" {
			add(f)
		}
	}
}

func (db *database) addUser(f []string) {
	if uid, err := strconv.Atoi(f[2]); err == nil {
		db.users = append(db.users, passwdEntry{f[0], f[1], uid, readGECOS(f[4]), f[5], f[6]})
	}
}

func (db *database) addGroup(f []string) {
	g := groupEntry{name: f[0]}
	if f[3] != "" {
		g.members = strings.Split(f[3], ",")
	}
	db.groups = append(db.groups, g)
}

func (db *database) addShadow(f []string) {
	expires, err := strconv.Atoi(f[7])
	if err != nil {
		expires = never
	}
	db.shadows[f[0]] = shadowEntry{f[1], expires}
}

// user gives an account with its comment.
func (s linuxStore) user(name string) (*Account, gecos, error) {
	db, err := s.read()
	if err != nil {
		return nil, gecos{}, err
	}
	return db.find(name)
}

func (db *database) find(name string) (*Account, gecos, error) {
	i := slices.IndexFunc(db.users, func(u passwdEntry) bool { return u.name == name })
	if i < 0 {
		return nil, gecos{}, notFound(name)
	}
	a := db.account(db.users[i])
	return &a, db.users[i].gecos, nil
}

func (db *database) account(u passwdEntry) Account {
	a := Account{
		ID: strconv.Itoa(u.uid), Name: u.name, FullName: u.gecos[0], Home: u.home, Disabled: db.isDisabled(u),
		Administrator: slices.ContainsFunc(administratorGroups, func(g string) bool { return db.isMember(u.name, g) }),
	}
	a.Tag, a.Unused = readMark(u.gecos[otherField])
	return a
}

// isDisabled: nobody can sign in with a password. Without an entry in shadow(5),
// which a killed useradd may leave, the password is the x or worse.
func (db *database) isDisabled(u passwdEntry) bool {
	shadow, ok := db.shadows[u.name]
	if !ok {
		shadow = shadowEntry{u.password, never}
	}
	locked := strings.HasPrefix(shadow.password, "!") || strings.HasPrefix(shadow.password, "*") || shadow.password == "x"
	return locked || shadow.expires != never && db.today >= shadow.expires
}

func (db *database) group(name string) *groupEntry {
	i := slices.IndexFunc(db.groups, func(g groupEntry) bool { return g.name == name })
	if i < 0 {
		return nil
	}
	return &db.groups[i]
}

func (db *database) isMember(user, group string) bool {
	g := db.group(group)
	return g != nil && slices.Contains(g.members, user)
}

// takenBy tells who has the name already, in whatever case.
func (db *database) takenBy(name string) string {
	for _, u := range db.users {
		if strings.EqualFold(u.name, name) {
			return "there is user " + u.name
		}
	}
	for _, g := range db.groups {
		if strings.EqualFold(g.name, name) {
			return "there is group " + g.name
		}
	}
	return ""
}

// Accounts of people have numbers in this range (login.defs(5)).
const (
	firstPerson = 1000
	lastPerson  = 60000
)

func (u passwdEntry) isPerson() bool {
	noShell := strings.HasSuffix(u.shell, "/nologin") || strings.HasSuffix(u.shell, "/false")
	return u.uid >= firstPerson && u.uid <= lastPerson && !noShell
}

// gecos is the comment of an account: full name, room, two telephone numbers
// and other things.
type gecos [5]string

const otherField = 4

func readGECOS(s string) gecos {
	var g gecos
	copy(g[:], strings.SplitN(s, ",", len(g)))
	return g
}

func (g gecos) String() string { return strings.TrimRight(strings.Join(g[:], ","), ",") }

// cryptMethod is what the system hashes passwords with.
func (s linuxStore) cryptMethod() string {
	text, err := s.readFile("/etc/login.defs")
	if err != nil {
		return defaultMethod
	}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "ENCRYPT_METHOD" && slices.Contains(goodMethods, f[1]) {
			return f[1]
		}
	}
	return defaultMethod
}

const defaultMethod = "SHA512"

var goodMethods = []string{"YESCRYPT", "SHA512", "SHA256", "BCRYPT"}
