package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"firstday.dev/api"
)

// scrape gives the figures as Prometheus reads them.
func scrape(t *testing.T, d *Directory) string {
	t.Helper()
	w := httptest.NewRecorder()
	d.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	d, _ := openWith(t, func(o *Options) {
		o.Version = "1.2.3"
		o.Web.CertFile, o.Web.KeyFile = webServer(t, 24*time.Hour).WritePEM(t, "")
	})
	at := serve(t, d)
	own := newLaptop(t, "SERIAL-1")
	e, err := client(t, at, nil).Enroll(t.Context(), own.request(t, mint(t, d, api.NewConnectKey{}).Secret))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client(t, at, nil).Enroll(t.Context(), own.request(t, "fdk_guess")); err != nil {
		t.Errorf("the same device again: %v", err)
	}
	if _, err := client(t, at, nil).Enroll(t.Context(), newLaptop(t, "S2").request(t, "fdk_guess")); !errors.Is(err, api.CodeKeyUnknown) {
		t.Error(err)
	}
	ctx, hangUp := context.WithCancel(t.Context())
	ended := make(chan struct{})
	device := client(t, at, &tls.Certificate{Certificate: e.Certificates, PrivateKey: own.key})
	go func() {
		defer close(ended)
		_, _ = device.CheckIn(ctx, &api.CheckInRequest{Version: e.CheckIn.Version, Wait: 60})
	}()
	eventually(t, func() bool { return strings.Contains(scrape(t, d), "\nfirstday_devices_waiting 1\n") })
	admin := client(t, at, nil)
	admin.Token = token(t, d, api.Owner)
	for _, path := range []string{"/devices/" + e.DeviceID.String(), "/devices/" + e.DeviceID.String() + "/no", "/keys/x/uses"} {
		_ = admin.Do(t.Context(), http.MethodGet, api.PathAdmin+path, nil, nil)
	}
	d.metrics.signedIn(api.Refuse(api.CodeTooMany, "wait"))
	d.metrics.signedIn(nil)
	figures := scrape(t, d)
	for _, want := range []string{
		`firstday_build_info{go="go1.`, `version="1.2.3"} 1`,
		`firstday_http_requests_total{route="POST /v1/enroll",status="200"} 2`,
		`firstday_http_requests_total{route="POST /v1/enroll",status="403"} 1`,
		`firstday_http_requests_total{route="GET /v1/admin/devices/{id}",status="200"} 1`,
		`firstday_http_requests_total{route="GET /v1/admin/keys/{id}/uses",status="400"} 1`,
		`firstday_http_requests_total{route="/",status="404"} 1`,
		`firstday_http_request_duration_seconds_count{route="POST /v1/enroll"} 3`,
		`firstday_enrolments_total{result="ok"} 2`,
		`firstday_enrolments_total{result="key_unknown"} 1`,
		`firstday_sign_ins_total{result="ok"} 1`,
		`firstday_sign_ins_total{result="too_many_requests"} 1`,
		`firstday_database_errors_total 0`, `firstday_database_retries_total 0`,
		`firstday_certificate_not_after_timestamp_seconds{certificate="ca"} `,
		`firstday_certificate_not_after_timestamp_seconds{certificate="own"} `,
		`firstday_certificate_not_after_timestamp_seconds{certificate="given"} `,
		`go_goroutines `, `go_sql_open_connections{db_name="directory"} `,
	} {
		if !strings.Contains(figures, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, secret := range []string{e.DeviceID.String(), "SERIAL-1", "127.0.0.1"} {
		if strings.Contains(figures, secret) {
			t.Errorf("the figures tell of %s", secret)
		}
	}
	if t.Failed() {
		t.Log(figures)
	}
	hangUp()
	<-ended
	eventually(t, func() bool { return strings.Contains(scrape(t, d), "\nfirstday_devices_waiting 0\n") })
	problems, err := testutil.GatherAndLint(d.metrics.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "firstday_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestDatabaseErrorsAreCounted(t *testing.T) {
	d := open(t, t.TempDir(), "")
	w := httptest.NewRecorder()
	d.call(1, func(*http.Request) (any, error) { return nil, context.DeadlineExceeded })(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if got := testutil.ToFloat64(d.metrics.databaseErrors); got != 1 || w.Code != http.StatusServiceUnavailable {
		t.Errorf("%v, %d", got, w.Code)
	}
}

func TestResults(t *testing.T) {
	for want, err := range map[string]error{
		"ok": nil, "key_spent": api.Refuse(api.CodeKeySpent, "x"), "abandoned": context.Canceled,
		"unavailable": context.DeadlineExceeded, "internal": errors.New("secret"),
	} {
		if got := result(err); got != want {
			t.Errorf("%v is %s", err, got)
		}
	}
}

// Figures have an address of their own, and are never on the public one.
func TestMetricsAreApart(t *testing.T) {
	d := open(t, t.TempDir(), "")
	at := serve(t, d)
	if err := client(t, at, nil).Do(t.Context(), http.MethodGet, "/metrics", nil, nil); !errors.Is(err, api.CodeNotFound) {
		t.Errorf("in public: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.ServeMetrics(ctx, l) }()
	for path, want := range map[string]int{"/metrics": http.StatusOK, api.PathAdmin + "/devices": http.StatusNotFound} {
		resp, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := d.ServeMetrics(t.Context(), l); err == nil {
		t.Error("a listener that is closed serves")
	}
}
