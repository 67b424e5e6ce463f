package window

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/signin"
)

// said is what a page says, in the order in which it is read.
func said(p *page) (all []string) {
	for _, b := range arrange(p, 1920, 1080, 96, wordy).boxes {
		all = append(all, b.id+"="+b.text)
	}
	return all
}

func TestPages(t *testing.T) {
	device := []string{"device.label=This device", "device=ACME-LAPTOP-0042", "device.detail=Latitude 7450 · Serial number 5CG1234XYZ"}
	words := []string{"text=Questions? Call IT: 4711.", "help=Help: https://help.acme.example/first-day"}
	header := []string{"title=Sign in with Acme", "message=" + languages["English"].message}
	left := []string{"left.label=Time left", "left=9:58"}
	online := []string{"network.label=Connection", "network=Connected"}
	for state, want := range map[signin.State][][]string{
		signin.Starting: {header, left, online, device, words, {"button.cancel=Cancel"}},
		signin.Waiting: {
			header, {"picture=QR code. Or open https://id.acme.example/signin and type BCDF-GHJK.", "address.label=Address", "address=https://id.acme.example/signin", "code.label=Code", "code=BCDF-GHJK"},
			left, online, device, words, {"button.cancel=Cancel"},
		},
		signin.Number: {header, {"field.label=Number", "field="}, left, online, device, words, {"button.submit=Next", "button.cancel=Cancel"}},
		signin.Failed: {header, {"reason.label=Error code", "reason=signin_denied"}, online, device, words, {"button.close=Close"}},
	} {
		var lines []string
		for _, part := range want {
			lines = append(lines, part...)
		}
		if diff := cmp.Diff(lines, said(newPage(screenIn("English", state), noon))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", state, diff)
		}
	}
}

func TestPageWithoutNetwork(t *testing.T) {
	s := screenIn("English", signin.Waiting)
	s.Online = false
	if f := newPage(s, noon).fact(factNetwork); f.value != wordOffline || f.look != lookOffline {
		t.Errorf("%+v", f)
	}
}

// Half an address leads nowhere, or elsewhere.
func TestPageLeavesOutWhatIsOfNoUseInPart(t *testing.T) {
	s := screenIn("English", signin.Waiting)
	s.URI, s.Help = "https://acme.example/"+strings.Repeat("x", maxAddress), "https://acme.example/"+strings.Repeat("y", maxAddress)
	p := newPage(s, noon)
	if p.help != "" || p.fact(factAddress) != nil {
		t.Errorf("%q, %+v", p.help, p.facts)
	}
}

// A text cannot turn the window round or hide what follows.
func TestPageShowsWhatDoesNotPrint(t *testing.T) {
	s := screenIn("English", signin.Waiting)
	s.Title = "Sign\u202e in\n"
	if p := newPage(s, noon); p.title != `Sign\u202e in\n` || p.rtl {
		t.Errorf("%q", p.title)
	}
}

func TestTimeLeft(t *testing.T) {
	for left, want := range map[time.Duration]string{
		-time.Hour: "0:00", 0: "0:00", 9 * time.Second: "0:09", 598 * time.Second: "9:58", 90 * time.Minute: "1:30:00", 1499 * time.Millisecond: "0:01",
	} {
		if got := timeLeft(noon.Add(left), noon); got != want {
			t.Errorf("%v: %s, want %s", left, got, want)
		}
	}
}
