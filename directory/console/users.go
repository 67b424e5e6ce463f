package console

import (
	"net/http"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/directory"
)

const pathUsers = Path + "users"

func (c *Console) userRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "users", roles: readers, serve: c.users},
		{method: http.MethodPost, path: "users", roles: keepers, serve: c.makeUser},
		{method: http.MethodGet, path: "users/new", roles: keepers, serve: c.newUser},
		{method: http.MethodGet, path: "users/import", roles: keepers, serve: c.askImport},
		{method: http.MethodPost, path: "users/import", roles: keepers, most: maxList, serve: c.checkImport},
		{method: http.MethodPost, path: "users/import/do", roles: keepers, most: 2 * maxList, serve: c.importUsers},
		{method: http.MethodGet, path: "users/{id}", roles: readers, serve: c.user},
		{method: http.MethodGet, path: "users/{id}/disable", roles: keepers, serve: c.askDisableUser},
		{method: http.MethodPost, path: "users/{id}/disable", roles: keepers, serve: c.disableUser},
		{method: http.MethodPost, path: "users/{id}/enable", roles: keepers, serve: c.enableUser},
		{method: http.MethodGet, path: "users/{id}/password", roles: keepers, fresh: true, serve: c.askResetUser},
		{method: http.MethodPost, path: "users/{id}/password", roles: keepers, fresh: true, serve: c.resetUser},
		{method: http.MethodGet, path: "users/{id}/factor", roles: keepers, fresh: true, serve: c.askResetFactor},
		{method: http.MethodPost, path: "users/{id}/factor", roles: keepers, fresh: true, serve: c.resetFactor},
		{method: http.MethodGet, path: "users/{id}/link", roles: keepers, fresh: true, serve: c.askLinkUser},
		{method: http.MethodPost, path: "users/{id}/link", roles: keepers, fresh: true, serve: c.linkUser},
		{method: http.MethodGet, path: "users/{id}/unlink", roles: keepers, fresh: true, serve: c.askUnlinkUser},
		{method: http.MethodPost, path: "users/{id}/unlink", roles: keepers, fresh: true, serve: c.unlinkUser},
	}
}

// shownUser is a user as pages show them.
type shownUser struct{ *api.User }

// Shown is how people call the user.
func (u shownUser) Shown() string {
	if u.FullName != "" {
		return u.FullName
	}
	return u.Name
}

// Badge is where they stand.
func (u shownUser) Badge() badge {
	switch {
	case u.State == api.UserDisabled:
		return badge{"plain", sentence("disabled")}
	case !u.LockedUntil.IsZero():
		return badge{"bad", sentence("locked")}
	}
	return badge{"good", sentence("active")}
}

func (u shownUser) path() string { return pathUsers + "/" + u.ID.String() }

// userPage is how many users a page shows.
const userPage = 100

type usersData struct {
	Users    []shownUser
	States   []choice
	Filtered bool
	Next     string
}

func (c *Console) users(v *visit) (*page, error) {
	q := api.UserQuery{Text: v.form("text"), State: api.UserState(v.form("state")), After: v.form("after"), Limit: userPage + 1}
	data := usersData{Filtered: q.Text != "" || q.State != "", States: []choice{{"", sentence("All")}, {string(api.UserActive), sentence("active")}, {string(api.UserDisabled), sentence("disabled")}}}
	p := &page{Title: "Users", Template: "users", Topics: []directory.Topic{directory.TopicUsers}}
	list, err := c.directory.SearchUsers(v.Context(), q)
	if len(list) > userPage {
		list = list[:userPage]
		data.Next = list[userPage-1].Name
	}
	for _, u := range list {
		data.Users = append(data.Users, shownUser{u})
	}
	p.Data = data
	return v.again(p, err)
}

var upToUsers = link{pathUsers, "Users"}

func (c *Console) newUser(*visit) (*page, error) {
	return &page{Title: "Add a user", Up: upToUsers, Template: "usernew"}, nil
}

func (c *Console) makeUser(v *visit) (*page, error) {
	form, _ := c.newUser(v)
	created, err := c.directory.CreateUsers(v.Context(), v.actor(), []api.NewUser{{Name: v.form("name"), Email: v.form("email"), FullName: v.form("fullName")}})
	if err != nil {
		return v.again(form, err)
	}
	return givenPassword(created[0]), nil
}

// givenPassword shows a temporary password, this once.
func givenPassword(u *api.CreatedUser) *page {
	return &page{Title: "The temporary password", Up: upToUsers, Template: "usergiven", Data: givenUser{shownUser{&u.User}, u}}
}

type givenUser struct {
	shownUser
	created *api.CreatedUser
}

// Secret is the password, to hand over.
func (g givenUser) Secret() string { return g.created.Password.Reveal() }

type userData struct {
	Who       shownUser
	Devices   []shownUserDevice
	SignIns   []*api.UserSignIn
	Providers bool // whether there is one to link to
}

// shownUserDevice is a device that somebody has or had.
type shownUserDevice struct{ *api.UserDevice }

// Badge is what the device is to them.
func (d shownUserDevice) Badge() badge { return bindingBadges[d.Binding.State] }

var bindingBadges = map[api.BindingState]badge{
	api.Bound:    {"good", sentence("theirs")},
	api.Awaiting: {"wait", sentence("waits for their sign-in")},
	api.Claimed:  {"wait", sentence("they are signing in")},
	api.Unbound:  {"plain", sentence("not theirs any more")},
}

func (c *Console) findUser(v *visit) (shownUser, error) {
	id, err := v.id()
	if err != nil {
		return shownUser{}, err
	}
	u, err := c.directory.FindUser(v.Context(), id.String())
	return shownUser{u}, err
}

func (c *Console) user(v *visit) (*page, error) {
	u, err := c.findUser(v)
	if err != nil {
		return nil, err
	}
	devices, err := c.directory.UserDevices(v.Context(), u.ID.String())
	if err != nil {
		return nil, err
	}
	data := userData{Who: u}
	for _, d := range devices {
		data.Devices = append(data.Devices, shownUserDevice{d})
	}
	if data.SignIns, err = c.directory.UserSignIns(v.Context(), u.ID.String()); err != nil {
		return nil, err
	}
	providers, err := c.directory.Providers(v.Context())
	if err != nil {
		return nil, err
	}
	data.Providers = len(providers) > 0
	return &page{Title: "User", Of: u.Shown(), Up: upToUsers, Template: "user", Data: data, Topics: []directory.Topic{directory.TopicUsers, directory.TopicDevices}}, nil
}

// askOf makes the page that asks before something is done to a user.
func (c *Console) askOf(v *visit, title sentence, verb string, ask confirm) (*page, error) {
	u, err := c.findUser(v)
	if err != nil {
		return nil, err
	}
	ask.Of, ask.To, ask.Back = u.Shown(), u.path()+"/"+verb, u.path()
	return &page{Title: title, Up: link{u.path(), "User"}, Template: "confirm", Data: ask}, nil
}

// doTo does something to the user, whose id says all.
func (c *Console) doTo(v *visit, do func(id uuid.UUID) error) (shownUser, error) {
	u, err := c.findUser(v)
	if err != nil {
		return u, err
	}
	return u, do(u.ID)
}
