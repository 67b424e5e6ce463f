package console

import (
	"net/http"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/directory"
)

const pathAccount = Path + "account"

func (c *Console) accountRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "account", roles: readers, serve: c.account},
		{method: http.MethodPost, path: "account/passkeys", roles: readers, fresh: true, serve: c.addPasskey},
		{method: http.MethodPost, path: "account/passkeys/{id}", roles: readers, fresh: true, serve: c.renamePasskey},
		{method: http.MethodGet, path: "account/passkeys/{id}/remove", roles: readers, fresh: true, serve: c.askRemovePasskey},
		{method: http.MethodPost, path: "account/passkeys/{id}/remove", roles: readers, fresh: true, serve: c.removePasskey},
		{method: http.MethodPost, path: "account/password", roles: readers, fresh: true, serve: c.addPassword},
		{method: http.MethodGet, path: "account/password/change", roles: readers, fresh: true, serve: c.showChangePassword},
		{method: http.MethodPost, path: "account/password/change", roles: readers, fresh: true, serve: c.changePassword},
		{method: http.MethodGet, path: "account/password/remove", roles: readers, fresh: true, serve: c.askRemovePassword},
		{method: http.MethodPost, path: "account/password/remove", roles: readers, fresh: true, serve: c.removePassword},
		{method: http.MethodGet, path: "account/codes", roles: readers, fresh: true, serve: c.askNewCodes},
		{method: http.MethodPost, path: "account/codes", roles: readers, fresh: true, serve: c.newCodes},
		{method: http.MethodGet, path: "account/link/remove", roles: readers, fresh: true, serve: c.askRemoveLink},
		{method: http.MethodPost, path: "account/link/remove", roles: readers, fresh: true, serve: c.removeLink},
		{method: http.MethodPost, path: "account/sessions/{id}/end", roles: readers, serve: c.endSession},
		{method: http.MethodPost, path: "account/sessions/end", roles: readers, serve: c.endSessions},
	}
}

// accountData is who is signed in, how, and where.
type accountData struct {
	Account  *api.Admin
	Sessions []*api.ConsoleSession
	Here     uuid.UUID // the session of the page
	Passkeys bool      // whether browsers allow them here
}

// Ways are how many ways in there are.
func (a accountData) Ways() int {
	n := len(a.Account.Passkeys)
	if a.Account.Password {
		n++
	}
	if a.Account.Provider != "" {
		n++
	}
	return n
}

// wayWords are what the ways are called.
var wayWords = map[api.Way]sentence{
	api.WayPasskey: sentence("passkey"), api.WayPassword: sentence("password and code"), api.WayProvider: sentence("identity provider"),
}

func wayWord(w api.Way) sentence { return wayWords[w] }

// sessionTable is a list of sessions, as a template shows it.
type sessionTable struct {
	Sessions []*api.ConsoleSession
	Here     uuid.UUID // the one that looks at it
	At       string    // the page that it stands on
	May      bool      // end them
}

func newSessionTable(list []*api.ConsoleSession, here uuid.UUID, at string, may bool) sessionTable {
	return sessionTable{list, here, at, may}
}

func (c *Console) account(v *visit) (*page, error) {
	a, err := c.directory.FindAdministrator(v.Context(), v.Administrator.ID.String())
	if err != nil {
		return nil, err
	}
	sessions, err := c.directory.ConsoleSessions(v.Context(), a.ID.String())
	if err != nil {
		return nil, err
	}
	return &page{
		Title: "Your account", Template: "account", Data: accountData{a, sessions, v.Session.ID, c.directory.PasskeysWork()},
		Topics: []directory.Topic{directory.TopicAdministrators},
	}, nil
}

func (c *Console) addPasskey(v *visit) (*page, error) { return c.addWay(v, api.WayPasskey) }

func (c *Console) addPassword(v *visit) (*page, error) { return c.addWay(v, api.WayPassword) }

func (c *Console) addWay(v *visit, way api.Way) (*page, error) {
	form, err := c.account(v)
	if err != nil {
		return nil, err
	}
	return c.begin(v, form, &directory.Beginning{Purpose: directory.ToAdd, Way: way, Session: v.Session, Next: pathAccount, Back: pathAccount})
}

func (c *Console) renamePasskey(v *visit) (*page, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	if err := c.directory.RenamePasskey(v.Context(), v.Session, id, v.form("called")); err != nil {
		return nil, err
	}
	return v.done(pathAccount, "The passkey is called %s now.", v.form("called"))
}

