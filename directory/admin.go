package directory

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// Who may do what.
var (
	everybody = []api.Role{api.Owner, api.Technician, api.Auditor, api.Builder}
	readers   = []api.Role{api.Owner, api.Technician, api.Auditor}
	auditors  = []api.Role{api.Owner, api.Auditor}
	keepers   = []api.Role{api.Owner, api.Technician}
	minters   = []api.Role{api.Owner, api.Technician, api.Builder}
	owners    = []api.Role{api.Owner}
)

// adminRoutes are what the command line and the console are made of.
func (d *Directory) adminRoutes() []route {
	return slices.Concat(d.keyRoutes(), d.orderRoutes(), d.fleetRoutes(), d.userRoutes(), d.providerRoutes(), d.packageRoutes(), d.administratorRoutes(), d.officeRoutes())
}

func (d *Directory) keyRoutes() []route {
	return []route{
		admin(d, "POST /keys", "Mint a connect key", minters, func(c *caller, in *api.NewConnectKey) (*api.MintedConnectKey, error) {
			return d.Mint(c.Context(), c.actor, *in)
		}),
		admin(d, "GET /keys?before", "List connect keys, the newest first, a page of those before the one named", readers, func(c *caller, _ *none) (*listOf[*api.ConnectKey], error) {
			return list(d.Keys(c.Context(), parseUUID(c.URL.Query().Get("before"))))
		}),
		admin(d, "GET /keys/{id}/uses", "List the attempts to use a connect key, the last one first", readers, func(c *caller, _ *none) (*listOf[api.ConnectKeyUse], error) {
			return list(d.KeyUses(c.Context(), c.id))
		}),
		admin(d, "GET /refusals?key&before", "List the attempts that connect keys were of no use to, the last first, a page of those before the one named; of one key or all", readers, func(c *caller, _ *none) (*listOf[*api.KeyRefusal], error) {
			q := c.URL.Query()
			return list(d.KeyRefusals(c.Context(), parseUUID(q.Get("key")), parseUUID(q.Get("before"))))
		}),
		admin(d, "POST /keys/{id}/revoke", "End a connect key", keepers, func(c *caller, _ *none) (*none, error) {
			return new(none), d.RevokeKey(c.Context(), c.actor, c.id)
		}),
	}
}

func (d *Directory) orderRoutes() []route {
	return []route{
		admin(d, "POST /orders", "Make an order, the one quota of the connect keys that are minted for it", minters, func(c *caller, in *api.NewOrder) (*api.Order, error) {
			return d.CreateOrder(c.Context(), c.actor, *in)
		}),
		admin(d, "GET /orders?po&before", "List orders, the newest first, a page of those before the one named", readers, func(c *caller, _ *none) (*listOf[*api.Order], error) {
			q := c.URL.Query()
			return list(d.Orders(c.Context(), q.Get("po"), parseUUID(q.Get("before"))))
		}),
		admin(d, "GET /orders/{id}/units?after", "List what an order expects and what came, a page of those after the unit named", readers, func(c *caller, _ *none) (*listOf[*api.OrderUnit], error) {
			return list(d.OrderUnits(c.Context(), c.id, c.URL.Query().Get("after")))
		}),
		admin(d, "GET /orders/{id}/refusals?serial&code", "List what an order's keys were refused for, a page of what follows the serial number and code named", readers, func(c *caller, _ *none) (*listOf[*api.OrderRefusal], error) {
			q := c.URL.Query()
			return list(d.OrderRefusals(c.Context(), c.id, q.Get("serial"), q.Get("code")))
		}),
		admin(d, "GET /orders/{id}/progress?step", "Tell how an order's devices came over time, by hour or day", readers, func(c *caller, _ *none) (*api.OrderProgress, error) {
			return d.OrderProgress(c.Context(), c.id, api.ProgressStep(cmp.Or(c.URL.Query().Get("step"), string(api.ByDay))))
		}),
		admin(d, "POST /orders/{id}/close", "End an order and its connect keys; a builder may do so if it made the order and nobody came", minters, func(c *caller, _ *none) (*none, error) {
			if c.token.Role == api.Builder {
				return new(none), d.WithdrawOrder(c.Context(), c.actor, c.id)
			}
			return new(none), d.CloseOrder(c.Context(), c.actor, c.id)
		}),
	}
}

