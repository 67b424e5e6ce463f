package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Code names what went wrong. Codes are stable: programs decide by them, and
// people quote them on the telephone. A Code is an error, so that errors.Is
// finds it in what the client returns.
type Code string

// Error makes the code itself findable by errors.Is.
func (c Code) Error() string { return string(c) }

// The codes of enrolment and of devices.
const (
	CodeKeyUnknown     Code = "key_unknown"
	CodeKeyExpired     Code = "key_expired"
	CodeKeySpent       Code = "key_spent"
	CodeKeyRevoked     Code = "key_revoked"
	CodeKeySerial      Code = "key_wrong_serial"
	CodeKeyPlatform    Code = "key_wrong_platform"
	CodeKeyPackage     Code = "key_wrong_package"
	CodeDevicePending  Code = "device_pending"
	CodeDeviceRemoved  Code = "device_removed"
	CodeDeviceReplaced Code = "device_replaced"
	CodeCertificate    Code = "certificate_required"
	CodeDeviceKey      Code = "device_key_lost"
	CodeUnauthorized   Code = "unauthorized"
	CodeForbidden      Code = "forbidden"
	CodeOrderComplete  Code = "order_complete"
	CodeOrderClosed    Code = "order_closed"
	CodeOrderTaken     Code = "order_serial_taken"
)

// The codes of a sign-in. The first four are RFC 8628's.
const (
	CodeAuthorizationPending Code = "authorization_pending"
	CodeSlowDown             Code = "slow_down"
	CodeAccessDenied         Code = "access_denied"
	CodeExpiredToken         Code = "expired_token"
	CodeNumberRequired       Code = "number_required"
	CodeNumberWrong          Code = "number_wrong"
	CodeSwitchedOff          Code = "switched_off"
	CodeSlotTaken            Code = "slot_taken"
	CodeAlreadyBound         Code = "already_bound"
	CodeDomain               Code = "domain_not_allowed"
	CodeUserDisabled         Code = "user_disabled"
	CodeCredentials          Code = "wrong_credentials"
	CodeUserLocked           Code = "user_locked"
	CodePasswordRequired     Code = "password_required"
	CodePasswordWeak         Code = "password_weak"
	CodePasswordsDiffer      Code = "passwords_differ"
	CodeTicket               Code = "ticket_ended"
)

// The codes of signing in with an identity provider.
const (
	CodeProviderUnknown       Code = "provider_unknown"
	CodeProviderUnavailable   Code = "provider_unavailable"
	CodeProviderMisconfigured Code = "provider_misconfigured"
	CodeProviderRefused       Code = "provider_refused"
	CodeProviderState         Code = "provider_state"
	CodeProviderMixUp         Code = "provider_mix_up"
	CodeProviderToken         Code = "provider_token"
	CodeProviderAssurance     Code = "provider_assurance"
	CodeProviderDomain        Code = "provider_domain"
	CodeProviderGroup         Code = "provider_group"
	CodeProviderClaim         Code = "provider_claim"
	CodeEmailUnverified       Code = "email_unverified"
	CodeUserUnknown           Code = "user_unknown"
	CodeUserTaken             Code = "user_taken"
)

// The codes of the console.
const (
	CodeSignedOut     Code = "signed_out"
	CodeProofRequired Code = "proof_required"
	CodeInvitation    Code = "invitation_ended"
	CodeCeremony      Code = "ceremony_ended"
	CodePasskey       Code = "passkey_refused"
	CodePasskeyCloned Code = "passkey_cloned"
	CodeNotLinked     Code = "administrator_unknown"
	CodeLastOwner     Code = "last_owner"
	CodeLastWay       Code = "last_way_in"
)

