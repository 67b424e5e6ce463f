package ppkg

import (
	"fmt"
	"strconv"
	"strings"
)

// Command is a command that Windows runs as SYSTEM, without a window, in the
// folder that holds the command's files. At the first screen all commands
// together have 30 minutes. A package best has one command that runs a script:
// the order of more than ten is not known (formats/ppkg.md §4).
type Command struct {
	Name string // for people; unique in the package
	Line string // such as "cmd /c setup.cmd"

	// File and Dependencies all go to the same folder.
	File         *File
	Dependencies []*File

	StopOnFailure   bool // do not run the package's further commands
	RestartRequired bool

	Success int // exit code that means success
	Restart int // exit code that means success after a restart; 0 for 3010
}

// Setting is the setting that runs the command, in the PrimaryContext.
func (c Command) Setting() Setting {
	if c.Name == "" || c.Line == "" {
		return invalid("command needs a name and a command line")
	}
	if c.File == nil && len(c.Dependencies) > 0 {
		return invalid("command %s: the first of its files must be its File", c.Name)
	}
	if c.Restart == 0 {
		c.Restart = 3010
	}
	e := newElement("CommandConfig", "Name", c.Name)
	if c.File != nil {
		e.add(fileElement("CommandFile", c.File))
	}
	e.add(textElement("CommandLine", c.Line), textElement("ContinueInstall", label(!c.StopOnFailure)))
	if len(c.Dependencies) > 0 {
		list := newElement("DependencyPackages")
		for _, f := range c.Dependencies {
			d := fileElement("Dependency", f)
			d.attrs = []attribute{{name: "Name", value: d.text}}
			list.add(d)
		}
		e.add(list)
	}
	e.add(textElement("RestartRequired", label(c.RestartRequired)),
		textElement("ReturnCodeRestart", strconv.Itoa(c.Restart)),
		textElement("ReturnCodeSuccess", strconv.Itoa(c.Success)))
	return branch("ProvisioningCommands/PrimaryContext/Command", e)
}

// DeviceContext is the one command of a package in the older context, which
// runs before the PrimaryContext's. No package with files of this kind was
// seen: prefer [Command].
func DeviceContext(line string, files ...*File) Setting {
	var leaves []*element
	if len(files) > 0 {
		list := newElement("CommandFiles")
		for _, f := range files {
			e := fileElement("CommandFile", f)
			e.attrs = []attribute{{name: "Name", value: e.text}}
			list.add(e)
		}
		leaves = append(leaves, list)
	}
	return branch("ProvisioningCommands/DeviceContext", append(leaves, textElement("CommandLine", line))...)
}

// Images are the pictures of the desktop and the lock screen; either may be nil.
func Images(desktop, lockScreen *File) Setting {
	var deploy, urls []*element
	if desktop != nil {
		deploy = append(deploy, fileElement("DeployDesktopImage", desktop))
		urls = append(urls, textElement("DesktopImageUrl", desktop.Name))
	}
	if lockScreen != nil {
		deploy = append(deploy, fileElement("DeployLockScreenImage", lockScreen))
		urls = append(urls, textElement("LockScreenImageUrl", lockScreen.Name))
	}
	if deploy == nil {
		return invalid("neither of the images is given")
	}
	return branch("Personalization", append(deploy, urls...)...)
}

// fileElement names a file, as the Designer names one on its author's disk.
func fileElement(name string, f *File) *element {
	if f == nil {
		return newElement(name)
	}
	e := textElement(name, f.Name)
	e.file = f
	return e
}

const (
	commandPath     = "/ProvisioningCommands/PrimaryContext/Command/"
	deviceFilesPath = "/ProvisioningCommands/DeviceContext/CommandFiles"
)

func (c *compiler) command(p *place) error {
	if line := p.child("CommandLine"); line == nil || strings.TrimSpace(line.text) == "" {
		return p.errorf("the command %.60s has no CommandLine", key(p.element))
	}
	number := strconv.Itoa(c.commands)
	c.commands++
	node := []string{"ProvisioningCommands", "PrimaryContext", "$(__PackageID)", number}
	entry := strings.ReplaceAll(strings.TrimPrefix(commandPath, "/"), "/", "_") + number + "_"
	names := map[string]bool{}
	for _, e := range p.children {
		at := p.at(e)
		switch e.name {
		case "CommandFile":
			if err := uniqueName(names, at); err != nil {
				return err
			}
			path := commandPath + number + "/CommandFile"
			if err := c.addAsset(at, commandPath+"CommandFile", path, path, entry+"CommandFile"); err != nil {
				return err
			}
		case "DependencyPackages":
			if err := c.dependencies(at, number, entry, names); err != nil {
				return err
			}
		default:
			parms, err := (&place{newElement("").add(e), p.path, p.entry}).fields(commandFields, node...)
			if err != nil {
				return err
			}
			c.entry(at.path, entry+e.name, parms...)
		}
	}
	return nil
}

var commandFields = map[string]field{
	"CommandLine":       {"CommandLine", stringRow},
	"ContinueInstall":   {"ContinueInstall", row{Type: Boolean, labels: trueFalse}},
	"RestartRequired":   {"RestartRequired", row{Type: Boolean, labels: trueFalse}},
	"ReturnCodeRestart": {"ReturnCodeRestart", row{Type: Integer}},
	"ReturnCodeSuccess": {"ReturnCodeSuccess", row{Type: Integer}},
}

// dependencies are the further files of a command. Unlike that of the first,
// the entry says Dependency, and DataAsset.xml the number (formats/ppkg.md §2.2).
func (c *compiler) dependencies(p *place, command, entry string, names map[string]bool) error {
	folder := commandPath + command + "/DependencyPackages/"
	for i, e := range p.children {
		at := p.at(e)
		if e.name != "Dependency" {
			return at.unknown()
		}
		if err := uniqueName(names, at); err != nil {
			return err
		}
		number := strconv.Itoa(i)
		err := c.addAsset(at, commandPath+"DependencyPackages/Dependency",
			folder+"Dependency", folder+number, entry+"DependencyPackages_"+number)
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) deviceFiles(p *place) error {
	names := map[string]bool{}
	for i, e := range p.children {
		at := &place{e, p.path, p.entry}
		if err := uniqueName(names, at); err != nil {
			return err
		}
		if err := c.addAsset(at, deviceFilesPath, deviceFilesPath, deviceFilesPath, p.entry+"_"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) image(p *place) error {
	return c.addAsset(p, "/"+p.path, "/"+p.path, "/"+p.path, p.entry)
}

// uniqueName refuses a second file of one name: a command's files share a
// folder, and the later would overwrite the earlier.
func uniqueName(seen map[string]bool, p *place) error {
	if p.file == nil {
		return nil
	}
	name := strings.ToLower(p.file.Name)
	if seen[name] {
		return p.errorf("%w", fmt.Errorf("the command has two files named %s", p.file.Name))
	}
	seen[name] = true
	return nil
}
