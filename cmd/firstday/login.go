package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"firstday.dev/api"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/internal/strictjson"
)

// Where a token is for those who cannot log in: CI.
const (
	tokenVariable     = "FIRSTDAY_TOKEN"
	directoryVariable = "FIRSTDAY_DIRECTORY" // URL
	pinVariable       = "FIRSTDAY_PIN"
)

// login is what `firstday login` keeps.
type login struct {
	api.Directory
	Token api.Secret `json:"token"`
}

// maxLogin bounds the file, in bytes.
const maxLogin = 64 << 10

func loginFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "firstday", "login.json"), nil
}

func newLogin() *cobra.Command {
	var l login
	var tokenFile, file string
	c := &cobra.Command{
		Use:   "login [URL]",
		Short: "Remember a directory, and the token that opens it",
		Long: `Login tries a token with a directory, and remembers both in a file that only you
can read. The token is read from a file or asked for; the file owner.json of a
new directory says all of it. Where nobody can log in, FIRSTDAY_DIRECTORY,
FIRSTDAY_PIN and FIRSTDAY_TOKEN say the same.`,
		Example: `  firstday login --file owner.json
  firstday login https://directory.acme.example:8443 --pin sha256:… --token-file ann.token`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if (file == "") == (len(args) == 0) {
				return usageError{errors.New("name either a directory's URL or --file")}
			}
			err := l.read(c, args, file, tokenFile)
			if err != nil {
				return err
			}
			client, err := l.client()
			if err != nil {
				return err
			}
			defer client.Close()
			who, err := client.Whoami(c.Context())
			if err != nil {
				return err
			}
			remember, err := loginFile()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(remember), 0o700); err != nil {
				return err
			}
			if err := l.save(remember); err != nil {
				return err
			}
			return show(c, who, func(w *text) { w.line("you are %s at %s, as %s, until %v", who.Name, l.URL, who.Role, who.ExpiresAt) })
		},
	}
	c.Flags().StringVar(&l.Pin, "pin", "", "pin of the directory's CA (default: the system's roots)")
	c.Flags().StringVar(&tokenFile, "token-file", "", "file with the token, - for standard input (default: it is asked for)")
	c.Flags().StringVar(&file, "file", "", "file with all of it, such as owner.json")
	c.MarkFlagsMutuallyExclusive("file", "pin")
	c.MarkFlagsMutuallyExclusive("file", "token-file")
	_ = c.MarkFlagFilename("token-file")
	_ = c.MarkFlagFilename("file", "json")
	return c
}

// read takes all from a file, or the URL from args and the token from its own.
func (l *login) read(c *cobra.Command, args []string, file, tokenFile string) error {
	if file != "" {
		return l.load(file)
	}
	l.URL = args[0]
	var err error
	l.Token, err = readSecret(c, tokenFile, "token")
	return err
}

// readSecret reads a word that nobody else may know from a file, from standard
// input (-), or from the terminal.
func readSecret(c *cobra.Command, file, what string) (api.Secret, error) {
	var data []byte
	var err error
	switch file {
	case "":
		data, err = prompter(c.Context())(what)
	case "-":
		data, err = io.ReadAll(io.LimitReader(c.InOrStdin(), maxLogin))
	default:
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(data))
	clear(data)
	if secret == "" || strings.ContainsAny(secret, " \t\r\n") {
		return "", usageError{fmt.Errorf("there is no %s, or more than one", what)}
	}
	return api.Secret(secret), nil
}

func (l *login) save(file string) error {
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(file, append(data, '\n'), 0o600)
}

func (l *login) load(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := strictjson.Read(f, maxLogin, l); err != nil {
		return usageError{fmt.Errorf("%s: %w", file, err)}
	}
	return nil
}

func (l *login) client() (*api.Client, error) {
	if err := l.Check(); err != nil {
		return nil, usageError{err}
	}
	client, err := api.NewClient(l.Directory, nil)
	if err != nil {
		return nil, err
	}
	client.Token, client.UserAgent = l.Token, "firstday/"+version
	return client, nil
}

// errNoLogin: nobody said which directory is meant.
var errNoLogin = errors.New("you are not logged in to a directory")

// whichDirectory gives the login that is meant: the environment's, else the one
// remembered.
func whichDirectory() (*login, error) {
	l := &login{Directory: api.Directory{URL: os.Getenv(directoryVariable), Pin: os.Getenv(pinVariable)}, Token: api.Secret(os.Getenv(tokenVariable))}
	if l.URL != "" && l.Token != "" {
		return l, nil
	}
	file, err := loginFile()
	if err != nil {
		return nil, err
	}
	err = l.load(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoLogin
	}
	return l, err
}

// admin gives a client of the directory that is meant. Close it.
func admin() (*api.Client, error) {
	l, err := whichDirectory()
	if err != nil {
		return nil, err
	}
	return l.client()
}

// asAdmin runs a command with a client.
func asAdmin(f func(c *cobra.Command, client *api.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		client, err := admin()
		if err != nil {
			return err
		}
		defer client.Close()
		return f(c, client, args)
	}
}
