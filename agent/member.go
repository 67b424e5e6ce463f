package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"firstday.dev/agent/devicekey"
	"firstday.dev/agent/eventid"
	"firstday.dev/agent/pin"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/statefile"
)

// directory is the organisation's directory, as far as a device calls it.
type directory interface {
	Enroll(context.Context, *api.EnrollRequest) (*api.EnrollResponse, error)
	CheckIn(context.Context, *api.CheckInRequest) (*api.CheckInResponse, error)
	Escrow(context.Context, *api.EscrowRequest) (*api.EscrowResponse, error)
	signin.Directory
	Close()
}

// dialDirectory makes a client; certificate gives the device's own, once it has
// one.
func dialDirectory(d api.Directory, certificate func() (*tls.Certificate, error)) (directory, error) {
	c, err := api.NewClient(d, certificate)
	if err != nil {
		return nil, err // not a nil *api.Client in an interface
	}
	return c, nil
}

// newsWait is how long a check-in waits for news. Firewalls forget connections
// on which nothing goes to and fro for longer.
const newsWait = 4 * time.Minute

// member is this device's membership in its organisation.
type member struct {
	*Agent
	enrollment *api.Enrollment
	raw        []byte // of the enrollment
	directory  directory
	health     func() []string // of the service, in plain sentences; nil: nobody looks

	mu     sync.Mutex     // connections are made whenever they are needed
	key    *devicekey.Key // nil: none
	record *record        // nil: not enrolled
	unkept error          // why the record is not on the disk, though the device lives by it
	facts  api.Facts
	// problems are those of accounts, in plain sentences.
	problems  []string
	rotated   time.Time // when the break-glass password was changed last, or tried
	unrotated error     // what came of it

	pins     *pin.Store // nil: none here
	accounts *signin.Accounts
	signIn   *signin.Machine

	told [sha256.Size]byte // the facts that the directory knows

	tpm     *devicekey.TPM
	keyless error // why there is no key
	missed  int   // how often in a row the key failed, see maxMissed
}

// newMember reads what there is of the membership.
func (a *Agent) newMember(e *api.Enrollment, raw []byte) (*member, error) {
	layout := a.System.Layout()
	m := &member{Agent: a, enrollment: e, raw: raw}
	var err error
	if m.record, err = readRecord(layout.Device(), e.Directory); err != nil {
		return nil, err
	}
	if err = m.openKey(); err != nil {
		return nil, err
	}
	dial := a.dial
	if dial == nil {
		dial = dialDirectory
	}
	if m.directory, err = dial(e.Directory, m.certificate); err != nil {
		return nil, err
	}
	return m, m.offerSignIn()
}

// certificate is what the device shows; none while it is not enrolled.
func (m *member) certificate() (*tls.Certificate, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.record != nil && m.key != nil {
		return m.record.certificate(m.key), nil
	}
	return new(tls.Certificate), nil
}

func (m *member) current() *record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.record
}

// keep writes the membership down, then lives by it.
func (m *member) keep(r *record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.write(r)
}

// heed lives by what the directory says at once, also where the disk is full: whom it
// locks out is out, and it says everything once. It is written down as soon as that is
// possible, for the next start.
func (m *member) heed(r *record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.record = r
	m.unkept = m.write(r)
	return m.behind()
}

// catchUp writes down what could not be written before.
func (m *member) catchUp() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unkept != nil && m.record != nil {
		m.unkept = m.write(m.record)
	}
	return m.behind()
}

// behind is the error of who holds the lock.
func (m *member) behind() error {
	if m.unkept != nil {
		return fmt.Errorf("keeping what the directory says: %w", m.unkept)
	}
	return nil
}

// takeSlot keeps that the device has a user more than the directory's last answer
// says.
func (m *member) takeSlot() error {
	r := m.current()
	if r == nil {
		return nil
	}
	next := *r
	next.Heard.Free = false
	return m.heed(&next)
}

// write is for who holds the lock.
func (m *member) write(r *record) error {
	r.Schema, r.Directory = stateSchema, m.enrollment.Directory
	if err := statefile.Write(m.System.Layout().Device(), r); err != nil {
		return err
	}
	m.record, m.unkept = r, nil
	return nil
}

// attempt enrols the device, or checks in and waits for news.
func (m *member) attempt(ctx context.Context, wait time.Duration) error {
	if m.current() == nil {
		return m.enroll(ctx)
	}
	err := m.checkIn(ctx, wait)
	if err == nil {
		m.missed = 0
		return nil
	}
	err = m.keyTrouble(err)
	switch api.CodeOf(err) {
	case api.CodeDeviceRemoved, api.CodeDeviceReplaced, api.CodeCertificate, api.CodeDeviceKey:
		// A new package brings a removed device back; without one it stays out.
		if m.enrollment.ConnectKey == "" {
			return err
		}
		return m.startOver(ctx, err)
	}
	return err
}

