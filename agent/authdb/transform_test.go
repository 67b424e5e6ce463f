package authdb

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// edit gives macOS 14's list with each old mechanism replaced by the new ones.
func edit(pairs ...any) []string {
	list := slices.Clone(sonoma)
	for i := 0; i < len(pairs); i += 2 {
		at := slices.Index(list, pairs[i].(string))
		list = slices.Replace(list, at, at+1, pairs[i+1].([]string)...)
	}
	return list
}

func swap(list ...string) []string { return list }

// write gives a definition with a list.
func write(t *testing.T, list []string) *Definition {
	t.Helper()
	var inner strings.Builder
	for _, m := range list {
		inner.WriteString(element(escaper.Replace(m)))
	}
	return parseText(t, document("<key>class</key><string>evaluate-mechanisms</string><key>mechanisms</key><array>"+inner.String()+"</array>"))
}

func TestReplacementsOfOthersAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		list   []string
		window string
	}{
		// The order is that of their installers, see testdata/README.md.
		"XCreds": {edit("builtin:policy-banner", swap("builtin:policy-banner", "XCredsLoginPlugin:UserSetup,privileged"),
			AppleUI, swap("XCredsLoginPlugin:LoginWindow", "XCredsLoginPlugin:PowerControl,privileged"),
			loginBegin, swap(loginBegin, "XCredsLoginPlugin:CreateUser,privileged"),
			"loginwindow:done", swap("loginwindow:done", "XCredsLoginPlugin:KeychainAdd,privileged", "XCredsLoginPlugin:EnableFDE,privileged", "XCredsLoginPlugin:LoginDone")),
			"XCredsLoginPlugin:LoginWindow"},
		"Jamf Connect 2":                 {edit(AppleUI, swap("JamfConnectLogin:Notify", "JamfConnectLogin:LoginUI", "JamfConnectLogin:PowerControl,privileged")), "JamfConnectLogin:LoginUI"},
		"Jamf Connect 1":                 {edit(AppleUI, swap("JamfConnectLogin:CheckAzure", "JamfConnectLogin:CheckOIDC", "JamfConnectLogin:PowerControl,privileged")), "JamfConnectLogin:CheckAzure"},
		"NoMAD Login":                    {edit(AppleUI, swap("NoMADLoginAD:CheckAD"), loginBegin, swap(loginBegin, "NoMADLoginAD:PowerControl,privileged", "NoMADLoginAD:CreateUser,privileged")), "NoMADLoginAD:CheckAD"},
		"NoMAD Login for Okta":           {edit(AppleUI, swap("NoMADLoginOkta:CheckOkta")), "NoMADLoginOkta:CheckOkta"},
		"JumpCloud":                      {edit(AppleUI, swap("jumpcloud-loginwindow:invoke")), "jumpcloud-loginwindow:invoke"},
		"a product that nobody knows":    {edit(AppleUI, swap("Acme:root,privileged", "Acme:window", "Acme:more")), "Acme:window"},
		"a known one beside Apple's":     {edit(AppleUI, swap(AppleUI, "XCredsLoginPlugin:LoginWindow")), "XCredsLoginPlugin:LoginWindow"},
		"a known one far away":           {append(edit(), "NoMADLoginAD:CheckAD"), "NoMADLoginAD:CheckAD"},
		"with a list that lacks a step":  {edit(AppleUI, swap("JamfConnectLogin:LoginUI"), "loginwindow:done", swap()), "JamfConnectLogin:LoginUI"},
		"with what was left of ours":     {edit(AppleUI, swap("JamfConnectLogin:LoginUI", Guard)), "JamfConnectLogin:LoginUI"},
		"with ours, by a product's hand": {edit(AppleUI, swap("JamfConnectLogin:LoginUI", UI, Guard)), "JamfConnectLogin:LoginUI"},
	} {
		t.Run(name, func(t *testing.T) {
			d := write(t, c.list)
			ours := slices.ContainsFunc(c.list, isOurs)
			if v := d.Judge(); v.State != Foreign || v.Window != c.window || v.NeedsBundle != ours {
				t.Errorf("%+v", v)
			}
			_, enabling := d.Enable()
			_, repairing := d.Repair()
			for _, err := range []error{enabling, repairing} {
				var foreign *ForeignError
				if !errors.As(err, &foreign) || foreign.Mechanism != c.window || !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), c.window) {
					t.Errorf("%v", err)
				}
			}
			// Theirs is the only window that stays: no second one is put beside it.
			want := slices.DeleteFunc(slices.Clone(c.list), isOurs)
			if diff := cmp.Diff(want, d.Disable().Mechanisms()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMechanismsOfOthersStay(t *testing.T) {
	for name, list := range map[string][]string{
		"Crypt":              edit("loginwindow:done", swap("Crypt:Check,privileged", "Crypt:CryptGUI", "Crypt:Enablement,privileged", "loginwindow:done")),
		"Crypt, long ago":    append(edit(), "Crypt:Check,privileged", "Crypt:CryptGUI", "Crypt:Enablement,privileged"),
		"Escrow Buddy":       edit("loginwindow:done", swap("Escrow Buddy:Invoke,privileged", "loginwindow:done")),
		"Jamf's Notify":      edit(AppleUI, swap("JamfConnectLogin:Notify", AppleUI)),
		"XCreds in its mode": edit(AppleUI, swap(AppleUI, "XCredsLoginPlugin:PowerControl,privileged"), "loginwindow:done", swap("loginwindow:done", "XCredsLoginPlugin:LoginDone")),
		"NoMAD's remains":    edit(loginBegin, swap("NoMADLoginAD:EULA", loginBegin)),
		"smart cards":        edit("builtin:policy-banner", swap("builtin:policy-banner", "builtin:smartcard-sniffer,privileged")),
		"a step of tomorrow": edit("builtin:login-success", swap("builtin:login-success", "TomorrowSSO:auth,privileged")),
		"the same twice":     edit("loginwindow:done", swap("Crypt:CryptGUI", "Crypt:CryptGUI", "loginwindow:done")),
		"a name like ours":   edit(AppleUI, swap("FirstdayLoginHelper:login", AppleUI)),
	} {
		t.Run(name, func(t *testing.T) {
			d := write(t, list)
			if v := d.Judge(); v.State != Apple || v.Window != AppleUI || v.NeedsBundle {
				t.Fatalf("%+v", v)
			}
			enabled, err := d.Enable()
			if err != nil {
				t.Fatal(err)
			}
			at := slices.Index(list, AppleUI)
			if diff := cmp.Diff(slices.Replace(slices.Clone(list), at, at+1, UI, Guard), enabled.Mechanisms()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(list, enabled.Disable().Mechanisms()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDamage(t *testing.T) {
	enabled := edit(AppleUI, swap(UI, Guard))
	for name, c := range map[string]struct {
		list     []string
		faults   []Fault
		repaired []string // nil: refused
	}{
		"no guard":                      {edit(AppleUI, swap(UI)), []Fault{{Kind: GuardMissing}}, sonoma},
		"no window, but the guard":      {edit(AppleUI, swap(Guard)), []Fault{{Kind: WindowMissing}, {Kind: GuardStray}}, sonoma},
		"Apple's came back beside ours": {edit(AppleUI, swap(AppleUI, UI, Guard)), []Fault{{WindowRepeated, UI}}, sonoma},
		"Apple's came back before it":   {slices.Insert(slices.Clone(enabled), 0, AppleUI), []Fault{{WindowRepeated, UI}}, append(swap(AppleUI), edit(AppleUI, swap())...)},
		"Apple's came back, guard left": {edit(AppleUI, swap(AppleUI, Guard)), []Fault{{Kind: GuardStray}}, sonoma},
		"the guard first":               {edit(AppleUI, swap(Guard, UI)), []Fault{{Kind: GuardMisplaced}}, sonoma},
		"the guard far before":          {edit(AppleUI, swap(Guard, "A:b", UI)), []Fault{{Kind: GuardMisplaced}}, edit(AppleUI, swap("A:b", AppleUI))},
		"somebody between":              {edit(AppleUI, swap(UI, "A:b", Guard)), []Fault{{Kind: GuardMisplaced}}, edit(AppleUI, swap(AppleUI, "A:b"))},
		"two guards":                    {edit(AppleUI, swap(UI, Guard, Guard)), []Fault{{Kind: GuardRepeated}}, sonoma},
		"ours twice":                    {edit(AppleUI, swap(UI, Guard, UI, Guard)), []Fault{{WindowRepeated, UI}, {Kind: GuardRepeated}}, sonoma},
		"Apple's twice":                 {edit(AppleUI, swap(AppleUI, AppleUI)), []Fault{{WindowRepeated, AppleUI}}, sonoma},
		"Apple's again at the end":      {append(edit(), AppleUI), []Fault{{WindowRepeated, AppleUI}}, sonoma},
		"no window":                     {edit(AppleUI, swap()), []Fault{{Kind: WindowMissing}}, sonoma},
		"no window, but a banner":       {edit(AppleUI, swap("Acme:root,privileged")), []Fault{{Kind: WindowMissing}}, edit(AppleUI, swap("Acme:root,privileged", AppleUI))},
		"nothing to put it before":      {edit(AppleUI, swap(), loginBegin, swap()), []Fault{{Kind: WindowMissing}}, nil},
		"after the password's check":    {append(edit(AppleUI, swap()), AppleUI), []Fault{{WindowMisplaced, AppleUI}}, sonoma},
		"ours after the check":          {append(edit(AppleUI, swap()), UI, Guard), []Fault{{WindowMisplaced, UI}}, sonoma},
		"of another version":            {edit(AppleUI, swap(UI, Guard), "loginwindow:done", swap("FirstdayLogin:late", "loginwindow:done")), []Fault{{UnknownMechanism, "FirstdayLogin:late"}}, sonoma},
		"ours as root":                  {edit(AppleUI, swap("FirstdayLogin:login,privileged")), []Fault{{Kind: WindowMissing}, {UnknownMechanism, "FirstdayLogin:login,privileged"}}, sonoma},
		"in small letters":              {edit(AppleUI, swap("firstdaylogin:login", Guard)), []Fault{{Kind: WindowMissing}, {UnknownMechanism, "firstdaylogin:login"}, {Kind: GuardStray}}, sonoma},
		"no check of the password":      {edit(authenticate, swap()), []Fault{{StepMissing, authenticate}}, nil},
		"ours without the check":        {edit(AppleUI, swap(UI, Guard), authenticate, swap()), []Fault{{StepMissing, authenticate}}, nil},
		"two checks":                    {edit(authenticate, swap(authenticate, authenticate)), []Fault{{StepRepeated, authenticate}}, nil},
		"the end before the check, too": {edit(authenticate, swap("loginwindow:done", authenticate)), []Fault{{StepRepeated, "loginwindow:done"}}, nil},
		"steps in another order":        {edit("loginwindow:success", swap(), authenticate, swap("loginwindow:success", authenticate)), []Fault{{StepMisplaced, "loginwindow:success"}}, nil},
		"nothing at all":                {nil, []Fault{{StepMissing, authenticate}, {StepMissing, "loginwindow:success"}, {StepMissing, "loginwindow:done"}, {Kind: WindowMissing}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := write(t, c.list)
			v := d.Judge()
			if diff := cmp.Diff(c.faults, v.Faults); diff != "" || v.State != Damaged || v.Window != "" {
				t.Fatalf("%+v %s", v, diff)
			}
			_, err := d.Enable()
			var damaged *DamagedError
			if !errors.As(err, &damaged) || !cmp.Equal(damaged.Faults, c.faults) || !strings.Contains(err.Error(), c.faults[0].String()) {
				t.Errorf("Enable: %v", err)
			}
			r, err := d.Repair()
			switch {
			case c.repaired == nil && !errors.Is(err, ErrDamaged):
				t.Errorf("Repair: %v", err)
			case c.repaired != nil && err != nil:
				t.Error(err)
			case c.repaired != nil:
				if diff := cmp.Diff(c.repaired, r.Mechanisms()); diff != "" {
					t.Error(diff)
				}
			}
			off := d.Disable()
			if off.Judge().NeedsBundle || !v.NeedsBundle && off != d || v.NeedsBundle && windowsOf(off) != 1 {
				t.Errorf("Disable: %q", off.Mechanisms())
			}
		})
	}
}

func TestRightOfAnotherClass(t *testing.T) {
	for _, text := range []string{
		document("<key>class</key><string>allow</string>"),
		document("<key>class</key><string>rule</string><key>rule</key><array><string>default</string></array>"),
		document("<key>class</key><integer>1</integer>"),
		document(""),
		document("<key>class</key><string>user</string><key>mechanisms</key><array><string>" + strings.Join(sonoma, "</string><string>") + "</string></array>"),
	} {
		d := parseText(t, text)
		v := d.Judge()
		if v.State != Damaged || v.Faults[0].Kind != BadClass {
			t.Errorf("%s: %+v", text, v)
		}
		if _, err := d.Enable(); !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
		if _, err := d.Repair(); !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
		if d.Disable() != d {
			t.Error("Disable changed what is not ours")
		}
	}
}
