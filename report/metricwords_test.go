package report

import (
	"math"
	"testing"
	"time"

	"tcpstate/report/detect"
)

func TestMetricWords(t *testing.T) {
	for _, x := range []struct {
		m    detect.Metric
		want string
	}{
		{detect.Metric{Name: "peak_at_seconds", Value: 0.353092}, "peak at: 353 ms after the first packet"},
		{detect.Metric{Name: "peak_at", Value: 1.5}, "peak at: 1970-01-01T00:00:01.5Z"},
		{detect.Metric{Name: "peak_at", Value: 0}, "peak at: 0"},
		{detect.Metric{Name: "left_seconds", Value: 59.898734}, "left: 59.9 s"},
		{detect.Metric{Name: "idle_seconds_median", Value: 2}, "idle median: 2.00 s"},
		{detect.Metric{Name: "seconds", Value: 3}, "time: 3.00 s"},
		{detect.Metric{Name: "time_to_exhaustion_seconds", Value: math.Inf(1)}, "time to exhaustion: -"},
		{detect.Metric{Name: "growth_per_second", Value: math.NaN()}, "growth: -"},
		{detect.Metric{Name: "rate_per_second", Value: 12.345}, "rate: 12.3 per second"},
		{detect.Metric{Name: "share", Value: 0.048913}, "share: 4.89 %"},
		{detect.Metric{Name: "share_of_range", Value: 0.5}, "share of range: 50 %"},
		{detect.Metric{Name: "answered_share", Value: 1}, "answered share: 100 %"},
		{detect.Metric{Name: "uncaptured_bytes", Value: 1448}, "uncaptured: 1.45 kB"},
		{detect.Metric{Name: "payload_segments", Value: 1472}, "payload segments: 1,472"},
		{detect.Metric{Name: "syn_received_peak", Value: 7}, "SYN-RECEIVED peak: 7"},
		{detect.Metric{Name: "rst_ttl", Value: 64}, "RST TTL: 64"},
		{detect.Metric{Name: "slope", Value: -0.0015}, "slope: -0.0015"},
	} {
		name, value := metricWords(x.m, func(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) })
		if got := name + ": " + value; got != x.want {
			t.Errorf("%s %v is %q, want %q", x.m.Name, x.m.Value, got, x.want)
		}
	}
}
