package console

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// administrator is who looks at the console.
type administrator struct {
	Name     string // one word, for the audit log
	FullName string
	Role     api.Role
}

// Shown is how people call the administrator.
func (a *administrator) Shown() string {
	if a.FullName != "" {
		return a.FullName
	}
	return a.Name
}

// session is a browser in which an administrator is signed in.
type session struct {
	ID            uuid.UUID
	Administrator *administrator
	ProvedAt      time.Time // when it was proved last who sits there
	EndsAt        time.Time
}

// sessions knows who sends a request. Where nobody is signed in, it refuses.
type sessions interface {
	ConsoleSession(*http.Request) (*session, error)
}
