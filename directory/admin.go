package directory

import (
	"encoding/json"
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

// adminCalls are what the command line and the console are made of.
func (d *Directory) adminCalls(mux *http.ServeMux) {
	admin := func(pattern string, roles []api.Role, f func(r *http.Request, actor string) (any, error)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+api.PathAdmin+path, d.call(api.MaxMessage, func(r *http.Request) (any, error) {
			token, err := d.authorise(r, roles)
			if err != nil {
				return nil, err
			}
			return f(r, "token:"+token.Name)
		}))
	}
	admin("GET /whoami", everybody, func(r *http.Request, _ string) (any, error) { return d.authorise(r, everybody) })

	admin("POST /keys", minters, func(r *http.Request, actor string) (any, error) {
		n, err := read[api.NewConnectKey](r)
		if err != nil {
			return nil, err
		}
		return d.Mint(r.Context(), actor, *n)
	})
	admin("GET /keys", readers, func(r *http.Request, _ string) (any, error) { return list(d.Keys(r.Context())) })
	admin("GET /keys/{id}/uses", readers, byID(func(r *http.Request, id uuid.UUID, _ string) (any, error) {
		return list(d.KeyUses(r.Context(), id))
	}))
	admin("POST /keys/{id}/revoke", keepers, byID(func(r *http.Request, id uuid.UUID, actor string) (any, error) {
		return done, d.RevokeKey(r.Context(), actor, id)
	}))

	admin("GET /devices", readers, func(r *http.Request, _ string) (any, error) {
		q := r.URL.Query()
		return list(d.Devices(r.Context(), q.Get("afterName"), parseUUID(q.Get("after"))))
	})
	admin("GET /devices/{id}", readers, byID(func(r *http.Request, id uuid.UUID, _ string) (any, error) { return d.Device(r.Context(), id) }))
	admin("POST /devices/{id}/approve", keepers, byID(func(r *http.Request, id uuid.UUID, actor string) (any, error) {
		return done, d.ApproveDevice(r.Context(), actor, id)
	}))
	admin("POST /devices/{id}/remove", keepers, byID(func(r *http.Request, id uuid.UUID, actor string) (any, error) {
		return done, d.RemoveDevice(r.Context(), actor, id)
	}))

	admin("POST /devices/{id}/bind", keepers, byID(func(r *http.Request, id uuid.UUID, actor string) (any, error) {
		in, err := read[api.BindRequest](r)
		if err != nil {
			return nil, err
		}
		return done, d.Bind(r.Context(), actor, id, in.User)
	}))
	admin("POST /devices/{id}/unbind", keepers, byID(func(r *http.Request, id uuid.UUID, actor string) (any, error) {
		in, err := read[api.BindRequest](r)
		if err != nil {
			return nil, err
		}
		return done, d.Unbind(r.Context(), actor, id, in.User)
	}))
	admin("POST /devices/{id}/reveal", keepers, byID(func(r *http.Request, id uuid.UUID, actor string) (any, error) {
		in, err := read[api.RevealRequest](r)
		if err != nil {
			return nil, err
		}
		return list(d.Reveal(r.Context(), actor, id, in))
	}))

	admin("POST /users", keepers, func(r *http.Request, actor string) (any, error) {
		in, err := read[api.NewUsers](r)
		if err != nil {
			return nil, err
		}
		return list(d.CreateUsers(r.Context(), actor, in.Users))
	})
	admin("GET /users", readers, func(r *http.Request, _ string) (any, error) {
		return list(d.Users(r.Context(), r.URL.Query().Get("after")))
	})
	admin("GET /users/{user}", readers, func(r *http.Request, _ string) (any, error) {
		return d.FindUser(r.Context(), r.PathValue("user"))
	})
	admin("POST /users/{user}/disable", keepers, func(r *http.Request, actor string) (any, error) {
		return done, d.SetUserState(r.Context(), actor, r.PathValue("user"), api.UserDisabled)
	})
	admin("POST /users/{user}/enable", keepers, func(r *http.Request, actor string) (any, error) {
		return done, d.SetUserState(r.Context(), actor, r.PathValue("user"), api.UserActive)
	})
	admin("POST /users/{user}/reset", keepers, func(r *http.Request, actor string) (any, error) {
		return d.ResetUser(r.Context(), actor, r.PathValue("user"))
	})

	admin("GET /settings", readers, func(r *http.Request, _ string) (any, error) { return d.Settings(r.Context()) })
	admin("PUT /settings", owners, func(r *http.Request, actor string) (any, error) {
		s, err := read[api.VersionedSettings](r)
		if err != nil {
			return nil, err
		}
		return d.SetSettings(r.Context(), actor, s)
	})

	admin("POST /tokens", owners, func(r *http.Request, actor string) (any, error) {
		n, err := read[api.NewToken](r)
		if err != nil {
			return nil, err
		}
		return d.CreateToken(r.Context(), actor, *n)
	})
	admin("GET /tokens", auditors, func(r *http.Request, _ string) (any, error) { return list(d.Tokens(r.Context())) })
	admin("POST /tokens/{id}/revoke", owners, byID(func(r *http.Request, id uuid.UUID, actor string) (any, error) {
		return done, d.RevokeToken(r.Context(), actor, id)
	}))

	admin("GET /audit", auditors, func(r *http.Request, _ string) (any, error) {
		after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
		if err != nil && r.URL.Query().Get("after") != "" {
			return nil, api.Refuse(api.CodeBadRequest, "after is no number")
		}
		return list(d.auditPage(r.Context(), after))
	})
}

// done is the answer where there is nothing to say.
var done = json.RawMessage("{}")

// list is an answer of several, [] if there are none.
func list[T any](items []T, err error) (any, error) {
	if items == nil {
		items = []T{}
	}
	return map[string][]T{"items": items}, err
}

func byID(f func(r *http.Request, id uuid.UUID, actor string) (any, error)) func(*http.Request, string) (any, error) {
	return func(r *http.Request, actor string) (any, error) {
		id, err := uuid.Parse(r.PathValue("id"))
		if err != nil {
			return nil, api.Refuse(api.CodeBadRequest, "%.60q is no id", r.PathValue("id"))
		}
		return f(r, id, actor)
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