func (d *Directory) fleetRoutes() []route {
	return []route{
		admin(d, "GET /devices?text&platform&state&order&package&key&batch&tag&problem&happened&since&sort&descending&cursor&limit&afterName&after", "Search devices, a page of those after the cursor; or list all by name, a page of those after the one named", readers, func(c *caller, _ *none) (*api.DevicePage, error) {
			return d.deviceList(c)
		}),
		admin(d, "GET /overview", "Tell how the devices stand, and what ends soon", readers, func(c *caller, _ *none) (*api.Overview, error) {
			return d.Overview(c.Context())
		}),
		admin(d, "POST /devices/bulk", "Do the same to many devices", keepers, func(c *caller, in *api.BulkRequest) (*listOf[*api.BulkResult], error) {
			return list(d.BulkDevices(c.Context(), c.actor, in))
		}),
		admin(d, "GET /devices/{id}", "Show a device", readers, func(c *caller, _ *none) (*api.Device, error) {
			return d.Device(c.Context(), c.id)
		}),
		admin(d, "POST /devices/{id}/approve", "Let a device in that waits", keepers, func(c *caller, _ *none) (*none, error) {
			return new(none), d.ApproveDevice(c.Context(), c.actor, c.id)
		}),
		admin(d, "POST /devices/{id}/remove", "End a device's enrolment", keepers, func(c *caller, _ *none) (*none, error) {
			return new(none), d.RemoveDevice(c.Context(), c.actor, c.id)
		}),
		admin(d, "POST /devices/{id}/bind", "Give a user the device", keepers, func(c *caller, in *api.BindRequest) (*none, error) {
			return new(none), d.Bind(c.Context(), c.actor, c.id, in.User)
		}),
		admin(d, "POST /devices/{id}/unbind", "Take the device from a user", keepers, func(c *caller, in *api.BindRequest) (*none, error) {
			return new(none), d.Unbind(c.Context(), c.actor, c.id, in.User)
		}),
		admin(d, "POST /devices/{id}/reveal", "Give the break-glass password, sealed", keepers, func(c *caller, in *api.RevealRequest) (*listOf[api.Escrow], error) {
			return list(d.Reveal(c.Context(), c.actor, c.id, in))
		}),
		admin(d, "GET /devices/{id}/events?before", "List what happened to a device, the last first, a page of what came before the number", readers, func(c *caller, _ *none) (*listOf[*api.DeviceEvent], error) {
			before, err := queryNumber(c, "before")
			if err != nil {
				return nil, err
			}
			return list(d.DeviceEvents(c.Context(), c.id, before))
		}),
		admin(d, "POST /devices/{id}/ssap", "Switch the sign-in off on a device, or on again", keepers, func(c *caller, in *api.SSAPRequest) (*none, error) {
			return new(none), d.SetDeviceSSAP(c.Context(), c.actor, c.id, in.Off)
		}),
	}
}

// deviceList gives a page of devices: also to those who ask as before there was a
// search.
func (d *Directory) deviceList(c *caller) (*api.DevicePage, error) {
	v := c.URL.Query()
	if v.Has("after") || v.Has("afterName") {
		items, err := list(d.Devices(c.Context(), v.Get("afterName"), parseUUID(v.Get("after"))))
		return &api.DevicePage{Items: items.Items, Total: len(items.Items), AtLeast: true}, err
	}
	q, err := api.ParseDeviceQuery(v)
	if err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	return d.SearchDevices(c.Context(), *q)
}

// queryNumber reads a number from a call's address; 0: there is none.
func queryNumber(c *caller, name string) (int64, error) {
	text := c.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, api.Refuse(api.CodeBadRequest, "%s is no number", name)
	}
	return n, nil
}

