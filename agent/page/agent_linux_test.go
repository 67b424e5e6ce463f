package page

import (
	"context"
	"net"
	"os"
	"testing"

	"firstday.dev/agent/local"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/internal/testmac"
)

// Who has no mouse comes from the login window to an account, with nobody between the
// page and the agent, which is a process of its own: what it tells of networks, people
// and the Mac is its own, too.
func TestLoginWindowOfTheAgent(t *testing.T) {
	s := newSight(t)
	directory := testdirectory.New(t)
	directory.Change(func(s *api.Settings) { s.MacOS.Password = api.VerifyPassword })
	ann := directory.MustHire("ann")
	device := testmac.New(t, testmac.Build(t), "C02KEYBOARD")
	device.Script("/sbin/shutdown", `echo "$*" >'`+device.Path("shutdown")+`'`)
	device.Install(directory.At, directory.MustMint(api.NewConnectKey{}))
	device.Start()
	device.There("/var/run/firstday/agent.sock")
	w := s.shows(t, &Host{Surface: "login-window", Dial: func(ctx context.Context) (net.Conn, error) { return local.Connect(ctx, device.Socket()) }})

	w.See("Sign in with Acme")
	w.tab("#info")
	w.Key("\r")
	w.See("C02KEYBOARD")
	w.See(testmac.Version)
	w.Key("\x1b")
	w.tab("#network")
	w.Key("\r")
	w.See("This Mac has no Wi-Fi.")
	w.Key("\x1b")
	w.tab("#refresh")
	w.Key("\r")
	w.See("The directory was asked just now; this device is up to date.")
	w.tab("#restart")
	w.Key("\r")
	w.See("Restart this Mac?")
	w.tab("#panel .primary")
	w.Key("\r")
	w.See("One moment.")
	device.There("shutdown")
	if asked, err := os.ReadFile(device.Path("shutdown")); err != nil || string(asked) != "-r now\n" {
		t.Errorf("macOS is asked %q, %v", asked, err)
	}
	w.Key("\x1b")

	w.tab("button[value=start]")
	w.Key("\r")
	w.wished(Show)
	w.tab("#visit button[value=elsewhere]")
	w.Key("\r")
	w.wished(Shut)
	w.See("Point the camera")
	number, err := ann.SignIn(t.Context(), directory.At, seenBy(t, w.Picture()))
	if err != nil {
		t.Fatal(err)
	}
	w.tab("input[name=number]")
	w.Key("1000\r")
	w.See("That is not the number")
	w.tab("input[name=number]")
	w.Key(number + "\r")
	w.tab("input[name=password]")
	w.Key("100% wrong\r")
	w.See(api.Explain(api.CodeCredentials).Employee)
	w.tab("input[name=password]")
	w.Key(ann.Password + "\r")
	logon, err := w.ends()
	if err != nil || logon.Name != "ann" || string(logon.Password) != ann.Password || !device.Accounts().CheckPassword("ann", ann.Password) {
		t.Errorf("%+v, %v", logon, err)
	}
	device.Kill()
	for _, typed := range []string{ann.Password, "100% wrong", "100%25 wrong"} {
		if where := device.Holds(typed); where != "" {
			t.Error(where)
		}
	}
	s.Content()
}
