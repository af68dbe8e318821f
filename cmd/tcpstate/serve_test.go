package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

func TestMetricsAddr(t *testing.T) {
	for s, want := range map[string]string{
		"9100":                      "tcp4 127.0.0.1:9100",
		":9100":                     "tcp4 127.0.0.1:9100",
		":0":                        "tcp4 127.0.0.1:0",
		"0":                         "tcp4 127.0.0.1:0",
		"127.0.0.1:9100":            "tcp4 127.0.0.1:9100",
		"0.0.0.0:9100":              "tcp4 0.0.0.0:9100",
		"192.0.2.1:65535":           "tcp4 192.0.2.1:65535",
		"[::ffff:192.0.2.1]:9100":   "tcp4 192.0.2.1:9100",
		"[::1]:9100":                "tcp [::1]:9100",
		"[::]:9100":                 "tcp [::]:9100",
		"[fe80::1%eth0]:9100":       "tcp [fe80::1%eth0]:9100",
		"localhost:9100":            "tcp localhost:9100",
		"host-1.example.:9100":      "tcp host-1.example.:9100",
		"":                          `"" is no port`,
		":":                         `"" is no port`,
		"localhost":                 `"localhost" is no port`,
		"localhost:":                `"" is no port`,
		"127.0.0.1":                 `"127.0.0.1" is no port`,
		":http":                     `"http" is no port`,
		":65536":                    `"65536" is no port`,
		":-1":                       `"-1" is no port`,
		":+1":                       `"+1" is no port`,
		"::1":                       "too many colons in address: give it as",
		"::1:9100":                  "too many colons in address: give it as",
		"[::1]":                     "missing port in address: give it as",
		"[::1:9100":                 "missing ']' in address: give it as",
		"[::g]:9100":                `"::g" is neither an address nor a name`,
		"*:9100":                    `"*" is neither an address nor a name; 0.0.0.0 is every address`,
		"300.1.1.1:9100":            `"300.1.1.1" is neither an address nor a name`,
		"a b:9100":                  `"a b" is neither an address nor a name`,
		"-a:9100":                   `"-a" is neither an address nor a name`,
		"http://127.0.0.1:9100":     "without more of a URL",
		"127.0.0.1:9100/metrics":    "without more of a URL",
		"unix:/run/tcpstate.socket": "without more of a URL",
	} {
		at, err := parseMetricsAddr(s)
		got := at.network() + " " + at.String()
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%q: %s, instead of %s", s, got, want)
		}
	}
}

// A bad address is a mistake on the command line, and the capture does not begin.
func TestMetricsAddrIsChecked(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := run([]string{"-i", "nosuchinterface", "--metrics", "*:9\x1b"}, nil, &stdout, &stderr)
	if code != exitUsage || stdout.Len() > 0 || !strings.Contains(stderr.String(), "tcpstate: --metrics *:") ||
		!strings.Contains(stderr.String(), "is no port") || strings.Contains(stderr.String(), "\x1b") {
		t.Errorf("exit status %d\n%s%q", code, &stdout, &stderr)
	}
}

// serving starts a server on a port that is free, and gives its base address.
func serving(t *testing.T, latest func() *report.Snapshot) (m *metricsServer, base string) {
	t.Helper()
	m, said := listening(t, latest)
	m.start()
	at := regexp.MustCompile(`^tcpstate: metrics at (http://127\.0\.0\.1:[1-9]\d*)/metrics\n$`).FindStringSubmatch(said)
	if at == nil {
		t.Fatalf("it says %q", said)
	}
	return m, at[1]
}

func listening(t *testing.T, latest func() *report.Snapshot) (m *metricsServer, said string) {
	t.Helper()
	var stderr bytes.Buffer
	m, err := (&cli{stderr: &stderr}).serveMetrics(":0", latest)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.close)
	return m, stderr.String()
}

// patient gives a server that works time enough, on a machine that is busy too.
const patient = 20 * time.Second

