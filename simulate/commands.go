package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"firstday.dev/agent"
	"firstday.dev/api"
	"firstday.dev/internal/contextio"
	"firstday.dev/ppkg"
)

// commandFolder is where Windows puts the files of commands in the out-of-box
// experience (formats/ppkg.md §4). After a restart nothing of it is left.
const commandFolder = "Windows/System32/config/systemprofile/AppData/Local/Temp/ProvisioningPkgTmp"

// maxNumber bounds the digits of a command's number.
const maxNumber = 6

// runCommands does what the launcher of provisioning commands does: that of the
// DeviceContext first, then the others in their order.
func (w *provisioning) runCommands(ctx context.Context) error {
	commands := w.p.windows.Commands()
	slices.SortStableFunc(commands, func(a, b *ppkg.CommandInfo) int {
		return strings.Compare(a.Context, b.Context) // DeviceContext, PrimaryContext
	})
	if err := w.tidy(ctx); err != nil {
		return err
	}
	for _, c := range commands {
		if err := ctx.Err(); err != nil {
			return err
		}
		folder, err := w.extractCommand(ctx, c)
		if err != nil {
			return err
		}
		code, err := w.runCommand(ctx, c, folder)
		if err != nil && ctx.Err() != nil {
			return err
		}
		what := fmt.Sprintf("command %.200s", c.Line)
		switch {
		case err == nil && among(c.ReturnCodeSuccess, code):
			w.told.good(StepCommand, what, fmt.Sprintf("ended with code %d", code))
		case err == nil && among(c.ReturnCodeRestart, code):
			w.told.good(StepCommand, what, fmt.Sprintf("ended with code %d: the device is to restart", code))
			w.restart = "a command asks for it"
		case err == nil:
			err = fmt.Errorf("%w: it ended with code %d", ErrCommand, code)
		}
		if err != nil {
			w.leaveOut(StepCommand, what, err)
			if !c.ContinueInstall {
				w.told.note(StepCommand, "no further command is run", "the package says so")
				return nil
			}
			continue
		}
		if c.RestartRequired {
			w.restart = "a command asks for it"
		}
	}
	return nil
}

// among reads a list of exit codes, as the package has it.
func among(codes string, code int) bool {
	return slices.ContainsFunc(strings.Fields(codes), func(s string) bool {
		n, err := strconv.ParseInt(s, 10, 64)
		return err == nil && uint32(n) == uint32(code) // there are two ways to write those above 2^31
	})
}

// extractCommand puts a command's files where Windows does, and gives the folder.
func (w *provisioning) extractCommand(ctx context.Context, c *ppkg.CommandInfo) (string, error) {
	if strings.Trim(c.Number, "0123456789") != "" || len(c.Number) > maxNumber || c.Context == "PrimaryContext" && c.Number == "" {
		return "", fmt.Errorf("%w: command %.60q has no number", ppkg.ErrFormat, c.Number)
	}
	folder := path.Join(commandFolder, "{"+w.p.windows.ID.String()+"}", "Commands", c.Number)
	if w.shared != nil {
		return folder, nil // extracted there
	}
	if err := w.makeFolders(folder); err != nil {
		return "", err
	}
	total := int64(0)
	for _, a := range c.Files {
		if total += a.Size; total > maxInstalled {
			return "", fmt.Errorf("%w: files of more than %d bytes", ppkg.ErrUnsupported, int64(maxInstalled))
		}
		if err := api.CheckFileName(a.Name); err != nil {
			return "", fmt.Errorf("%w: %w", ppkg.ErrFormat, err)
		}
		if err := w.extract(ctx, a, path.Join(folder, a.Name)); err != nil {
			return "", fmt.Errorf("extracting %s: %w", a.Name, err)
		}
	}
	w.told.good(StepFiles, counted(len(c.Files), "file")+" of the command", fmt.Sprintf("%d bytes, in %s", total, w.shown(folder)))
	return folder, nil
}

// extract copies a file of the package, which is verified on the way. One of the
// same name is overwritten, as Windows does.
func (w *provisioning) extract(ctx context.Context, a ppkg.Asset, name string) error {
	r, err := w.p.windows.FS.Open(a.Path)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := w.disk.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, contextio.Reader(ctx, io.LimitReader(r, a.Size)))
	return errors.Join(err, f.Close())
}

