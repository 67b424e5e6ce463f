package main

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"firstday.dev/agent"
	"firstday.dev/api"
	"firstday.dev/config"
	"firstday.dev/directory"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/internal/filelock"
	"firstday.dev/internal/sheet"
	"firstday.dev/kit"
	"firstday.dev/pkgbuild"
	"firstday.dev/pkgbuild/bundle"
	"firstday.dev/pkgbuild/munkipkg"
	"firstday.dev/pkgbuild/notary"
	"firstday.dev/pkgbuild/xar"
	"firstday.dev/ppkg"
	"firstday.dev/ppkg/catalog"
	"firstday.dev/ppkg/wim"
	"firstday.dev/signing"
	"firstday.dev/simulate"
	"firstday.dev/station"
	"firstday.dev/station/fat32"
	"firstday.dev/station/media"
	"firstday.dev/station/order"
	"firstday.dev/station/winimage"
)

// The exit codes. Scripts decide on them, so they never change.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitInput       = 3
	exitPackage     = 4
	exitSignature   = 5
	exitIO          = 6
	exitDirectory   = 7
	exitSticks      = 8
	exitInterrupted = 130
)

const exitCodesHelp = `Exit codes:
    0  done; verify: everything is as it was made
    1  another failure
    2  wrong usage
    3  invalid input: configuration, project, payload, agent or secret
    4  invalid package or backup: not in the format, or damaged beyond reading;
       simulate: the device does not take all of it
    5  signature: missing, wrong or not trusted, or contents that were changed;
       also an identity that cannot sign, and what Apple does not notarise
    6  input or output: a file is missing, not permitted, or the disk is full
    7  the directory refuses, or cannot be reached; provider test: something is wrong
    8  usb write, usb repair: not all sticks are good; the table says which
  130  interrupted`

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// hinted is an error and what to do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

func withHint(err error, hint string) error { return hinted{err, hint} }

// exitCode is the most telling code for an error: what was changed comes
// before what is malformed, since damage usually looks like both.
func exitCode(ctx context.Context, err error) int {
	is := func(targets ...error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
	var (
		usage    usageError
		mistakes config.Errors
		setting  *ppkg.SettingError
		missing  *ppkg.MissingFilesError
		path     *fs.PathError
		errno    syscall.Errno
	)
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	case is(station.ErrSticks): // each has a reason of its own
		return exitSticks
	case errors.As(err, &mistakes), errors.As(err, &setting), errors.As(err, &missing),
		is(simulate.ErrSeveral, simulate.ErrOtherDevice, simulate.ErrScript, config.ErrNoSecret, config.ErrBadSecret, kit.ErrNoAgent, kit.ErrNoCredentialProvider, kit.ErrNoLoginPlugin, kit.ErrPayload, kit.ErrNotAKit, kit.ErrNobodySigns, kit.ErrMint, errOtherDirectory, kit.ErrNoNotary, notary.ErrKey, pkgbuild.ErrDescription, pkgbuild.ErrTree, munkipkg.ErrProject, pkgbuild.ErrChanged, ppkg.ErrBadPassword, ppkg.ErrSyntax, ppkg.ErrChanged, wim.ErrChanged, wim.ErrName, signing.ErrFormat,
			directory.ErrBackupEncrypted, directory.ErrNoHostName, directory.ErrKeyOpen, directory.ErrPair, errIdentityFile,
			winimage.ErrNotWindows, winimage.ErrAnswerFile,
			sheet.ErrSerials, station.ErrLayout, station.ErrPreflight, media.ErrRefused, errNoSuchStick, fat32.ErrName, fat32.ErrFile, fat32.ErrFull, fat32.ErrSize, fat32.ErrLabel):
		return exitInput
	case api.CodeOf(err) != "", is(api.ErrUnreachable, errNoLogin, errProviderTest, simulate.ErrNotEnrolled):
		return exitDirectory
	case is(api.ErrAudit, kit.ErrIntegrity, station.ErrIncomplete, order.ErrSigner, bundle.ErrUnsignedCode, catalog.ErrMismatch, wim.ErrChecksum, xar.ErrChecksum, pkgbuild.ErrContents, signing.ErrCertificateType, notary.ErrRejected, notary.ErrNoTicket, notary.ErrCredentials,
		signing.ErrNoSignature, signing.ErrBadSignature, signing.ErrUntrusted, signing.ErrTimestamp,
		ppkg.ErrPassword, ppkg.ErrDamaged, signing.ErrPassword, signing.ErrNotCodeSigning, signing.ErrExpired, signing.ErrKeyMismatch):
		return exitSignature
	case is(order.ErrBundle, order.ErrOrder, pkgbuild.ErrFormat, pkgbuild.ErrUnsupported, pkgbuild.ErrUnsafe, xar.ErrFormat, xar.ErrUnsupported, xar.ErrName,
		fat32.ErrFormat, simulate.ErrNoPackage, simulate.ErrRefused, simulate.ErrSetting, simulate.ErrCommand, agent.ErrEnrollment, agent.ErrArchitecture,
		kit.ErrKind, kit.ErrOutdated, kit.ErrOtherProgram, ppkg.ErrFormat, ppkg.ErrEncrypted, ppkg.ErrUnsupported, ppkg.ErrNotEncrypted, ppkg.ErrTruncated, wim.ErrFormat, wim.ErrUnsupported, catalog.ErrFormat, directory.ErrBackup, directory.ErrDamaged, directory.ErrNewer):
		return exitPackage
	case errors.As(err, &path), errors.As(err, &errno), is(filelock.ErrBusy, media.ErrUnseen, media.ErrBusy, media.ErrGone, media.ErrAnother, media.ErrReadOnly, media.ErrNotMounted, fs.ErrExist, fs.ErrNotExist, fs.ErrPermission, kit.ErrOverwrite, winimage.ErrOther):
		return exitIO
	case is(kit.ErrIdentity):
		return exitSignature
	default:
		return exitFailure
	}
}

