package console

import (
	"net/http"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/directory"
)

const pathAdministrators = Path + "administrators"

// auditors read who administers.
var auditors = []api.Role{api.Owner, api.Auditor}

func (c *Console) administratorRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "administrators", roles: auditors, serve: c.administrators},
		{method: http.MethodGet, path: "administrators/new", roles: owners, serve: c.showInvite},
		{method: http.MethodPost, path: "administrators", roles: owners, fresh: true, serve: c.invite},
		{method: http.MethodGet, path: "administrators/{id}", roles: auditors, serve: c.administrator},
		{method: http.MethodPost, path: "administrators/{id}/role", roles: owners, fresh: true, serve: c.setRole},
		{method: http.MethodGet, path: "administrators/{id}/disable", roles: owners, fresh: true, serve: c.askDisable},
		{method: http.MethodPost, path: "administrators/{id}/disable", roles: owners, fresh: true, serve: c.disable},
		{method: http.MethodPost, path: "administrators/{id}/enable", roles: owners, fresh: true, serve: c.enable},
		{method: http.MethodGet, path: "administrators/{id}/reset", roles: owners, fresh: true, serve: c.askReset},
		{method: http.MethodPost, path: "administrators/{id}/reset", roles: owners, fresh: true, serve: c.reset},
		{method: http.MethodPost, path: "administrators/{id}/sessions/{session}/end", roles: owners, serve: c.endTheirSession},
	}
}

// administratorStates are what states are called.
var administratorStates = map[api.AdministratorState]badge{
	api.AdministratorInvited:  {"wait", sentence("invited")},
	api.AdministratorActive:   {"good", sentence("active")},
	api.AdministratorDisabled: {"plain", sentence("disabled")},
}

// shownAdministrator is one as pages show them.
type shownAdministrator struct{ *api.Admin }

// Badge is where they stand.
func (a shownAdministrator) Badge() badge { return administratorStates[a.State] }

// roleChoices are for fields that ask for a role.
func roleChoices(roles []api.Role) (list []choice) {
	for _, r := range roles {
		list = append(list, choice{string(r), roleWord(r)})
	}
	return list
}

func (c *Console) administrators(v *visit) (*page, error) {
	all, err := c.directory.Administrators(v.Context())
	if err != nil {
		return nil, err
	}
	var list []shownAdministrator
	for _, a := range all {
		list = append(list, shownAdministrator{a})
	}
	return &page{Title: "Administrators", Template: "administrators", Data: list, Topics: []directory.Topic{directory.TopicAdministrators}}, nil
}

var upToAdministrators = link{pathAdministrators, "Administrators"}

func (c *Console) showInvite(*visit) (*page, error) {
	return &page{Title: "Invite an administrator", Up: upToAdministrators, Template: "invite", Data: roleChoices([]api.Role{api.Technician, api.Auditor, api.Owner})}, nil
}

// invite makes a link and shows it, this once.
func (c *Console) invite(v *visit) (*page, error) {
	form, _ := c.showInvite(v)
	n := api.NewAdministrator{Name: v.form("name"), FullName: v.form("fullName"), Email: v.form("email"), Role: api.Role(v.form("role"))}
	invitation, err := c.directory.InviteAdministrator(v.Context(), v.actor(), n)
	if err != nil {
		return v.again(form, err)
	}
	return invitationPage(invitation), nil
}

func invitationPage(i *api.Invitation) *page {
	return &page{Title: "The link for the administrator", Up: upToAdministrators, Template: "invitation", Data: shownInvitation{i}}
}

// shownInvitation is a link, which its page shows.
type shownInvitation struct{ *api.Invitation }

// Address is the link itself.
func (i shownInvitation) Address() string { return i.Link.Reveal() }

type administratorData struct {
	Who      shownAdministrator
	Sessions []*api.ConsoleSession
	Roles    []choice
	Here     uuid.UUID // the session that looks at it
}

func (c *Console) findAdministrator(v *visit) (shownAdministrator, error) {
	id, err := v.id()
	if err != nil {
		return shownAdministrator{}, err
	}
	a, err := c.directory.FindAdministrator(v.Context(), id.String())
	return shownAdministrator{a}, err
}