func (d *Directory) userRoutes() []route {
	return []route{
		admin(d, "POST /users", "Make users, all of them or none", keepers, func(c *caller, in *api.NewUsers) (*listOf[*api.CreatedUser], error) {
			return list(d.CreateUsers(c.Context(), c.actor, in.Users))
		}),
		admin(d, "POST /users/check", "Tell what making users would come to, and make none", keepers, func(c *caller, in *api.NewUsers) (*listOf[*api.UserCheck], error) {
			return list(d.CheckUsers(c.Context(), in.Users))
		}),
		admin(d, "GET /users?after&text&state", "List users by name, a page of those after the one named; those that have the words of a text, or a state", readers, func(c *caller, _ *none) (*listOf[*api.User], error) {
			q := c.URL.Query()
			return list(d.SearchUsers(c.Context(), api.UserQuery{Text: q.Get("text"), State: api.UserState(q.Get("state")), After: q.Get("after")}))
		}),
		admin(d, "GET /users/{user}", "Show a user, named by id, name or e-mail address", readers, func(c *caller, _ *none) (*api.User, error) {
			return d.FindUser(c.Context(), c.PathValue("user"))
		}),
		admin(d, "POST /users/{user}/disable", "Let a user sign in no more", keepers, func(c *caller, _ *none) (*none, error) {
			return new(none), d.SetUserState(c.Context(), c.actor, c.PathValue("user"), api.UserDisabled)
		}),
		admin(d, "POST /users/{user}/enable", "Let a disabled user sign in again", keepers, func(c *caller, _ *none) (*none, error) {
			return new(none), d.SetUserState(c.Context(), c.actor, c.PathValue("user"), api.UserActive)
		}),
		admin(d, "POST /users/{user}/reset", "Give a user a temporary password", keepers, func(c *caller, _ *none) (*api.CreatedUser, error) {
			return d.ResetUser(c.Context(), c.actor, c.PathValue("user"))
		}),
		admin(d, "POST /users/{user}/reset-factors", "Take a user's second factor and recovery codes away", keepers, func(c *caller, _ *none) (*api.User, error) {
			return d.ResetFactors(c.Context(), c.actor, c.PathValue("user"))
		}),
		admin(d, "GET /users/{user}/devices", "List the devices that a user has or had", readers, func(c *caller, _ *none) (*listOf[*api.UserDevice], error) {
			return list(d.UserDevices(c.Context(), c.PathValue("user")))
		}),
		admin(d, "GET /users/{user}/sign-ins", "List what became of a user's last sign-ins on devices", readers, func(c *caller, _ *none) (*listOf[*api.UserSignIn], error) {
			return list(d.UserSignIns(c.Context(), c.PathValue("user")))
		}),
		admin(d, "POST /users/{user}/link", "Let a user sign in with an identity provider", keepers, func(c *caller, in *api.UserLink) (*api.User, error) {
			return d.LinkUser(c.Context(), c.actor, c.PathValue("user"), in)
		}),
		admin(d, "POST /users/{user}/unlink", "Let a user sign in with a password of the directory again, a temporary one", keepers, func(c *caller, _ *none) (*api.CreatedUser, error) {
			return d.UnlinkUser(c.Context(), c.actor, c.PathValue("user"))
		}),
	}
}

func (d *Directory) providerRoutes() []route {
	return []route{
		admin(d, "POST /providers", "Let people sign in with an OpenID Connect provider", owners, func(c *caller, in *api.NewProvider) (*api.Provider, error) {
			return d.CreateProvider(c.Context(), c.actor, in)
		}),
		admin(d, "GET /providers", "List identity providers by id", readers, func(c *caller, _ *none) (*listOf[*api.Provider], error) {
			return list(d.Providers(c.Context()))
		}),
		admin(d, "GET /providers/{provider}", "Show an identity provider", readers, func(c *caller, _ *none) (*api.Provider, error) {
			return d.Provider(c.Context(), c.PathValue("provider"))
		}),
		admin(d, "POST /providers/{provider}/test", "Find out whether people can sign in with an identity provider", keepers, func(c *caller, _ *none) (*listOf[api.ProviderCheck], error) {
			return list(d.TestProvider(c.Context(), c.PathValue("provider")))
		}),
		admin(d, "POST /providers/{provider}/remove", "Let nobody sign in with an identity provider any more; its users stay", owners, func(c *caller, _ *none) (*none, error) {
			return new(none), d.RemoveProvider(c.Context(), c.actor, c.PathValue("provider"))
		}),
	}
}