// The codes of making an account, which the device finds out by itself.
const (
	CodeOffline         Code = "offline"
	CodeAccountExists   Code = "account_exists"
	CodeAccountName     Code = "account_name"
	CodeAccountPassword Code = "account_password"
	CodePasswordOld     Code = "old_password_required"
	CodeAccountGroup    Code = "account_group_missing"
	CodeAccountDenied   Code = "account_denied"
	CodeAccountFull     Code = "account_disk_full"
	CodeAccountLocked   Code = "account_locked"
	CodeAccount         Code = "account_failed"
	CodePIN             Code = "pin_refused"
	CodePINsDiffer      Code = "pins_differ"
	CodePINUnavailable  Code = "pin_unavailable"
)

// The codes of signing in with a PIN, of which the directory hears nothing.
const (
	CodePINWrong  Code = "pin_wrong"
	CodePINSpent  Code = "pin_spent"
	CodePINStale  Code = "pin_stale"
	CodePINLost   Code = "pin_lost"
	CodePINLocked Code = "pin_locked_out"
)

// The codes of building packages.
const (
	CodePackagesOff        Code = "packages_off"
	CodePackageNotReady    Code = "package_not_ready"
	CodePackageConfig      Code = "package_configuration"
	CodePackageSigning     Code = "package_signing"
	CodePackageAgents      Code = "package_agents"
	CodePackagePayload     Code = "package_payload"
	CodePackageDamaged     Code = "package_damaged"
	CodePackageDisk        Code = "package_disk"
	CodePackageStore       Code = "package_store"
	CodePackageStoreFull   Code = "package_store_full"
	CodePackageWorkersLost Code = "package_workers_lost"
	CodePackageRestored    Code = "package_restored"
)

// The codes of requests that anything may come to.
const (
	CodeBadRequest  Code = "bad_request"
	CodeNotFound    Code = "not_found"
	CodeConflict    Code = "conflict"
	CodeTooLarge    Code = "too_large"
	CodeTooMany     Code = "too_many_requests"
	CodeUnavailable Code = "unavailable"
	CodeInternal    Code = "internal"
)

// Problem is what a code means: to the employee in front of the device, to IT,
// and what to do about it.
type Problem struct {
	Code     Code
	Status   int    // of HTTP
	Employee string // one plain sentence
	IT       string // one plain sentence
	Remedy   string
}

const callIT = "This device cannot be set up yet; please contact your IT department."