// passkeyName is what a passkey of the administrator is called.
func (c *Console) passkeyName(v *visit, id uuid.UUID) (string, error) {
	a, err := c.directory.FindAdministrator(v.Context(), v.Administrator.ID.String())
	if err != nil {
		return "", err
	}
	for _, p := range a.Passkeys {
		if p.ID == id {
			return p.Name, nil
		}
	}
	return "", api.Refuse(api.CodeNotFound, "you have no passkey %s", id)
}

var upToAccount = link{pathAccount, "Your account"}

func (c *Console) askRemovePasskey(v *visit) (*page, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	name, err := c.passkeyName(v, id)
	if err != nil {
		return nil, err
	}
	return &page{Title: "Remove a passkey", Up: upToAccount, Template: "confirm", Data: confirm{
		Question: sentence("Do you want to remove this passkey?"), Of: name, Do: sentence("Remove this passkey"), To: pathAccount + "/passkeys/" + id.String() + "/remove", Back: pathAccount,
		Then: []sentence{sentence("Nobody signs in with it any more."), sentence("Your other sessions end.")},
	}}, nil
}

func (c *Console) removePasskey(v *visit) (*page, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	name, err := c.passkeyName(v, id)
	if err != nil {
		return nil, err
	}
	if err := c.directory.RemovePasskey(v.Context(), v.Session, id); err != nil {
		return nil, err
	}
	return v.done(pathAccount, "The passkey %s is removed.", name)
}

func (c *Console) showChangePassword(*visit) (*page, error) {
	return &page{Title: "Change your password", Up: upToAccount, Template: "passwordchange"}, nil
}

func (c *Console) changePassword(v *visit) (*page, error) {
	form, _ := c.showChangePassword(v)
	if err := c.directory.ChangePassword(v.Context(), v.Session, v.secret("password"), v.secret("again")); err != nil {
		return v.again(form, err)
	}
	return v.done(pathAccount, "Your password is changed. Your other sessions have ended.")
}

func (c *Console) askRemovePassword(*visit) (*page, error) {
	return &page{Title: "Remove your password", Up: upToAccount, Template: "confirm", Data: confirm{
		Question: sentence("Do you want to remove your password?"), Do: sentence("Remove the password"), To: pathAccount + "/password/remove", Back: pathAccount,
		Then: []sentence{sentence("The authenticator app and the recovery codes are of no use any more."), sentence("Your other sessions end.")},
	}}, nil
}

func (c *Console) removePassword(v *visit) (*page, error) {
	if err := c.directory.RemovePassword(v.Context(), v.Session); err != nil {
		return nil, err
	}
	return v.done(pathAccount, "Your password is removed.")
}

func (c *Console) askNewCodes(*visit) (*page, error) {
	return &page{Title: "New recovery codes", Up: upToAccount, Template: "confirm", Data: confirm{
		Question: sentence("Do you want other recovery codes?"), Do: sentence("Make other codes"), To: pathAccount + "/codes", Back: pathAccount,
		Then: []sentence{sentence("The codes that you have are of no use any more.")},
	}}, nil
}

func (c *Console) newCodes(v *visit) (*page, error) {
	codes, err := c.directory.NewRecoveryCodes(v.Context(), v.Session)
	if err != nil {
		return nil, err
	}
	return v.enter(&directory.Outcome{Codes: codes, Next: pathAccount})
}

func (c *Console) askRemoveLink(*visit) (*page, error) {
	return &page{Title: "Unlink your identity provider", Up: upToAccount, Template: "confirm", Data: confirm{
		Question: sentence("Do you want to sign in with your identity provider no more?"), Do: sentence("Unlink it"), To: pathAccount + "/link/remove", Back: pathAccount,
		Then: []sentence{sentence("Only a link of an owner brings it back."), sentence("Your other sessions end.")},
	}}, nil
}

func (c *Console) removeLink(v *visit) (*page, error) {
	if err := c.directory.RemoveLink(v.Context(), v.Session); err != nil {
		return nil, err
	}
	return v.done(pathAccount, "Your identity provider is unlinked.")
}

func (c *Console) endSession(v *visit) (*page, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	if err := c.directory.EndConsoleSession(v.Context(), v.actor(), v.Administrator.ID.String(), id); err != nil {
		return nil, err
	}
	return v.done(pathAccount, "The session has ended.")
}

func (c *Console) endSessions(v *visit) (*page, error) {
	if err := c.directory.EndConsoleSessions(v.Context(), v.actor(), v.Administrator.ID.String(), v.Session.ID); err != nil {
		return nil, err
	}
	return v.done(pathAccount, "All your other sessions have ended.")
}