func (d *Directory) administratorRoutes() []route {
	return []route{
		admin(d, "POST /administrators", "Give a link by which somebody becomes an administrator", owners, func(c *caller, in *api.NewAdministrator) (*api.Invitation, error) {
			return d.InviteAdministrator(c.Context(), c.actor, *in)
		}),
		admin(d, "GET /administrators", "List administrators by name", auditors, func(c *caller, _ *none) (*listOf[*api.Admin], error) {
			return list(d.Administrators(c.Context()))
		}),
		admin(d, "GET /administrators/{administrator}", "Show an administrator, named by id or name", auditors, func(c *caller, _ *none) (*api.Admin, error) {
			return d.FindAdministrator(c.Context(), c.PathValue("administrator"))
		}),
		admin(d, "POST /administrators/{administrator}/role", "Give an administrator another role; their sessions end", owners, func(c *caller, in *api.NewRole) (*none, error) {
			return new(none), d.SetAdministratorRole(c.Context(), c.actor, c.PathValue("administrator"), in.Role)
		}),
		admin(d, "POST /administrators/{administrator}/disable", "Let an administrator sign in no more; their sessions end", owners, func(c *caller, _ *none) (*none, error) {
			return new(none), d.DisableAdministrator(c.Context(), c.actor, c.PathValue("administrator"))
		}),
		admin(d, "POST /administrators/{administrator}/enable", "Let a disabled administrator sign in again", owners, func(c *caller, _ *none) (*none, error) {
			return new(none), d.EnableAdministrator(c.Context(), c.actor, c.PathValue("administrator"))
		}),
		admin(d, "POST /administrators/{administrator}/reset", "Take all ways in from an administrator, and give a link by which they choose others", owners, func(c *caller, _ *none) (*api.Invitation, error) {
			return d.ResetAdministrator(c.Context(), c.actor, c.PathValue("administrator"))
		}),
		admin(d, "GET /administrators/{administrator}/sessions", "List an administrator's sessions in the console, those used last first", auditors, func(c *caller, _ *none) (*listOf[*api.ConsoleSession], error) {
			return list(d.ConsoleSessions(c.Context(), c.PathValue("administrator")))
		}),
		admin(d, "POST /administrators/{administrator}/sign-out", "End all sessions of an administrator in the console", owners, func(c *caller, _ *none) (*none, error) {
			return new(none), d.EndConsoleSessions(c.Context(), c.actor, c.PathValue("administrator"), uuid.Nil)
		}),
	}
}

func (d *Directory) officeRoutes() []route {
	return []route{
		admin(d, "GET /whoami", "Show whose token it is", everybody, func(c *caller, _ *none) (*api.Token, error) { return c.token, nil }),
		admin(d, "GET /settings", "Show the settings", readers, func(c *caller, _ *none) (*api.VersionedSettings, error) {
			return d.Settings(c.Context())
		}),
		admin(d, "GET /settings/history?before", "List the changes of the settings, the last first, a page of those before the revision", readers, func(c *caller, _ *none) (*listOf[*api.SettingsChange], error) {
			before, err := queryNumber(c, "before")
			if err != nil {
				return nil, err
			}
			return list(d.SettingsHistory(c.Context(), before))
		}),
		admin(d, "POST /settings/revert", "Go back to the settings of an earlier revision", owners, func(c *caller, in *api.RevertRequest) (*api.VersionedSettings, error) {
			return d.RevertSettings(c.Context(), c.actor, in)
		}),
		admin(d, "PUT /settings", "Replace the settings of the revision named", owners, func(c *caller, in *api.VersionedSettings) (*api.VersionedSettings, error) {
			return d.SetSettings(c.Context(), c.actor, in)
		}),
		admin(d, "POST /tokens", "Make a token", owners, func(c *caller, in *api.NewToken) (*api.CreatedToken, error) {
			return d.CreateToken(c.Context(), c.actor, *in)
		}),
		admin(d, "GET /tokens", "List tokens, the newest first", auditors, func(c *caller, _ *none) (*listOf[api.Token], error) {
			return list(d.Tokens(c.Context()))
		}),
		admin(d, "POST /tokens/{id}/revoke", "End a token", owners, func(c *caller, _ *none) (*none, error) {
			return new(none), d.RevokeToken(c.Context(), c.actor, c.id)
		}),
		admin(d, "GET /audit?after", "List the audit log, a page of what follows the number", auditors, func(c *caller, _ *none) (*listOf[api.AuditEntry], error) {
			after, err := queryNumber(c, "after")
			if err != nil {
				return nil, err
			}
			return list(d.auditPage(c.Context(), after))
		}),
	}
}

// authorise tells who sends a request, and refuses those who may not.
func (d *Directory) authorise(r *http.Request, roles []api.Role) (*api.Token, error) {
	secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil, api.Refuse(api.CodeUnauthorized, "the request came without a token")
	}
	token, err := d.who(r.Context(), api.Secret(secret))
	if err != nil {
		return nil, d.strangers.wrongToken(r, err)
	}
	if !slices.Contains(roles, token.Role) {
		return nil, api.Refuse(api.CodeForbidden, "the role %s may not; %v may", token.Role, roles)
	}
	return token, nil
}
