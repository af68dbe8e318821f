package compare

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"tcpstate/report"
	"tcpstate/report/detect"
)

// These are the records of the JSON output, as far as they are compared.

type summary struct {
	Packets     amount            `json:"packets"`
	Segments    amount            `json:"segments"`
	Connections amount            `json:"connections"`
	Folded      amount            `json:"folded"`
	Evicted     amount            `json:"evicted"`
	Skipped     counts            `json:"skipped"`
	Close       counts            `json:"close"`
	ClosedFirst counts            `json:"closed_first"`
	Resets      counts            `json:"resets"`
	States      ordered[endCount] `json:"states"`
	Quality     struct {
		Start     time.Time  `json:"start"`
		Span      float64    `json:"span"`
		Midstream amount     `json:"midstream"`
		Copies    amount     `json:"copies"`
		Dropped   amount     `json:"dropped"`
		IfDropped amount     `json:"if_dropped"`
		TimeBack  amount     `json:"time_back"`
		Damage    []struct{} `json:"damage"`
	} `json:"quality"`
}

// amount is a number of things. No report has more of them than it can reckon with.
type amount uint64

func (a *amount) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseUint(string(b), 10, 48)
	if err != nil {
		return fmt.Errorf("%.40q is no number of things", b)
	}
	*a = amount(n)
	return nil
}

// endCount counts endpoints in one state, of a capture or of a service.
type endCount struct {
	Confirmed amount `json:"confirmed"`
	Presumed  amount `json:"presumed"`
	Elapsed   amount `json:"elapsed"`
	Client    amount `json:"client"`
	Server    amount `json:"server"`
}

type service struct {
	Addr        string            `json:"addr"`
	Port        uint16            `json:"port"`
	Connections amount            `json:"connections"`
	States      ordered[endCount] `json:"states"`
	Close       counts            `json:"close"`
	Resets      counts            `json:"resets"`
	Handshake   struct {
		N   amount   `json:"n"`
		P50 *float64 `json:"p50"`
		P99 *float64 `json:"p99"`
	} `json:"handshake"`
}

func (v *service) service() (Service, error) {
	s := Service{Port: v.Port, Connections: uint64(v.Connections), Close: report.Counts(v.Close), Resets: report.Counts(v.Resets),
		Client:    v.States.counts(func(e *endCount) amount { return e.Client }),
		Server:    v.States.counts(func(e *endCount) amount { return e.Server }),
		Handshake: Times{N: uint64(v.Handshake.N), P50: orNaN(v.Handshake.P50), P99: orNaN(v.Handshake.P99)}}
	for _, l := range []report.Counts{s.Close, s.Resets, s.Client, s.Server} {
		for _, c := range l {
			if c.N > s.Connections {
				return s, fmt.Errorf("%w: of %d connections of a service it counts %d", ErrNoReport, s.Connections, c.N)
			}
		}
	}
	if v.Addr == "others" {
		return s, nil
	}
	var err error
	if s.Addr, err = netip.ParseAddr(v.Addr); err != nil {
		return s, fmt.Errorf("%w: a service is at %q", ErrNoReport, v.Addr)
	}
	return s, nil
}

// orNaN is a time; there are none below 0.
func orNaN(v *float64) float64 {
	if v == nil || *v < 0 {
		return math.NaN()
	}
	return *v
}

// finding is a detect.Finding with its metrics as they are written.
type finding struct {
	ID          string            `json:"id"`
	Severity    detect.Severity   `json:"severity"`
	Subject     string            `json:"subject"`
	Count       int               `json:"count"`
	First       time.Time         `json:"first"`
	Last        time.Time         `json:"last"`
	Metrics     ordered[*float64] `json:"metrics"`
	Evidence    detect.Evidence   `json:"evidence"`
	Blame       detect.Blame      `json:"blame"`
	SeenBy      detect.SeenBy     `json:"seen_by"`
	Explanation string            `json:"explanation"`
	Advice      string            `json:"advice"`
	Wireshark   string            `json:"wireshark"`
}

// blames are the values of Finding.Blame, and saws those of Finding.SeenBy.
var (
	blames = []detect.Blame{detect.BlameClient, detect.BlameServer, detect.BlameNetwork, detect.BlameMiddlebox, detect.BlameUnknown}
	saws   = []string{detect.SawNothing, detect.SawRefused, detect.SawReset, detect.SawTimeout, detect.SawPipe, detect.SawNoAddress,
		detect.SawHostUnreach, detect.SawNetUnreach, detect.SawAborted, detect.SawMsgSize}
)

func (f *finding) finding() (detect.Finding, error) {
	out := detect.Finding{ID: f.ID, Severity: f.Severity, Subject: f.Subject, Count: f.Count, First: f.First, Last: f.Last,
		Evidence: f.Evidence, Blame: f.Blame, SeenBy: f.SeenBy, Explanation: f.Explanation, Advice: f.Advice, Wireshark: f.Wireshark}
	for _, m := range f.Metrics {
		v := math.NaN()
		if m.value != nil {
			v = *m.value
		}
		out.Metrics = append(out.Metrics, detect.Metric{Name: m.name, Value: v})
	}
	switch {
	case !word(f.ID), f.Count < 0, !slices.Contains(blames, f.Blame), !slices.Contains(saws, f.SeenBy.Client), !slices.Contains(saws, f.SeenBy.Server):
		return out, fmt.Errorf("%w: a finding of it is none", ErrNoReport)
	}
	return out, nil
}
