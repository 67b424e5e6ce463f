package directory

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"firstday.dev/api"
)

// metrics are the figures that operators watch. No figure is about one device or
// person: there are as many as calls and codes, whatever the world sends.
type metrics struct {
	registry       *prometheus.Registry
	requests       *prometheus.CounterVec
	durations      *prometheus.HistogramVec
	waiting        prometheus.Gauge
	enrolments     *prometheus.CounterVec
	signIns        *prometheus.CounterVec
	federations    *prometheus.CounterVec
	databaseErrors prometheus.Counter
}

func newMetrics(d *Directory) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "firstday_http_requests_total", Help: "Requests answered, by the call's pattern and HTTP status.",
		}, []string{"route", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "firstday_http_request_duration_seconds", Help: "Time to answer, by the call's pattern. Check-ins wait for news.",
			Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 30, 120, api.MaxWait.Seconds()},
		}, []string{"route"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "firstday_devices_waiting", Help: "Check-ins that wait for news: devices that are online.",
		}),
		enrolments: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "firstday_enrolments_total", Help: "Attempts to enrol, by what became of them: ok or the code of the refusal.",
		}, []string{"result"}),
		signIns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "firstday_sign_ins_total", Help: "Attempts to sign in, by what became of them: ok or the code of the refusal.",
		}, []string{"result"}),
		federations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "firstday_provider_sign_ins_total", Help: "Answers of identity providers, by the provider and what became of them: ok or the code of the refusal.",
		}, []string{"provider", "result"}),
		databaseErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "firstday_database_errors_total", Help: "Requests that could not be answered because of the database.",
		}),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "firstday_build_info", Help: "Always 1; the labels say which program runs.",
		ConstLabels: prometheus.Labels{"version": d.Version, "go": runtime.Version()},
	}, func() float64 { return 1 })
	retries := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "firstday_database_retries_total", Help: "Transactions that were begun anew because another was faster or the database was away.",
	}, func() float64 { return float64(d.store.retries.Load()) })
	m.registry.MustRegister(m.requests, m.durations, m.waiting, m.enrolments, m.signIns, m.federations, m.databaseErrors, build, retries,
		expiries{d}, collectors.NewDBStatsCollector(d.store.write, "directory"),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) answered(route string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.durations.WithLabelValues(route).Observe(took.Seconds())
}

// enrolled counts an attempt to enrol.
func (m *metrics) enrolled(err error) { m.enrolments.WithLabelValues(result(err)).Inc() }

// signedIn counts an attempt to sign in that came to its end.
func (m *metrics) signedIn(err error) { m.signIns.WithLabelValues(result(err)).Inc() }

// result says in a word what became of something.
func result(err error) string {
	switch code := api.CodeOf(err); {
	case err == nil:
		return "ok"
	case code != "":
		return string(code)
	case errors.Is(err, context.Canceled):
		return "abandoned"
	case unavailable(err), errors.Is(err, context.DeadlineExceeded):
		return string(api.CodeUnavailable)
	}
	return string(api.CodeInternal)
}

// expiries tell when certificates end.
type expiries struct{ d *Directory }

var expiryDesc = prometheus.NewDesc("firstday_certificate_not_after_timestamp_seconds",
	"When a certificate of the directory ends: of its CA, the one that devices see, and the one for browsers.", []string{"certificate"}, nil)

// Describe is of [prometheus.Collector].
func (e expiries) Describe(ch chan<- *prometheus.Desc) { ch <- expiryDesc }

// Collect is of [prometheus.Collector].
func (e expiries) Collect(ch chan<- prometheus.Metric) {
	tell := func(certificate string, end time.Time) {
		ch <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, float64(end.Unix()), certificate)
	}
	tell("ca", e.d.ca.cert.NotAfter)
	if own, err := e.d.ca.serverCertificate(e.d.Names); err == nil {
		tell("own", own.Leaf.NotAfter)
	}
	if e.d.web == nil {
		return
	}
	if end := e.d.web.notAfter(); !end.IsZero() {
		tell(e.d.web.source(), end)
	}
}

// Metrics answers what Prometheus asks. It belongs on an address of its own,
// which only operators reach.
func (d *Directory) Metrics() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.metrics.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(d.Log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: 4, Timeout: headerTimeout,
	}))
	return mux
}

// ServeMetrics answers them on the listener until the context ends, without TLS.
func (d *Directory) ServeMetrics(ctx context.Context, l net.Listener) error {
	s := &http.Server{
		Handler: d.Metrics(), ReadTimeout: headerTimeout, WriteTimeout: requestTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(d.Log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() }) // scrapes come again
	defer stop()
	if err := s.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}
