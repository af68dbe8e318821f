package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"tcpstate/report"
	"tcpstate/report/metrics"
)

// What a client of --metrics may take. Prometheus asks every 15 to 60 s, and waits for 10 s.
const (
	serveHeaderBytes = 8 << 10
	serveReadWithin  = 5 * time.Second
	serveWriteWithin = 10 * time.Second
	serveIdle        = 90 * time.Second
	serveConns       = 32                     // at a time; more wait
	serveKept        = serveConns / 2         // that may stay open between two requests
	serveLookUp      = 5 * time.Second        // for a host's name
	serveFarewell    = 250 * time.Millisecond // for answers that are under way at the end
)

// metricsServer serves --metrics. nil serves nothing.
type metricsServer struct {
	listener *limitedListener
	server   *http.Server
	started  bool
	ended    chan struct{}
}

// serveMetrics opens addr, the value of --metrics, and says where that is; "" opens
// nothing. It is for before privileges are dropped. Nobody is answered before start:
// who comes before that waits. latest is called from other goroutines and must not
// block; it may return nil.
func (c *cli) serveMetrics(addr string, latest func() *report.Snapshot) (*metricsServer, error) {
	if addr == "" {
		return nil, nil
	}
	at, err := parseMetricsAddr(addr)
	if err != nil {
		return nil, usageError(fmt.Errorf("--metrics %s: %w", addr, err))
	}
	ctx, cancel := context.WithTimeout(context.Background(), serveLookUp)
	defer cancel()
	l, err := new(net.ListenConfig).Listen(ctx, at.network(), at.String())
	if err != nil {
		return nil, statusError{exitUsage, fmt.Errorf("--metrics %s: cannot listen on %s: %w", addr, at, withoutAddr(err))}
	}
	m := &metricsServer{listener: newLimitedListener(l, serveConns), ended: make(chan struct{})}
	m.server = &http.Server{
		Handler:           m.sparing(metrics.Handler(metrics.New(latest, programVersion()))),
		ReadHeaderTimeout: serveReadWithin,
		ReadTimeout:       serveReadWithin,
		WriteTimeout:      serveWriteWithin,
		IdleTimeout:       serveIdle,
		MaxHeaderBytes:    serveHeaderBytes,
		// It would write to standard error, across the screen.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	c.complain("metrics at http://%s%s%s", m.addr(), metrics.Path, at.audience())
	return m, nil
}

// start begins to answer.
func (m *metricsServer) start() {
	if m == nil || m.started {
		return
	}
	m.started = true
	go func() {
		defer close(m.ended)
		m.server.Serve(m.listener) // until close
	}()
}

// close ends it within a second, whatever its clients do. It may be called twice.
func (m *metricsServer) close() {
	if m == nil {
		return
	}
	if !m.started {
		m.listener.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), serveFarewell)
	defer cancel()
	if m.server.Shutdown(ctx) != nil {
		m.server.Close()
	}
	<-m.ended
}

// addr is where it listens.
func (m *metricsServer) addr() string { return m.listener.Addr().String() }

// sparing has clients go after their answer while there are many, so that those who
// only keep a connection open do not keep others out.
func (m *metricsServer) sparing(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.listener.open() > serveKept {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

// metricsAddr is where to listen.
type metricsAddr struct {
	host string // a name, or an address without brackets
	port uint16 // 0: any that is free
}

var metricsHost = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$`)

// parseMetricsAddr reads [HOST:]PORT. Without a host it is loopback: what a capture
// tells is not for everybody unless somebody says so.
func parseMetricsAddr(s string) (metricsAddr, error) {
	if strings.Contains(s, "/") {
		return metricsAddr{}, errors.New("give it as [HOST:]PORT, such as :9100, without more of a URL")
	}
	host, port := "", s
	if strings.Contains(s, ":") {
		var err error
		if host, port, err = net.SplitHostPort(s); err != nil {
			why := err.Error()
			if e := (*net.AddrError)(nil); errors.As(err, &e) {
				why = e.Err
			}
			return metricsAddr{}, fmt.Errorf("%s: give it as [HOST:]PORT, such as :9100 or [::1]:9100", why)
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return metricsAddr{}, fmt.Errorf("%q is no port: a number from 0 to 65535 (0 takes one that is free)", port)
	}
	at := metricsAddr{host, uint16(n)}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "":
		at.host = "127.0.0.1"
	case err == nil:
		at.host = ip.Unmap().String()
	case strings.Contains(host, ":") || !metricsHost.MatchString(host) || strings.Trim(host, "0123456789.") == "":
		return metricsAddr{}, fmt.Errorf("%q is neither an address nor a name; 0.0.0.0 is every address", host)
	}
	return at, nil
}

func (a metricsAddr) String() string {
	return net.JoinHostPort(a.host, strconv.Itoa(int(a.port)))
}

// network keeps 0.0.0.0 to what it says: "tcp" would take it for all of IPv6, too.
func (a metricsAddr) network() string {
	if ip, err := netip.ParseAddr(a.host); err == nil && ip.Is4() {
		return "tcp4"
	}
	return "tcp"
}

// audience says so where others than this machine may ask.
func (a metricsAddr) audience() string {
	if ip, err := netip.ParseAddr(a.host); err == nil && ip.IsUnspecified() {
		return " (and at every other address of this machine)"
	}
	return ""
}

// withoutAddr is err without the address, which was said already.
func withoutAddr(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) {
		return err
	}
	if call := (*os.SyscallError)(nil); errors.As(op.Err, &call) {
		return call.Err
	}
	return op.Err
}

// limitedListener has only so many connections open at a time. Those beyond wait in the
// kernel.
type limitedListener struct {
	net.Listener
	slots  chan struct{} // one in it for each connection
	closed chan struct{}
	once   sync.Once
}

func newLimitedListener(l net.Listener, n int) *limitedListener {
	return &limitedListener{Listener: l, slots: make(chan struct{}, n), closed: make(chan struct{})}
}

// open is how many connections there are, the one that is waited for among them.
func (l *limitedListener) open() int { return len(l.slots) }

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, of: l}, nil
}

func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// limitedConn gives its slot back when it is closed.
type limitedConn struct {
	net.Conn
	of   *limitedListener
	once sync.Once
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.of.slots })
	return err
}
