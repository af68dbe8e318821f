package detect

import (
	"fmt"
	"time"
)

// Severity says how much a finding matters.
type Severity uint8

const (
	Note Severity = iota
	Warning
	Error
)

var severityNames = [...]string{"note", "warning", "error"}

func (s Severity) String() string { return severityNames[s] }

// MarshalText makes it a word in JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word.
func (s *Severity) UnmarshalText(b []byte) error {
	for i, n := range severityNames {
		if n == string(b) {
			*s = Severity(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not one of note, warning, error", b)
}

// lower is one severity less, at least a note.
func (s Severity) lower() Severity {
	if s == Note {
		return Note
	}
	return s - 1
}

// Blame says which side must act.
type Blame string

const (
	BlameClient    Blame = "client"
	BlameServer    Blame = "server"
	BlameNetwork   Blame = "network"
	BlameMiddlebox Blame = "middlebox"
	BlameUnknown   Blame = "unknown"
)

// What an application sees, by the names of errno(3). SawNothing where the
// kernel does not tell it.
const (
	SawRefused     = "ECONNREFUSED"
	SawReset       = "ECONNRESET"
	SawTimeout     = "ETIMEDOUT"
	SawPipe        = "EPIPE"
	SawNoAddress   = "EADDRNOTAVAIL"
	SawHostUnreach = "EHOSTUNREACH"
	SawNetUnreach  = "ENETUNREACH"
	SawAborted     = "ECONNABORTED"
	SawMsgSize     = "EMSGSIZE"
	SawNothing     = ""
)

// Finding is a named, evidenced diagnosis of one subject. The tags are the
// names in JSON.
type Finding struct {
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	// Subject is what it is about, in one of the catalogue's forms: see Server,
	// Flow, Host, Hosts, Endpoint, Service, Router, Connection and WholeCapture.
	Subject string `json:"subject"`
	// Count is the number of connections behind it, or of events where there is
	// no connection.
	Count int `json:"count"`
	// First and Last are packet times, UTC.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// Metrics are named numbers; a unit ends the name: idle_seconds.
	Metrics  Metrics  `json:"metrics"`
	Evidence Evidence `json:"evidence"`
	Blame    Blame    `json:"blame"`
	SeenBy   SeenBy   `json:"seen_by"`
	// Explanation says in two or three sentences what happened, Advice what to
	// do about it and who.
	Explanation string `json:"explanation"`
	Advice      string `json:"advice"`
	// Wireshark is a display filter that selects the evidence.
	Wireshark string `json:"wireshark"`

	refs []Ref // all its connections
	// beyond are the frames of the evidence that the stream numbers do not select.
	beyond []uint64
	// later is the evidence that is left to be put into words, see Worded; untold what it
	// says of what was not kept.
	later  later
	untold missing
	// inPlace are those of them that it tells of in place of the detectors that its
	// own swallows; nil for all.
	inPlace *[]Ref
}

// Refs names all its connections, also those that the evidence leaves out; none
// where it is about something else.
func (f *Finding) Refs() []Ref { return f.refs }

// SeenBy is what each application saw; "" for nothing.
type SeenBy struct {
	Client string `json:"client"`
	Server string `json:"server"`
}

// Evidence is the proof: up to maxShown of Total connections. Engine.Findings may leave
// these, and Wireshark, to Finding.Worded.
type Evidence struct {
	Total       int      `json:"total"`
	Connections []Proven `json:"connections"`
}

// Proven is one connection with the frames that prove the rule, clause by
// clause, in order of frames.
type Proven struct {
	ID          uint64  `json:"id"`
	Incarnation uint32  `json:"incarnation"`
	Frames      []Proof `json:"frames"`
	// Untold is how many of its notable segments were not kept, between its first and its
	// latest: they are not in Frames, whatever they show. Finding.Worded fills it in.
	Untold uint64 `json:"untold"`
}

func (p *Proven) ref() Ref { return Ref{p.ID, p.Incarnation} }

// Proof is one frame and what it shows.
type Proof struct {
	Frame uint64 `json:"frame"`
	Text  string `json:"text"`
}

// Metric is one named number.
type Metric struct {
	Name  string
	Value float64
}

// Metrics keep their order, in JSON too, where they are one object. What is
// not a number (NaN, infinity) is null there.
type Metrics []Metric

// Get returns the metric of that name.
func (m Metrics) Get(name string) (float64, bool) {
	for _, x := range m {
		if x.Name == name {
			return x.Value, true
		}
	}
	return 0, false
}