// Problems is the one table of all codes.
var Problems = []Problem{
	{CodeKeyUnknown, http.StatusForbidden, callIT, "The directory does not know the package's connect key.",
		"Build the package anew, with a key of this directory: firstday build --mint."},
	{CodeKeyExpired, http.StatusForbidden, callIT, "The package's connect key has expired.",
		"Build a new package, or put the device's clock right if it is wrong."},
	{CodeKeySpent, http.StatusForbidden, callIT, "The connect key has been used as often as it may be.",
		"Mint a key with more uses. If you did not use it, it was stolen: revoke it and look at its ledger."},
	{CodeKeyRevoked, http.StatusForbidden, callIT, "The connect key was revoked.", "Build a new package."},
	{CodeKeySerial, http.StatusForbidden, callIT, "The connect key is for other serial numbers than this device's.",
		"Compare the serial number with the order's list."},
	{CodeKeyPlatform, http.StatusForbidden, callIT, "The connect key is for another platform.", "Mint a key for this platform."},
	{CodeKeyPackage, http.StatusForbidden, callIT, "The connect key belongs to another package.",
		"Use the package the key was minted for. If it was copied by hand, mint another key."},
	{CodeOrderComplete, http.StatusForbidden, callIT, "All devices of the order have come; its connect keys ended with the last one.",
		"Compare with firstday order report. More devices, or one that was reset since, need an order of their own: firstday order create."},
	{CodeOrderClosed, http.StatusForbidden, callIT, "The order was closed, and its connect keys with it.",
		"More devices need an order of their own: firstday order create."},
	{CodeOrderTaken, http.StatusForbidden, callIT, "A device of this serial number has come by the order already: one that was different, or it came too often.",
		"Look at the two with firstday order report. If it is the same device, give it a package with a key of its own."},
	{CodeDevicePending, http.StatusForbidden, "Your IT department has yet to approve this device.",
		"The device waits for approval.", "firstday device approve"},
	{CodeDeviceRemoved, http.StatusForbidden, callIT, "The device was removed from the directory.",
		"Enrol it again with a new package."},
	{CodeDeviceReplaced, http.StatusForbidden, callIT, "The same hardware has enrolled again, with another key.",
		"If the device was reset, this is its former self. If not, somebody used its serial number: remove it."},
	{CodeCertificate, http.StatusUnauthorized, callIT, "The request came without a device's certificate, or with one that does not hold.",
		"The agent enrols again by itself while its connect key holds; else install a new package."},
	{CodeDeviceKey, http.StatusUnauthorized, callIT,
		"The device cannot use its own key any more: its TPM was cleared, switched off or replaced with the main board, or the key's file is damaged.",
		"Switch the TPM on in the firmware if it is off. Else the key is lost: enrol the device again with a new package."},
	{CodeAuthorizationPending, http.StatusBadRequest, "Waiting for you to sign in.", "Nobody has signed in yet.", "Wait."},
	{CodeSlowDown, http.StatusBadRequest, "Waiting for you to sign in.", "The device asks too often.", "The agent waits longer by itself."},
	{CodeAccessDenied, http.StatusBadRequest, "The sign-in was declined. You can start again.",
		"Whoever signed in said that it was not them, or typed a wrong number too often.",
		"If the employee did not decline it themselves, somebody tried to sign in with their help: look into the audit log."},
	{CodeExpiredToken, http.StatusBadRequest, "The code has expired. Please start again.", "Nobody signed in within ten minutes.", "Start again."},
	{CodeNumberRequired, http.StatusBadRequest, "Please type the number that your other device shows.",
		"The sign-in was on another device; the number proves that both are in the same hands.", "Type it. After three wrong ones, start again."},
	{CodeNumberWrong, http.StatusBadRequest, "That is not the number that your other device shows.", "A wrong number was typed.", "Type the right one. After three wrong ones, start again."},
	{CodeSwitchedOff, http.StatusForbidden, "Signing in here is switched off at the moment; please contact your IT department.",
		"Self-service account provisioning is off for this platform.", "firstday settings set"},
	{CodeSlotTaken, http.StatusForbidden, "This device belongs to somebody else already; please contact your IT department.",
		"The device has as many managed users as the settings allow.", "Unbind the user it has, or allow more: firstday device unbind, firstday settings set."},
	{CodeAlreadyBound, http.StatusForbidden, "You have an account on this device already; please sign in with it.",
		"The user is bound to the device.", "If the account is of no use any more, unbind the user first: firstday device unbind."},
	{CodeDomain, http.StatusForbidden, "Your account cannot be used on this device; please contact your IT department.",
		"The e-mail address is of no domain that the settings allow.", "firstday settings set"},
	{CodeUserDisabled, http.StatusForbidden, "Your account is disabled; please contact your IT department.", "The user is disabled.", "firstday user enable"},
	{CodeCredentials, http.StatusForbidden, "The name or the password is wrong.", "The name, the password or the second factor is wrong.",
		"If it is forgotten: firstday user reset."},
	{CodeUserLocked, http.StatusForbidden, "There were too many attempts; please wait a little, then try again.",
		"After wrong passwords the user must wait, longer each time.", "Wait, or: firstday user reset."},
	{CodePasswordRequired, http.StatusForbidden, "Please confirm your password.", "The settings want the password confirmed before the account is made.",
		"The agent asks for it by itself."},
	{CodePasswordWeak, http.StatusBadRequest, "Please choose another password, of at least 12 characters.", "The new password is too short, or is the temporary one.",
		"Choose another one."},
	{CodePasswordsDiffer, http.StatusBadRequest, "The two passwords are not the same.", "The new password was typed differently the second time.", "Type it again."},
	{CodeTicket, http.StatusForbidden, "The sign-in took too long. Please start again.", "The ticket has ended, was used, or belongs to another device.", "Start again."},
	{CodeProviderUnknown, http.StatusNotFound, "This way to sign in is not offered any more; please start again.", "There is no identity provider of that id.",
		"firstday provider list"},
	{CodeProviderUnavailable, http.StatusServiceUnavailable, "The sign-in service of your organisation does not answer; please try again in a few minutes.",
		"The identity provider is down, slow, or answers what is no answer.", "Look at its state; firstday provider test says what the directory sees."},
	{CodeProviderMisconfigured, http.StatusBadGateway, "The sign-in service of your organisation is not set up correctly; please contact your IT department.",
		"The identity provider does not take the directory for its client, or offers what is not safe to use.", "firstday provider test"},
	{CodeProviderRefused, http.StatusForbidden, "The sign-in was not completed. You can start again.",
		"Whoever signed in gave up, or the identity provider refused them.", "Start again. If it refuses again, look into the identity provider's log."},
	{CodeProviderState, http.StatusBadRequest, "This sign-in is not known in this browser, or is over. Please start again.",
		"An answer of the identity provider came to a browser that did not ask for it, or came twice.",
		"Start again, in one browser window that keeps cookies. If nobody reloaded a page, somebody tried to sign in with another's browser."},
	{CodeProviderMixUp, http.StatusForbidden, "The sign-in could not be confirmed. Please start again.", "Another identity provider answered than the one that was asked.",
		"Look at the issuers of the providers: this does not happen by chance."},
	{CodeProviderToken, http.StatusForbidden, "The sign-in could not be confirmed; please contact your IT department.",
		"The identity provider's word on who signed in does not hold: its signature, issuer, audience, nonce or time is wrong.",
		"Compare both clocks, and issuer and client id. If they are right, the provider is not to be trusted."},
	{CodeProviderAssurance, http.StatusForbidden, "Please sign in anew, with your second factor.", "The identity provider did not do what acrValues or maxAge of the provider ask for.",
		"Let the identity provider ask for a second factor, or change the provider."},
	{CodeProviderDomain, http.StatusForbidden, "This account is of another organisation; please use the one that you have for work.",
		"The claim hd, or the domain of the e-mail address, is none of the provider's.", "firstday provider show"},
	{CodeProviderGroup, http.StatusForbidden, "Your account is not allowed to set up a device; please contact your IT department.",
		"The person is in none of the provider's groups, or the claim with the groups is missing.", "Put them into a group, or let the identity provider send the claim."},
	{CodeProviderClaim, http.StatusForbidden, "Your account lacks what is needed to set up a device; please contact your IT department.",
		"No user name can be made from what the identity provider tells of the person.", "Change userName of the provider, or let the identity provider send the claims."},
	{CodeEmailUnverified, http.StatusForbidden, "Your e-mail address is not confirmed yet; please contact your IT department.",
		"The identity provider does not say that the e-mail address is verified, so it is not believed.", "Verify it there, or choose a userName that is not made of it."},
	{CodeUserUnknown, http.StatusForbidden, "You may not set up a device yet; please contact your IT department.", "Nobody is linked to this account of the identity provider.",
		"firstday user link, with the subject that the directory's log names; or let the provider create users."},
	{CodeUserTaken, http.StatusForbidden, "Somebody has your name or address here already; please contact your IT department.",
		"Another user has the name or the e-mail address. They are never taken over.", "If it is the same person: firstday user link, with the subject that the directory's log names."},
	{CodeSignedOut, http.StatusUnauthorized, "You are signed out. Please sign in.", "The session is over: it was idle for 30 minutes, is older than 12 hours, or was ended.",
		"Sign in again. An administrator's sessions also end when they are disabled, get another role, or a way in of theirs is reset."},
	{CodeProofRequired, http.StatusForbidden, "Please prove once more that it is you.", "This wants a proof of the last 15 minutes that it is you.", "The console asks for it by itself."},
	{CodeInvitation, http.StatusForbidden, "This link has ended, or was used. Please ask for another one.", "The link has ended, or was used: it is good once, for 24 hours, the first owner's for one hour.",
		"firstday administrator invite or reset gives another link. Where no owner is left, so does each start of firstday serve."},
	{CodeCeremony, http.StatusForbidden, "This took too long, or is over. Please start again.", "This took too long, is finished, or was begun in another browser.",
		"Start again, in one browser window that keeps cookies."},
	{CodePasskey, http.StatusForbidden, "This passkey was not accepted. Please start again, or choose another way.",
		"The passkey was not accepted: it is not known here, was made for another site, or its device did not check who holds it.", "The directory's log names the reason. An owner may reset how somebody signs in: firstday administrator reset."},
	{CodePasskeyCloned, http.StatusForbidden, "This passkey was not accepted. Please choose another way, and tell an owner.",
		"The passkey was not accepted: its counter did not grow, so there may be a copy of its key.", "Remove the passkey. Where the only one is concerned: firstday administrator reset."},
	{CodeNotLinked, http.StatusForbidden, "This account may not sign in to the console; please contact an owner.",
		"No administrator is linked to this account of the identity provider.", "An owner sends a link: firstday administrator invite. With it the account is linked."},
	{CodeLastOwner, http.StatusConflict, "Nobody could administer any more: this is the last owner who can sign in.", "This is the last owner who can sign in, who can neither be disabled nor reset, nor get another role.",
		"Make somebody else an owner first: firstday administrator invite --role owner."},
	{CodeLastWay, http.StatusConflict, "This is your last way to sign in; please add another one first.", "This is the last way to sign in, which an administrator keeps.", "Add a passkey, or a password with a second factor, then remove the other."},
	{CodeOffline, http.StatusServiceUnavailable, "There is no connection. Please connect to a network and try again.", "The device does not reach its directory.",
		"Look at the network, and at firstday-agent status."},
	{CodeAccountExists, http.StatusConflict, "This account already exists on this device; please contact your admin.",
		"There is a local account, or a group, of the name that the user's would have. It is never taken over.",
		"Rename or remove it, or give the user another name by the settings' accountName."},
	{CodeAccountName, http.StatusUnprocessableEntity, "No account name can be made from your address; please contact your IT department.",
		"The template gives no name that this system takes.", "Change accountName in the settings, or the user's e-mail address."},
	{CodeAccountPassword, http.StatusUnprocessableEntity, "This device wants another password: a longer one, or one with other kinds of characters.",
		"The system's password policy refuses the password.", "The employee chooses another. In the password mode verify, change the policy or the mode."},
	{CodePasswordOld, http.StatusForbidden, "You had an account on this device before, with another password. Please type that old one; the new one takes its place.",
		"The account was used before, and has another password than what was typed. It is changed by the old one only: set without it, Windows loses what it protects.",
		"The employee types the old password. If nobody knows it, an administrator sets one on the device; saved passwords, certificates and encrypted files of the account are lost by that."},
	{CodeAccountGroup, http.StatusInternalServerError, "The account could not be made; please contact your IT department.", "The system lacks one of its own groups, Users or Administrators.",
		"Somebody removed or renamed it in a way that Windows does not: repair the installation, or set the device up anew."},
	{CodeAccountDenied, http.StatusInternalServerError, "The account could not be made; please contact your IT department.", "The system does not let the agent change accounts.",
		"The agent's log names the reason. Its service must run as SYSTEM (root), and no policy or security product may keep it from changing accounts."},
	{CodeAccountFull, http.StatusInsufficientStorage, "There is no room left on this device; please contact your IT department.", "The disk is full: the account was not made, or taken back.",
		"Make room, then let the employee start again."},
	{CodeAccountLocked, http.StatusForbidden, "Too many wrong passwords were typed. Please wait ten minutes, and try again.",
		"The system has locked the account for a while, and does not look at passwords meanwhile.", "Wait as long as the device's lock-out policy says, or unlock the account as an administrator."},
	{CodeAccount, http.StatusInternalServerError, "The account could not be made; please contact your IT department.", "The system refused to make the account.",
		"Look at the agent's log; firstday-agent diagnose collects it."},
	{CodePIN, http.StatusUnprocessableEntity, "Please choose another PIN: six digits that nobody would guess.", "The PIN is no six digits, or is one that is tried first.",
		"Choose another one. The screen says what is wrong with it; docs/security.md lists what is refused."},
	{CodePINsDiffer, http.StatusUnprocessableEntity, "The two PINs are not the same.", "The new PIN was typed differently the second time.", "Type it again."},
	{CodePINUnavailable, http.StatusServiceUnavailable, "This device cannot keep a PIN. Please sign in with your password.",
		"The settings want a PIN, but the device has no TPM 2.0 that works, and the account has its password only; or its disk is full, so that no try of a PIN can be counted.",
		"Switch the TPM on in the firmware; firstday-agent status tells what is wrong with it. On a full disk, make room. An account that was made without a PIN goes on with its password."},
	{CodePINWrong, http.StatusForbidden, "That is not your PIN.", "A wrong PIN was typed at the device.", "Type the right one. After five wrong ones in a row the password is needed."},
	{CodePINSpent, http.StatusForbidden, "There were too many wrong PINs. Please type your password, and choose a PIN anew.",
		"Five wrong PINs were typed in a row. The PIN is not tried any more, before it is chosen anew.", "The employee types the password, here or at Windows' own tile. Nothing needs to be unlocked."},
	{CodePINStale, http.StatusForbidden, "Your password has changed. Please type the new one; your PIN stays the same.",
		"The PIN was right, but the password behind it is not the account's any more.", "The employee types the new password once."},
	{CodePINLost, http.StatusForbidden, "Your PIN does not work on this device any more. Please type your password, and choose a PIN anew.",
		"The TPM was cleared or is another one, the PIN's file was damaged, or the account is another one of the same name. What was kept is gone.",
		"The employee types the password. If nobody cleared the TPM, look into the agent's log why."},
	{CodePINLocked, http.StatusServiceUnavailable, "PINs are paused on this device after too many wrong ones. Please sign in with your password, or try later.",
		"The TPM has counted too many wrong PINs and passwords, of Windows or BitLocker perhaps, to be asked for one more.",
		"Sign in with the password. Windows' TPMs forget one wrong try in ten minutes; firstday-agent diagnose shows the count."},
	{CodeUnauthorized, http.StatusUnauthorized, "Please sign in.", "No token, or one that does not hold.", "firstday login"},
	{CodeForbidden, http.StatusForbidden, "You may not do this.", "The token's role does not allow it.", "Ask an owner."},
	{CodePackagesOff, http.StatusServiceUnavailable, callIT, "This directory builds no packages.", "Start it with --packages, or --package-store and firstday worker."},
	{CodePackageNotReady, http.StatusConflict, callIT, "There is no kit of this job: it is not ready yet, or came to nothing.", "Wait until it is ready: firstday package show."},
	{CodePackageConfig, http.StatusConflict, callIT, "The configuration that packages are built from cannot be used, or not for this request.",
		"Correct what is named, in firstday.yaml on the worker or in the request, then firstday package retry."},
	{CodePackageSigning, http.StatusConflict, callIT, "Who is to sign the kit cannot.", "Look at signing in firstday.yaml on the worker, then firstday package retry."},
	{CodePackageAgents, http.StatusConflict, callIT, "The worker has no agents that could go into a package.", "Name their folder with --agents, then firstday package retry."},
	{CodePackagePayload, http.StatusConflict, callIT, "A payload is not there any more, or not what was uploaded.", "Upload it again, and build another package."},
	{CodePackageDamaged, http.StatusInternalServerError, callIT, "The kit that was built does not pass its own verification, so nobody gets it.",
		"Retry. If it happens again, look at the worker's disk and memory, and report it."},
	{CodePackageDisk, http.StatusInsufficientStorage, callIT, "The worker's disk has no room, or fails.", "Free some space where the worker works, then firstday package retry."},
	{CodePackageStore, http.StatusBadGateway, callIT, "The store of kits does not answer, or refuses.", "Look at the store and the worker's log, then firstday package retry."},
	{CodePackageStoreFull, http.StatusInsufficientStorage, callIT, "The store has no room left of what it may take.", "Withdraw kits that nobody needs: firstday package cancel. Or allow more with --package-quota."},
	{CodePackageWorkersLost, http.StatusInternalServerError, callIT, "Every worker that took the job up went away in the middle of it.",
		"Look at what ends the workers: memory, or their service manager. Then firstday package retry."},
	{CodePackageRestored, http.StatusConflict, callIT, "The directory was restored from a backup while the job was under way.", "firstday package retry"},
	{CodeBadRequest, http.StatusBadRequest, "Something went wrong; please try again.", "The request was malformed.",
		"Bring both sides to the same version."},
	{CodeNotFound, http.StatusNotFound, "There is no such thing.", "It does not exist.", "Check the name."},
	{CodeConflict, http.StatusConflict, "Something else was faster; please try again.", "It changed in the meantime.", "Read it again, then repeat."},
	{CodeTooLarge, http.StatusRequestEntityTooLarge, "Something went wrong; please try again.", "The request was too large.",
		"Bring both sides to the same version."},
	{CodeTooMany, http.StatusTooManyRequests, "Too many attempts; please wait a little.", "The caller asks too often.", "Wait as long as retryAfter says."},
	{CodeUnavailable, http.StatusServiceUnavailable, "The service is not available; it will be tried again.", "The directory or its database cannot answer now.",
		"Look at the directory's log and /readyz."},
	{CodeInternal, http.StatusInternalServerError, "Something went wrong; please try again.", "A mistake in the directory.",
		"Look for the request's id in the directory's log, and report it."},
}

