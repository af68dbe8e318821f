package metrics

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(t testing.TB, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestPages(t *testing.T) {
	h := Handler(of(rich()))
	for _, x := range []struct {
		method, path string
		status       int
		kind, holds  string
	}{
		{"GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8", "\ntcpstate_packets_total 100001\n"},
		{"HEAD", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8", ""},
		{"GET", "/", 200, "text/html; charset=utf-8", `<a href="/metrics">`},
		{"GET", "/healthz", 200, "text/plain; charset=utf-8", "ok\n"},
		{"GET", "/metrics/", 404, "", ""},
		{"GET", "/debug/pprof/", 404, "", ""},
		{"POST", "/metrics", 405, "", ""},
		{"PUT", "/", 405, "", ""},
		{"TRACE", "/metrics", 405, "", ""},
		{"OPTIONS", "/metrics", 405, "", ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(x.method, x.path, nil))
		head := w.Result().Header
		if w.Code != x.status || x.kind != "" && !strings.HasPrefix(head.Get("Content-Type"), x.kind) || !strings.Contains(w.Body.String(), x.holds) {
			t.Errorf("%s %s: %d %v\n%s", x.method, x.path, w.Code, head, w.Body)
		}
		if head.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(head.Get("Content-Security-Policy"), "default-src 'none'") || head.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: %v", x.method, x.path, head)
		}
		if x.status == 405 && head.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %s allows %q", x.method, x.path, head.Get("Allow"))
		}
	}
}

// Who asks for OpenMetrics gets it.
func TestOpenMetrics(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, Path, nil)
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	w := httptest.NewRecorder()
	Handler(of(rich())).ServeHTTP(w, r)
	if page := w.Body.String(); w.Code != 200 || !strings.HasSuffix(page, "\n# EOF\n") || !strings.Contains(page, "\n# TYPE tcpstate_packets counter\n") {
		t.Errorf("%d\n%s", w.Code, page)
	}
}
