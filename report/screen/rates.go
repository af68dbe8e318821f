package screen

import (
	"time"

	"tcpstate/report"
)

// rateOver is the time that rates are worked out over.
const rateOver = 3 * time.Second

// rates are worked out from what the latest snapshots count, in packet time.
type rates struct{ samples []sample }

type sample struct {
	at               time.Time
	packets, dropped uint64
}

func (r *rates) add(s *report.Snapshot) {
	x := sample{s.Now, s.Packets, s.Dropped + s.IfDropped}
	if n := len(r.samples); n > 0 {
		last := r.samples[n-1]
		if x.at.Before(last.at) || x.packets < last.packets || x.dropped < last.dropped {
			r.samples = nil // time ran back: another beginning
		} else if x.at.Equal(last.at) {
			r.samples = r.samples[:n-1]
		}
	}
	r.samples = append(r.samples, x)
	for len(r.samples) > 2 && x.at.Sub(r.samples[1].at) >= rateOver {
		r.samples = r.samples[1:]
	}
}

// per returns packets and drops per second of the latest time; false where it is not yet known.
func (r *rates) per() (packets, dropped float64, ok bool) {
	if len(r.samples) < 2 {
		return 0, 0, false
	}
	a, b := r.samples[0], r.samples[len(r.samples)-1]
	sec := b.at.Sub(a.at).Seconds()
	return float64(b.packets-a.packets) / sec, float64(b.dropped-a.dropped) / sec, true
}