func fetch(t *testing.T, url string) (status int, body string) {
	t.Helper()
	client := &http.Client{Timeout: patient, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func nothingYet() *report.Snapshot { return nil }

// It tells of nothing, with 200, before there is a snapshot, and then of the latest.
func TestMetricsAreServed(t *testing.T) {
	var latest atomic.Pointer[report.Snapshot]
	_, base := serving(t, latest.Load)
	for _, n := range []uint64{0, 7, 9} {
		if n > 0 {
			latest.Store(&report.Snapshot{Packets: n})
		}
		if status, body := fetch(t, base+"/metrics"); status != 200 || !strings.Contains(body, fmt.Sprintf("\ntcpstate_packets_total %d\n", n)) {
			t.Errorf("%d\n%s", status, body)
		}
	}
	if status, body := fetch(t, base+"/healthz"); status != 200 || body != "ok\n" {
		t.Errorf("/healthz: %d %q", status, body)
	}
	if status, _ := fetch(t, base+"/else"); status != 404 {
		t.Errorf("/else: %d", status)
	}
	_, version, _ := strings.Cut(versionText(), " ")
	if _, body := fetch(t, base+"/metrics"); !strings.Contains(body, `tcpstate_build_info{version="`+programVersion()+`"} 1`) || !strings.HasPrefix(version, programVersion()+" (") {
		t.Errorf("the version is not that of --version, %s\n%s", version, body)
	}
}

// Who comes before start is answered after it: privileges are dropped between.
func TestMetricsWaitForStart(t *testing.T) {
	asked := make(chan struct{}, 1)
	m, _ := listening(t, func() *report.Snapshot { asked <- struct{}{}; return nil })
	c := dial(t, m)
	fmt.Fprintf(c, "GET /metrics HTTP/1.0\r\n\r\n")
	time.Sleep(50 * time.Millisecond) // for a server that would not wait
	select {
	case <-asked:
		t.Error("it answered before start")
	default:
	}
	m.start()
	m.start() // once is enough
	if r, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || r.StatusCode != 200 {
		t.Errorf("%v %v", r, err)
	}
}

// Without --metrics nothing is served, and nothing has to ask whether it is.
func TestNoMetrics(t *testing.T) {
	var stderr bytes.Buffer
	m, err := (&cli{stderr: &stderr}).serveMetrics("", nothingYet)
	if m != nil || err != nil || stderr.Len() > 0 {
		t.Errorf("%v %v %q", m, err, &stderr)
	}
	m.start()
	m.close()
}

// Where it cannot listen it says so in one line.
func TestMetricsCannotListen(t *testing.T) {
	m, _ := listening(t, nothingYet)
	for addr, want := range map[string]string{
		m.addr(): "cannot listen on " + m.addr() + ": address already in use",
		// A test network's address, and a name that cannot be one (RFC 6761).
		"192.0.2.1:0": "cannot listen on 192.0.2.1:0: cannot assign requested address",
		"x.invalid:0": "cannot listen on x.invalid:0: ",
	} {
		_, err := new(cli).serveMetrics(addr, nothingYet)
		var s statusError
		if !errors.As(err, &s) || s.code != exitUsage || !strings.Contains(err.Error(), "--metrics "+addr+": "+want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", addr, err)
		}
	}
	m.close()
	again, err := (&cli{stderr: io.Discard}).serveMetrics(m.addr(), nothingYet)
	if err != nil {
		t.Fatalf("it did not let go of its port: %v", err)
	}
	again.close()
	again.close()
}

// Where others than this machine may ask, it says so.
func TestMetricsSayWhoMayAsk(t *testing.T) {
	for addr, want := range map[string]string{
		"0.0.0.0:0":   `0\.0\.0\.0:\d+/metrics \(and at every other address of this machine\)`,
		"localhost:0": `(127\.0\.0\.1|\[::1\]):\d+/metrics`,
		"[::1]:0":     `\[::1\]:\d+/metrics`,
		"[::]:0":      `\[::\]:\d+/metrics \(and at every other address of this machine\)`,
	} {
		var stderr bytes.Buffer
		m, err := (&cli{stderr: &stderr}).serveMetrics(addr, nothingYet)
		if err != nil {
			if !strings.Contains(addr, "::") {
				t.Error(err)
			}
			continue // a machine without IPv6
		}
		m.close()
		if !regexp.MustCompile(`^tcpstate: metrics at http://` + want + `\n$`).Match(stderr.Bytes()) {
			t.Errorf("%s: %q", addr, &stderr)
		}
	}
}

func dial(t *testing.T, m *metricsServer) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", m.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patient))
	return c
}

// A request that is larger than any scraper's is turned away.
func TestMetricsRequestsAreSmall(t *testing.T) {
	m, _ := serving(t, nothingYet)
	c := dial(t, m)
	go fmt.Fprintf(c, "GET /metrics HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", 4*serveHeaderBytes))
	if r, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || r.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v %v", r, err)
	}
}