// hint is what to do about an error, if there is something to say that the
// error does not say itself.
func hint(err error) string {
	var (
		h       hinted
		usage   usageError
		missing *ppkg.MissingFilesError
	)
	switch {
	case errors.As(err, &h):
		return h.hint
	case errors.As(err, &usage):
		return "see --help of the command"
	case errors.As(err, &missing):
		return "name the folder that holds them with --assets"
	case api.CodeOf(err) != "":
		return api.Explain(api.CodeOf(err)).Remedy
	}
	for _, known := range []struct {
		err  error
		hint string
	}{
		{config.ErrNoSecret, "put it there, or name another file or environment variable"},
		{kit.ErrNoAgent, "name the folder of the agents with --agents; `make build` puts them into bin/agents"},
		{kit.ErrNoCredentialProvider, "it belongs beside the agents of its release; `make build` puts both into bin/agents"},
		{kit.ErrNoLoginPlugin, "it belongs beside the agents of its release; `make build` puts both into bin/agents"},
		{kit.ErrOtherProgram, "build it again with agents and credential providers of one release"},
		{simulate.ErrSeveral, "leave one package on the stick"},
		{simulate.ErrNoPackage, "name the platform there is a package for with --device, or write the stick anew"},
		{station.ErrUnverified, "firstday verify tells it all; build the kit anew"},
		{winimage.ErrOther, "--replace, if it is an older one of yours"},
		{winimage.ErrAnswerFile, "firstday image unattend prints what to add by hand"},
		{station.ErrIncomplete, "write it again: firstday usb write"},
		{media.ErrUnseen, "run it on the machine itself; a container sees disks only if it is given /sys, /proc and /dev of the machine"},
		{media.ErrRefused, "firstday usb list --all tells which disks are taken and which are not"},
		{errNoSuchStick, "firstday usb list tells what sticks there are"},
		{filelock.ErrBusy, "let the other run finish, or choose another folder"},
		{media.ErrBusy, "close what uses it, or let the other technician finish"},
		{order.ErrSigner, "if you have the fingerprint of your customer by telephone or on paper, the bundle is not theirs"},
		{order.ErrBundle, "name the folder or .zip that firstday order create made; decrypt a .zip.age first: age -d"},
		{fat32.ErrFull, "leave out --size, or name a larger one"},
		{simulate.ErrOtherDevice, "leave out --device, or name another --sandbox"},
		{errNoLogin, "firstday login, or FIRSTDAY_DIRECTORY, FIRSTDAY_PIN and FIRSTDAY_TOKEN"},
		{errProviderTest, "put right what is said to be wrong, there or by provider remove and add, then test again"},
		{api.ErrUnreachable, "check the address, the pin, and whether the directory runs"},
		{directory.ErrNoDatabase, "name the folder that serve --data names; back up PostgreSQL with pg_dump, and the file directory.key"},
		{directory.ErrBackupEncrypted, "name the file of an age identity that opens it with --identity"},
		{directory.ErrKeyOpen, "chmod o-r it"},
		{directory.ErrNewer, "update firstday first"},
		{atomicfile.ErrInTheWay, "choose another name with -o"},
		{kit.ErrOverwrite, "choose another name with -o"},
		{kit.ErrIdentity, "check who signs: the files of the certificate and key, or the signer program"},
		{ppkg.ErrEncrypted, "if it is, decrypt it first: firstday ppkg decrypt"},
		{kit.ErrNotAKit, "choose another folder with -o, or empty this one"},
		{signing.ErrUntrusted, "name the root certificate you trust with --root"},
		{signing.ErrPassword, "say where the password is: file, env or prompt"},
		{signing.ErrNotCodeSigning, "ask your CA for a certificate with the extended key usage code signing"},
		{signing.ErrExpired, "renew the certificate; sign with a timestamp, so that signatures outlive it"},
		{signing.ErrTimestamp, "try another timestamp authority"},
		{signing.ErrCertificateType, "programs need a Developer ID Application, packages a Developer ID Installer"},
		{bundle.ErrUnsignedCode, "sign the code inside first, the innermost before the outer; scripts belong into Resources"},
		{notary.ErrNoTicket, "notarise it first: firstday pkg notarize; or wait a few minutes"},
		{notary.ErrCredentials, "check issuer, key id and key; the key must be a team key, not an individual one"},
		{syscall.ENOTDIR, "choose another name with -o"},
		{syscall.ENOSPC, "free some space, or choose another disk"},
		{wim.ErrChanged, "do not touch the files while they are packed, then build again"},
		{ppkg.ErrChanged, "do not touch the files while they are packed, then build again"},
	} {
		if errors.Is(err, known.err) {
			return known.hint
		}
	}
	return ""
}
