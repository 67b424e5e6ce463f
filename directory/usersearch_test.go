package directory

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"firstday.dev/api"
)

func TestSearchUsers(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		if _, err := d.CreateUsers(t.Context(), "token:ann", []api.NewUser{
			{Name: "ann", Email: "ann@acme.example", FullName: "Ann Example"},
			{Name: "oemer", Email: "oemer@acme.example", FullName: "Ömer Yılmaz"},
			{Name: "mia_m", FullName: "MIA MÜLLER"},
			{Name: "zoe", Email: "zoe@other.example", FullName: "Zoë 100%"},
		}); err != nil {
			t.Fatal(err)
		}
		if err := d.SetUserState(t.Context(), "token:ann", "zoe", api.UserDisabled); err != nil {
			t.Fatal(err)
		}
		for name, test := range map[string]struct {
			q    api.UserQuery
			want []string
		}{
			"all":                  {api.UserQuery{}, []string{"ann", "mia_m", "oemer", "zoe"}},
			"a page":               {api.UserQuery{After: "ann", Limit: 2}, []string{"mia_m", "oemer"}},
			"a name":               {api.UserQuery{Text: "ANN"}, []string{"ann"}},
			"an address":           {api.UserQuery{Text: "@acme"}, []string{"ann", "oemer"}},
			"two words":            {api.UserQuery{Text: " example  ann "}, []string{"ann"}},
			"a capital, typed low": {api.UserQuery{Text: "ömer"}, []string{"oemer"}},
			"all capitals":         {api.UserQuery{Text: "müller"}, []string{"mia_m"}},
			"typed in capitals":    {api.UserQuery{Text: "ZOË"}, []string{"zoe"}},
			"disabled":             {api.UserQuery{State: api.UserDisabled}, []string{"zoe"}},
			"active with words":    {api.UserQuery{Text: "z", State: api.UserActive}, []string{"oemer"}},
			"no pattern":           {api.UserQuery{Text: "%"}, []string{"zoe"}},
			"no pattern either":    {api.UserQuery{Text: "_"}, []string{"mia_m"}},
			"nobody":               {api.UserQuery{Text: `\'";--`}, nil},
		} {
			list, err := d.SearchUsers(t.Context(), test.q)
			var got []string
			for _, u := range list {
				got = append(got, u.Name)
			}
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%s: %v\n%s", name, err, diff)
			}
		}
		for _, q := range []api.UserQuery{{Text: strings.Repeat("a", 201)}, {Text: "a\x00"}, {Text: "a b c d e f g h i"}, {State: "gone"}, {After: "\xff"}} {
			if _, err := d.SearchUsers(t.Context(), q); !errors.Is(err, api.CodeBadRequest) {
				t.Errorf("%.20v: %v", q, err)
			}
		}
	})
}

// Users of an older version are found, too.
func TestSearchFindsUsersOfBefore(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		if _, err := d.CreateUsers(t.Context(), "token:ann", []api.NewUser{{Name: "oemer", FullName: "Ömer"}}); err != nil {
			t.Fatal(err)
		}
		if err := d.change(t.Context(), func(tx *transaction) error { _, err := tx.exec(`UPDATE users SET words = ''`); return err }); err != nil {
			t.Fatal(err)
		}
		if err := d.fillUsers(t.Context()); err != nil {
			t.Fatal(err)
		}
		if list, err := d.SearchUsers(t.Context(), api.UserQuery{Text: "ömer"}); err != nil || len(list) != 1 {
			t.Errorf("%d, %v", len(list), err)
		}
	})
}

// A user's sign-ins are told wherever they were, those that came to nothing, too.
func TestUserSignIns(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		created, err := d.CreateUsers(t.Context(), "token:ann", []api.NewUser{{Name: "ann"}, {Name: "bob"}})
		if err != nil {
			t.Fatal(err)
		}
		k := mint(t, d, api.NewConnectKey{})
		e := enroll(t, d, newLaptop(t, "S1"), k.Secret)
		d.noteTry(t.Context(), e.DeviceID, &created[0].User, "192.0.2.9", api.Refuse(api.CodeSlotTaken, "1 of 1 slots"))
		d.noteTry(t.Context(), e.DeviceID, &created[1].User, "192.0.2.9", api.Refuse(api.CodeUserDisabled, "user bob"))
		if err := d.change(t.Context(), func(tx *transaction) error { return tx.signInEvent(e.DeviceID, created[0].ID, "") }); err != nil {
			t.Fatal(err)
		}
		got, err := d.UserSignIns(t.Context(), "ann")
		if err != nil || len(got) != 2 || got[0].Code != "" || got[1].Code != api.CodeSlotTaken || got[0].Device != e.DeviceID || got[0].Time.IsZero() || got[0].Platform != api.Windows {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := d.UserSignIns(t.Context(), "nobody"); !errors.Is(err, api.CodeNotFound) {
			t.Errorf("nobody: %v", err)
		}
	})
}

func TestMissingUnits(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		o := order(t, d, api.NewOrder{PO: "PO-1", Quantity: 3, Serials: []string{"S1", "S2", "S3"}})
		k := mint(t, d, api.NewConnectKey{OrderID: o.ID})
		enroll(t, d, newLaptop(t, "S2"), k.Secret)
		list, err := d.MissingUnits(t.Context(), o.ID, "")
		var got []string
		for _, u := range list {
			got = append(got, u.Serial)
		}
		if diff := cmp.Diff([]string{"S1", "S3"}, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		if now, err := d.Order(t.Context(), o.ID); err != nil || now.Used != 1 || now.PO != "PO-1" {
			t.Errorf("%+v, %v", now, err)
		}
		if _, err := d.Order(t.Context(), uuid.New()); !errors.Is(err, api.CodeNotFound) {
			t.Errorf("no order: %v", err)
		}
	})
}

// A list of users that is on its way through a browser is of use to nobody else.
func TestSealedImport(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		mine, list := uuid.New(), "name,password\nann,correct horse battery\n"
		sealed := replicas[0].SealImport(mine, []byte(list))
		if strings.Contains(sealed, "horse") {
			t.Error("it can be read")
		}
		got, err := replicas[len(replicas)-1].OpenImport(mine, sealed)
		if err != nil || string(got) != list {
			t.Errorf("%q, %v", got, err)
		}
		for name, other := range map[string]string{"nothing": "", "another alphabet": "?", "cut": sealed[:len(sealed)-4], "changed": "AAAA" + sealed[4:]} {
			if _, err := replicas[0].OpenImport(mine, other); !errors.Is(err, api.CodeBadRequest) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := replicas[0].OpenImport(uuid.New(), sealed); !errors.Is(err, api.CodeBadRequest) {
			t.Errorf("in another session: %v", err)
		}
	})
}

// Looking for somebody among many does not take long.
func BenchmarkSearchUsers(b *testing.B) {
	d := open(b, b.TempDir(), "")
	for range 10 {
		list := make([]api.NewUser, maxImport)
		for i := range list {
			id := uuid.NewString()
			list[i] = api.NewUser{Name: id, Email: id + "@acme.example", FullName: fmt.Sprintf("Ömer Example %d", i)}
		}
		if _, err := d.CreateUsers(b.Context(), "token:ann", list); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for range b.N {
		if _, err := d.SearchUsers(b.Context(), api.UserQuery{Text: "ömer nobody"}); err != nil {
			b.Fatal(err)
		}
	}
}