// runCommand gives the code with which a command ends. The agent's own is the
// work of the real one, here; any other is not run.
func (w *provisioning) runCommand(ctx context.Context, c *ppkg.CommandInfo, folder string) (int, error) {
	program, arguments := splitCommand(c.Line)
	b, err := agent.OpenBundle(filepath.Join(w.files().host(folder), api.EnrollmentFile))
	if errors.Is(err, fs.ErrNotExist) {
		return w.skipCommand(program), nil
	}
	if err != nil {
		return 0, err
	}
	defer b.Close() //nolint:errcheck // it was only read
	i := slices.IndexFunc(b.Agents, func(a api.AgentFile) bool { return strings.EqualFold(a.File, program) })
	if i < 0 {
		return w.skipCommand(program), nil
	}
	started := b.Agents[i]
	if err := w.checkFile(folder, started.File, started.SHA256); err != nil {
		return 0, err
	}
	if err := w.checkProvider(folder, b); err != nil {
		return 0, err
	}
	return w.installAgent(ctx, b, started, arguments)
}

// checkFile compares a file of a command with the hash that the enrollment has.
func (w *provisioning) checkFile(folder, name, want string) error {
	sum, err := sumFile(w.files().host(path.Join(folder, name)))
	if err != nil {
		return fmt.Errorf("%w: %w", agent.ErrEnrollment, err)
	}
	if sum != want {
		return fmt.Errorf("%w: %s has SHA-256 %s, the enrollment says %s", agent.ErrEnrollment, name, sum, want)
	}
	return nil
}

// checkProvider looks at the credential provider as the agent would on Windows. The
// agent here leaves it alone: there is no sign-in screen to show its tile.
func (w *provisioning) checkProvider(folder string, b *agent.Bundle) error {
	arch := w.Device().Arch
	i := slices.IndexFunc(b.Agents, func(a api.AgentFile) bool { return a.Arch == arch })
	if i < 0 {
		return nil // nor is there an agent to install
	}
	provider := b.Agents[i].CredentialProvider
	if err := w.checkFile(folder, provider.File, provider.SHA256); err != nil {
		return fmt.Errorf("credential provider: %w", err)
	}
	w.told.good(StepCommand, "the credential provider is there", provider.File+", not loaded: there is no sign-in screen here")
	return nil
}

// skipCommand tells that a program is not run, and gives its code.
func (w *provisioning) skipCommand(program string) int {
	code := w.exitCode(program)
	w.told.note(StepCommand, fmt.Sprintf("Windows would run %.100s as SYSTEM", program), fmt.Sprintf("not run here, taken to end with %d", code))
	return code
}

// splitCommand takes a command line apart as CreateProcess does, as far as the
// program goes.
func splitCommand(line string) (program string, arguments []string) {
	line = strings.TrimSpace(line)
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		program, line, _ = strings.Cut(quoted, `"`)
	} else {
		program, line, _ = strings.Cut(line, " ")
	}
	program = strings.TrimPrefix(program, `.\`)
	if filepath.Ext(program) == "" {
		program += ".exe"
	}
	return program, strings.Fields(line)
}

// exitRestart is with what the agent asks for a restart.
const exitRestart = 3010

// installAgent is `firstday-agent install`, by the real agent.
func (m *Machine) installAgent(ctx context.Context, b *agent.Bundle, started api.AgentFile, arguments []string) (int, error) {
	if len(arguments) == 0 || arguments[0] != "install" {
		return 0, fmt.Errorf("%w: the agent is started as %.100q, not with install", ErrCommand, arguments)
	}
	var opts agent.InstallOptions
	for _, a := range arguments[1:] {
		if a != "--force" {
			return 0, fmt.Errorf("%w: the agent does not take %.60q from a package", ErrCommand, a)
		}
		opts.Force = true
	}
	// An amd64 program starts on arm64, too, not the other way round.
	if arch := m.Device().Arch; started.Arch != arch && (arch != "arm64" || started.Arch != "amd64") {
		return 0, fmt.Errorf("%w: %s is for %s and does not start on %s", agent.ErrArchitecture, started.File, started.Arch, arch)
	}
	m.tellVersions(started.Version)
	return codeOf(m.agent(started.Version).Install(ctx, b, opts))
}

// codeOf is how the agent's program ends.
func codeOf(out agent.Outcome, err error) (int, error) {
	switch {
	case err != nil:
		return 0, err
	case out.RebootNeeded:
		return exitRestart, nil
	}
	return 0, nil
}

// tellVersions: it is this program's own agent that works.
func (m *Machine) tellVersions(packaged string) {
	if m.ours != "" && m.ours != packaged {
		m.told.note(StepCommand, "the package carries agent "+packaged, "what works here is the agent of firstday "+m.ours)
	}
}

// tidy removes what a restart would.
func (w *provisioning) tidy(context.Context) error { return w.disk.RemoveAll(commandFolder) }