func (c *Console) administrator(v *visit) (*page, error) {
	a, err := c.findAdministrator(v)
	if err != nil {
		return nil, err
	}
	sessions, err := c.directory.ConsoleSessions(v.Context(), a.ID.String())
	if err != nil {
		return nil, err
	}
	return &page{
		Title: "Administrator", Of: a.Shown(), Up: upToAdministrators, Template: "administrator",
		Data: administratorData{a, sessions, roleChoices(api.AdministratorRoles), v.Session.ID}, Topics: []directory.Topic{directory.TopicAdministrators},
	}, nil
}

func (a shownAdministrator) path() string { return pathAdministrators + "/" + a.ID.String() }

func (c *Console) setRole(v *visit) (*page, error) {
	a, err := c.findAdministrator(v)
	if err != nil {
		return nil, err
	}
	role := api.Role(v.form("role"))
	if err := c.directory.SetAdministratorRole(v.Context(), v.actor(), a.ID.String(), role); err != nil {
		form, again := c.administrator(v)
		if again != nil {
			return nil, again
		}
		return v.again(form, err)
	}
	return v.done(a.path(), "The role of %s is %s now.", a.Shown(), roleWord(role))
}

func (c *Console) askDisable(v *visit) (*page, error) {
	a, err := c.findAdministrator(v)
	if err != nil {
		return nil, err
	}
	return &page{Title: "Disable an administrator", Up: link{a.path(), "Administrator"}, Template: "confirm", Data: confirm{
		Question: sentence("Do you want to disable this administrator?"), Of: a.Shown(), Do: sentence("Disable"), To: a.path() + "/disable", Back: a.path(),
		Then: []sentence{sentence("Their sessions end at once, and they sign in no more."), sentence("You can enable them again.")},
	}}, nil
}

func (c *Console) disable(v *visit) (*page, error) {
	a, err := c.findAdministrator(v)
	if err != nil {
		return nil, err
	}
	if err := c.directory.DisableAdministrator(v.Context(), v.actor(), a.ID.String()); err != nil {
		return nil, err
	}
	return v.done(a.path(), "%s is disabled.", a.Shown())
}

func (c *Console) enable(v *visit) (*page, error) {
	a, err := c.findAdministrator(v)
	if err != nil {
		return nil, err
	}
	if err := c.directory.EnableAdministrator(v.Context(), v.actor(), a.ID.String()); err != nil {
		form, again := c.administrator(v)
		if again != nil {
			return nil, again
		}
		return v.again(form, err)
	}
	return v.done(a.path(), "%s may sign in again.", a.Shown())
}

func (c *Console) askReset(v *visit) (*page, error) {
	a, err := c.findAdministrator(v)
	if err != nil {
		return nil, err
	}
	return &page{Title: "Reset an administrator", Up: link{a.path(), "Administrator"}, Template: "confirm", Data: confirm{
		Question: sentence("Do you want to take all ways in from this administrator?"), Of: a.Shown(), Do: sentence("Reset, and show a link"), To: a.path() + "/reset", Back: a.path(),
		Then: []sentence{
			sentence("Their passkeys, password, recovery codes and identity provider are of no use any more, and their sessions end."),
			sentence("You get a link to hand to them, by which they choose how to sign in."),
		},
	}}, nil
}

func (c *Console) reset(v *visit) (*page, error) {
	a, err := c.findAdministrator(v)
	if err != nil {
		return nil, err
	}
	invitation, err := c.directory.ResetAdministrator(v.Context(), v.actor(), a.ID.String())
	if err != nil {
		return nil, err
	}
	return invitationPage(invitation), nil
}

func (c *Console) endTheirSession(v *visit) (*page, error) {
	a, err := c.findAdministrator(v)
	if err != nil {
		return nil, err
	}
	session, err := uuid.Parse(v.PathValue("session"))
	if err != nil {
		return nil, api.Refuse(api.CodeNotFound, "%.60q is no id", v.PathValue("session"))
	}
	if err := c.directory.EndConsoleSession(v.Context(), v.actor(), a.ID.String(), session); err != nil {
		return nil, err
	}
	return v.done(a.path(), "The session has ended.")
}