// Clients that send nothing, half a request, or read no answer do not hold up the end.
func TestMetricsEndInSpiteOfClients(t *testing.T) {
	m, base := serving(t, nothingYet)
	dial(t, m)
	fmt.Fprint(dial(t, m), "GET /metrics HTTP/1.1\r\nHost:")
	deaf := dial(t, m)
	deaf.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	var err error
	for i := 0; i < 1_000_000 && err == nil; i++ { // until its answers fill all that lies between
		_, err = fmt.Fprint(deaf, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the server does not wait for who does not read: %v", err)
	}
	if status, _ := fetch(t, base+"/healthz"); status != 200 {
		t.Errorf("/healthz beside them: %d", status)
	}
	done := make(chan time.Duration)
	began := time.Now()
	go func() { m.close(); done <- time.Since(began) }()
	select {
	case took := <-done:
		if took > serveReadWithin {
			t.Errorf("it took %s", took)
		}
	case <-time.After(patient):
		t.Fatal("it does not end")
	}
	if c, err := net.Dial("tcp", m.addr()); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}

// While there are many connections, an answer is the last on its own.
func TestMetricsConnectionsAreNotKeptByMany(t *testing.T) {
	m, _ := serving(t, nothingYet)
	for n := 1; n < serveConns; n++ {
		c := dial(t, m)
		fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("connection %d: %v", n, err)
		}
		if r.Close {
			if n < serveKept {
				t.Errorf("connection %d is not kept", n)
			}
			return
		}
	}
	t.Error("all are kept")
}

func TestLimitedListener(t *testing.T) {
	inner, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newLimitedListener(inner, 2)
	var first net.Conn
	for range 3 {
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for range 2 {
		if first, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
		defer first.Close()
	}
	third := make(chan error, 1)
	go func() { _, err := l.Accept(); third <- err }()
	select {
	case <-third:
		t.Error("three at a time")
	case <-time.After(100 * time.Millisecond): // for one that would not wait
	}
	first.Close()
	first.Close() // gives nothing back
	select {
	case err := <-third:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patient):
		t.Fatal("a slot that is free is not taken")
	}
	if l.open() != 2 {
		t.Errorf("%d slots are taken by two connections", l.open())
	}
	go func() { _, err := l.Accept(); third <- err }()
	l.Close()
	select {
	case err := <-third:
		if !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	case <-time.After(patient):
		t.Fatal("Accept outlives Close")
	}
}

// README.md names no metric and no label that there is not.
func TestReadmeNamesMetrics(t *testing.T) {
	_, base := serving(t, nothingYet)
	_, metrics := fetch(t, base+"/metrics")
	names := regexp.MustCompile(`tcpstate_[a-z_]+(\{[^}]*\})?`).FindAllString(readPage(t, "README.md"), -1)
	if len(names) == 0 {
		t.Error("README.md names no metric")
	}
	for _, name := range names {
		family, labels, _ := strings.Cut(strings.TrimRight(name, "}"), "{")
		found := false
		for line := range strings.Lines(metrics) {
			if rest, ok := strings.CutPrefix(line, family); ok && (rest[0] == '{' || rest[0] == ' ') {
				found = found || strings.Contains(rest, labels)
			}
		}
		if !found {
			t.Errorf("README.md names %s", name)
		}
	}
}

// Prometheus' own tool has nothing to say of a scrape, before the capture and in it.
func TestPromtoolAcceptsTheScrape(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		lacking(t, "promtool is not installed (Debian package prometheus)")
	}
	s := &report.Snapshot{Now: time.Unix(1_795_209_855, 0), Packets: 9, Opened: 3}
	s.States[tracker.Established].Confirmed = 2
	s.Roles[tracker.Established] = [2]uint64{1, 1}
	s.Closed[tracker.Graceful], s.Resets[tracker.ResetStray] = 2, 1
	s.Handshakes.Add(1e6)
	s.Handshakes.Add(1e12)
	s.Findings = []report.ActiveFinding{{Finding: detect.Finding{ID: "refused", Severity: detect.Error}}}
	for name, s := range map[string]*report.Snapshot{"nothing yet": nil, "a capture": s} {
		_, base := serving(t, func() *report.Snapshot { return s })
		_, page := fetch(t, base+"/metrics")
		check := exec.Command(promtool, "check", "metrics")
		check.Stdin = strings.NewReader(page)
		if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
