package agent_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"firstday.dev/agent/signin"
)

// process is a victim, which lives in one process after the other.
type process struct {
	office       *office
	dir, address string // see TestVictim

	mu    sync.Mutex
	cmd   *exec.Cmd
	input io.WriteCloser
	shown signin.Screen
	ended bool
}

// start starts a victim: the directory where it has an address, else an agent.
func (o *office) start(dir, address string) *process {
	p := &process{office: o, dir: dir, address: address}
	p.begin()
	o.victims.Lock()
	defer o.victims.Unlock()
	if address != "" {
		o.victims.directory = p
	} else {
		o.victims.agents[p] = true
	}
	return p
}

// begin needs the lock, or a process that nobody knows.
func (p *process) begin() {
	t := p.office.t
	p.cmd = exec.Command(os.Args[0], "-test.run=^TestVictim$", "-test.timeout=0")
	p.cmd.Env = append(os.Environ(), victimFolder+"="+p.dir, victimAddress+"="+p.address)
	p.cmd.Stderr = os.Stderr
	var out io.Reader = strings.NewReader("")
	var err error
	if p.address != "" {
		p.cmd.Stdout = os.Stderr
	} else {
		out, err = p.cmd.StdoutPipe()
	}
	if err == nil {
		p.input, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Errorf("starting a victim: %v", err)
		return
	}
	cmd := p.cmd
	go func() {
		for lines := json.NewDecoder(out); ; {
			var screen signin.Screen
			if lines.Decode(&screen) != nil {
				return
			}
			p.mu.Lock()
			if p.cmd == cmd {
				p.shown = screen
			}
			p.mu.Unlock()
			if screen.State == signin.Creating {
				select {
				case p.office.creating <- p:
				default:
				}
			}
		}
	}()
}

// kill kills the process, without a warning, and begins another.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.put()
		p.begin()
	}
}

// end is for a victim that is not needed any more.
func (p *process) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.put()
}

// put puts the process to an end.
func (p *process) put() {
	_ = p.cmd.Process.Kill()
	_ = p.input.Close()
	_ = p.cmd.Wait()
	p.shown = signin.Screen{}
}

// screen is what the agent shows; nothing while it does not live.
func (p *process) screen() signin.Screen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown
}

// press does nothing to an agent that was killed.
func (p *process) press(a signin.Action) {
	line, err := json.Marshal(a)
	if err != nil {
		p.office.t.Error(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.input.Write(append(line, '\n'))
}
