package metrics

import (
	"io"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Path is where Handler serves the metrics.
const Path = "/metrics"

// front is the page at /.
const front = `<!DOCTYPE html><html lang="en"><title>tcpstate</title><p>tcpstate follows TCP connections: <a href="` + Path + `">metrics</a></p></html>
`

// Handler serves c at Path, a page that leads there at /, and /healthz for who only asks
// whether anybody is there. It answers GET and HEAD.
func Handler(c *Collector) http.Handler {
	// A registry of its own: what others register for all is not told.
	own := prometheus.NewRegistry()
	own.MustRegister(c)
	mux := http.NewServeMux()
	mux.Handle(Path, promhttp.HandlerFor(own, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("/{$}", text("text/html; charset=utf-8", front))
	mux.HandleFunc("/healthz", text("text/plain; charset=utf-8", "ok\n"))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		// A browser that shows it runs, frames and keeps nothing.
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func text(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		io.WriteString(w, body)
	}
}