// Explain gives what a code means; of one that a newer directory sent, what
// [CodeInternal] means.
func Explain(c Code) Problem {
	var internal Problem
	for _, p := range Problems {
		switch p.Code {
		case c:
			return p
		case CodeInternal:
			internal = p
		}
	}
	internal.Code = c
	return internal
}

// Error is a refusal as it crosses the wire. It unwraps to its Code.
type Error struct {
	Code Code `json:"code"`
	// Detail is for IT. It holds no secret.
	Detail string `json:"detail,omitempty"`
	// RetryAfter is how long to wait before the next attempt, in seconds; 0: as
	// the caller likes.
	RetryAfter int `json:"retryAfter,omitempty"`
	// Request is the id under which the directory logged it.
	Request string `json:"request,omitempty"`
	// Time is the directory's, by which it judged.
	Time time.Time `json:"time,omitzero"`
}

// Refuse makes a refusal.
func Refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code))
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	if e.Request != "" {
		b.WriteString(" (request " + e.Request + ")")
	}
	return b.String()
}

// Unwrap gives the code.
func (e *Error) Unwrap() error { return e.Code }

// CodeOf gives the code of an error, empty if it has none.
func CodeOf(err error) Code {
	var c Code
	errors.As(err, &c)
	return c
}

// MarkdownOfProblems renders the table for the documentation.
func MarkdownOfProblems() string {
	var b strings.Builder
	b.WriteString("| code | HTTP | the employee reads | what it means | what to do |\n|---|---|---|---|---|\n")
	for _, p := range Problems {
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s |\n", p.Code, p.Status, p.Employee, p.IT, p.Remedy)
	}
	return b.String()
}
