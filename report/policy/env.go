package policy

import (
	"time"

	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// connection is a report.Record without its methods, which would be callable.
type connection report.Record

// finding is a detect.Finding by the names of the JSON record.
type finding struct {
	ID       string             `expr:"id"`
	Severity string             `expr:"severity"`
	Subject  string             `expr:"subject"`
	Count    int                `expr:"count"`
	First    time.Time          `expr:"first"`
	Last     time.Time          `expr:"last"`
	Metrics  map[string]float64 `expr:"metrics"`
	Evidence evidence           `expr:"evidence"`
	Blame    string             `expr:"blame"`
	SeenBy   seenBy             `expr:"seen_by"`
}

type evidence struct {
	Total int `expr:"total"`
}

type seenBy struct {
	Client string `expr:"client"`
	Server string `expr:"server"`
}

func (f *finding) fill(of *detect.Finding) {
	*f = finding{ID: of.ID, Severity: of.Severity.String(), Subject: of.Subject, Count: of.Count, First: of.First, Last: of.Last,
		Metrics: make(map[string]float64, len(of.Metrics)), Evidence: evidence{of.Evidence.Total}, Blame: string(of.Blame),
		SeenBy: seenBy{of.SeenBy.Client, of.SeenBy.Server}}
	if f.Blame == "" {
		f.Blame = string(detect.BlameUnknown)
	}
	for _, m := range of.Metrics {
		f.Metrics[m.Name] = m.Value
	}
}

// transition is a tracker.Transition by the names of the JSON record, but for the time,
// which is one.
type transition struct {
	Time      time.Time `expr:"time"`
	Frame     int       `expr:"frame"`
	ID        int       `expr:"id"`
	Endpoint  string    `expr:"endpoint"`
	Local     string    `expr:"local"`
	Remote    string    `expr:"remote"`
	From      string    `expr:"from"`
	To        string    `expr:"to"`
	Certainty string    `expr:"certainty"`
	Rule      string    `expr:"rule"`
}

func (t *transition) fill(of *tracker.Transition) {
	*t = transition{Time: time.Unix(0, of.Time).UTC(), Frame: int(of.Frame), ID: int(of.ID), Endpoint: "server",
		Local: of.Key.End(of.Side).String(), Remote: of.Key.End(of.Side ^ 1).String(),
		From: of.From.String(), To: of.To.String(), Certainty: of.Certainty.String(), Rule: of.Rule.Name()}
	if of.Client {
		t.Endpoint = "client"
	}
}

// whole is the capture: the numbers of the summary, by its names.
type whole struct {
	Source      string           `expr:"source"`
	Packets     int              `expr:"packets"`
	Segments    int              `expr:"segments"`
	Connections int              `expr:"connections"`
	Folded      int              `expr:"folded"`
	Evicted     int              `expr:"evicted"`
	Skipped     map[string]int   `expr:"skipped"`
	Close       map[string]int   `expr:"close"`
	ClosedFirst map[string]int   `expr:"closed_first"`
	Resets      map[string]int   `expr:"resets"`
	States      map[string]state `expr:"states"`
	Quality     quality          `expr:"quality"`
	Findings    map[string]int   `expr:"findings"`
}

type state struct {
	Confirmed int `expr:"confirmed"`
	Presumed  int `expr:"presumed"`
	Elapsed   int `expr:"elapsed"`
	Peak      int `expr:"peak"`
}

type quality struct {
	Start     time.Time `expr:"start"`
	End       time.Time `expr:"end"`
	Span      float64   `expr:"span"`
	Midstream int       `expr:"midstream"`
	Copies    int       `expr:"copies"`
	Dropped   int       `expr:"dropped"`
	IfDropped int       `expr:"if_dropped"`
	TimeBack  int       `expr:"time_back"`
	Quotes    int       `expr:"quotes"`
	Joined    int       `expr:"joined"`
	Untold    int       `expr:"untold"`
	Undecided int       `expr:"undecided"`
	Damage    int       `expr:"damage"` // how many
}

func counts(c report.Counts) map[string]int {
	m := make(map[string]int, len(c))
	for _, x := range c {
		m[x.Name] = int(x.N)
	}
	return m
}

func (w *whole) fill(f *report.Final) {
	s := f.Summary
	*w = whole{Source: f.Capture.Source, Packets: int(s.Packets), Segments: int(s.Segments), Connections: int(s.Connections),
		Folded: int(s.Folded), Evicted: int(s.Evicted), Skipped: counts(s.Skipped), Close: counts(s.Close),
		ClosedFirst: counts(s.ClosedFirst), Resets: counts(s.Resets), Findings: counts(s.Findings), States: map[string]state{}}
	for _, x := range s.States {
		w.States[x.State] = state{int(x.Confirmed), int(x.Presumed), int(x.Elapsed), int(x.Peak)}
	}
	q := &s.Quality
	w.Quality = quality{Span: q.Span, Midstream: int(q.Midstream), Copies: int(q.Copies), Dropped: int(q.Dropped),
		IfDropped: int(q.IfDropped), TimeBack: int(q.TimeBack), Quotes: int(q.Quotes),
		Joined: int(q.Joined), Untold: int(q.Untold), Undecided: int(q.Undecided), Damage: len(q.Damage)}
	if q.Start != nil {
		w.Quality.Start, w.Quality.End = time.Time(*q.Start), time.Time(*q.End)
	}
}