func (m *member) enroll(ctx context.Context) error {
	if m.enrollment.ConnectKey == "" {
		return errNoKey
	}
	request, err := m.keyRequest(ctx)
	if err != nil {
		return err
	}
	facts, err := m.factsOf(ctx)
	if err != nil {
		return fmt.Errorf("this device's facts: %w", err)
	}
	answer, err := m.directory.Enroll(ctx, &api.EnrollRequest{
		ConnectKey: m.enrollment.ConnectKey, PackageID: m.enrollment.PackageID, Facts: facts, CertificateRequest: request,
	})
	if err != nil {
		return err
	}
	if err := m.keep(&record{DeviceID: answer.DeviceID, Certificates: answer.Certificates, Heard: answer.CheckIn}); err != nil {
		return err
	}
	eventid.Enrolled.Log(ctx, m.log(), "enrolled", "device", answer.DeviceID, "state", answer.State)
	m.directory.Close() // connections without the certificate
	return nil
}

// errNoKey: the device lost its membership, and its package has no connect key
// any more.
var errNoKey = errors.New("there is no connect key to enrol with; a new package brings one")

// startOver enrols the device anew, with another key of its own: the directory
// never takes a removed one back.
func (m *member) startOver(ctx context.Context, why error) error {
	layout := m.System.Layout()
	m.log().WarnContext(ctx, "the device is no member any more; it enrols anew", "error", why)
	for _, file := range []string{layout.Device(), layout.DeviceKey()} {
		if err := m.System.RemoveAll(file); err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.key, m.record = nil, nil
	m.mu.Unlock()
	m.directory.Close()
	return m.enroll(ctx)
}

// checkIn tells the directory what changed here, and waits until something
// changes there or the time is over.
func (m *member) checkIn(ctx context.Context, wait time.Duration) error {
	if m.key == nil {
		return m.keyless
	}
	r := m.current()
	request := &api.CheckInRequest{Version: r.Heard.Version, Wait: int(wait / time.Second)}
	digest, err := m.addFacts(ctx, request)
	if err != nil {
		return fmt.Errorf("this device's facts: %w", err)
	}
	if request.Facts != nil {
		// It would be known only after the wait that they arrived. And an agent that
		// has just started may want to know more than the one before it.
		request.Wait, request.Version = 0, 0
	}
	if err := m.addRenewal(request, r); err != nil {
		return err
	}
	if m.catchUp() != nil {
		request.Wait = 0 // it is tried again soon
	}
	answer, err := m.directory.CheckIn(ctx, request)
	if err != nil {
		return err
	}
	m.told = digest
	return errors.Join(m.forgetKey(), m.hear(ctx, r, request, answer))
}

// hear takes the directory's answer to a request.
func (m *member) hear(ctx context.Context, r *record, request *api.CheckInRequest, answer *api.CheckInResponse) error {
	if answer.Version == request.Version {
		answer.Logo = r.Heard.Logo // it comes with news only
	}
	if answer.Version == r.Heard.Version && answer.Rotate == r.Heard.Rotate && len(answer.Certificates) == 0 && bytes.Equal(answer.Logo, r.Heard.Logo) {
		return m.catchUp()
	}
	next := *r
	if len(answer.Certificates) > 0 {
		next.Certificates, answer.Certificates = answer.Certificates, nil
	}
	next.Heard = *answer
	m.log().InfoContext(ctx, "the directory has news", "version", answer.Version, "state", answer.State, "ssap", answer.Settings.SSAP)
	return m.heed(&next)
}

// forgetKey erases the connect key: the device is in, and has no more use for it.
func (m *member) forgetKey() error {
	if m.enrollment.ConnectKey == "" {
		return nil
	}
	if err := m.eraseKey(m.raw); err != nil {
		return fmt.Errorf("erasing the connect key: %w", err)
	}
	m.enrollment.ConnectKey = ""
	return nil
}

// addFacts adds what the directory does not know yet.
func (m *member) addFacts(ctx context.Context, request *api.CheckInRequest) ([sha256.Size]byte, error) {
	facts, err := m.factsOf(ctx)
	if err != nil {
		return m.told, err
	}
	b, err := json.Marshal(&facts)
	if err != nil {
		return m.told, err
	}
	digest := sha256.Sum256(b)
	if digest != m.told {
		request.Facts = &facts
	}
	return digest, nil
}

// addRenewal asks for another certificate after half of the present one's time,
// by the directory's clock as of its last answer.
func (m *member) addRenewal(request *api.CheckInRequest, r *record) error {
	leaf, err := r.leaf()
	if err != nil {
		return err
	}
	half := leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)
	now := time.Now()
	if r.Heard.Time.After(now) {
		now = r.Heard.Time
	}
	if now.Before(half) {
		return nil
	}
	request.CertificateRequest, err = certificateRequest(m.key)
	request.Wait = 0
	return err
}

// into tells status what the membership is.
func (m *member) into(e *Enrolment) {
	e.DeviceID, e.DeviceState, e.Version, e.Key = uuid.Nil, "", 0, m.keyStatus()
	if r := m.current(); r != nil {
		e.DeviceID, e.DeviceState, e.Version = r.DeviceID, r.Heard.State, r.Heard.Version
	}
}
