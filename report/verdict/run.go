package verdict

import (
	"strings"
	"time"

	"tcpstate/report/detect"
)

// Run is what one run of the program comes to.
type Run struct {
	Command string // check or diff
	Policy  string // the policy's file; "" without one
	FailOn  string // the severity from which findings fail, or never
	// Rules are what Check.Name of the kind Rule stands for, in order, whether or not
	// one of them failed.
	Rules []Rule
	// Checks are those of the policy itself, which no capture has to do with.
	Checks []Check
	Files  []File
	// Baseline: a baseline was given, so that what is new is known.
	Baseline bool
}

// Rule is something that was asked: an assertion of a policy.
type Rule struct {
	Name   string
	Expect string // in words or as an expression; "" if there is no more to say
	Line   int    // in Run.Policy; 0 if it does not stand there
}

// File is one capture, or several that were judged as one.
type File struct {
	Name  string   // as it was named; of several the first
	Names []string // of several, all
	Facts Facts
	// Checks are in a fixed order: Input first, then the rules as in Run.Rules, then the
	// findings as in detect.Catalogue.
	Checks []Check
	// Tables tell more than passing and failing, as old beside new. Outputs for people
	// and JSON show them.
	Tables []Table
}

// Facts are about the capture.
type Facts struct {
	Packets, Segments, Connections uint64
	Start                          time.Time // of the first packet; zero without one
	Span                           float64   // seconds
}

// Kind is what a Check asks.
type Kind uint8

const (
	Input   Kind = iota // could the capture be read
	Asked               // does a Rule hold
	Found               // findings of one id
	Allowed             // has an entry of allow come to its end
)

var kindNames = [...]string{"input", "assertion", "finding", "allow"}

func (k Kind) String() string { return kindNames[k] }

// Status is what becomes of a Check or of one Result.
type Status uint8

// From the least to the gravest: a Check has that of the gravest of its Results, unless
// it failed for another reason.
const (
	Pass     Status = iota
	Known           // it was there before: the baseline has it
	Accepted        // the policy accepts it
	Fail
	Broken // could not be judged in full: the input is unreadable or damaged
)

var statusNames = [...]string{"pass", "baseline", "accepted", "fail", "error"}

func (s Status) String() string { return statusNames[s] }

// Failed reports whether it fails the run.
func (s Status) Failed() bool { return s >= Fail }

// Check is one question to one capture. Every output shows it as one: a test case, a
// line of the table.
type Check struct {
	Kind Kind
	// Name is the rule's name or the finding's id; "input" of Input. Unique among those
	// of its kind in a file.
	Name string
	// Severity is that of the gravest Result, or of a failed rule: Error.
	Severity detect.Severity
	Status   Status
	// Text says in one line how it went, in particular why it failed; "" if there is
	// nothing to say.
	Text string
	Line int // in Run.Policy; 0 if it does not stand there
	// Results are what it found: findings, or what is not as expected. In order, the
	// gravest first; More are left out.
	Results []Result
	More    int
}

// Result is one thing that was found.
type Result struct {
	Status   Status
	Severity detect.Severity
	Change   Change
	// Subject is what it is about; with the file's name and the check's it is the same
	// in every run: "server 10.0.0.9:9100". Of a connection "connection 3".
	Subject string
	Count   int // connections or events behind it; 0 if that says nothing
	// Text says what happened, Advice what to do about it. Either may be "".
	Text, Advice string
	// Reason says why it does not fail: who accepts it.
	Reason string
	// Frames are those of some of the connections, one connection after the other, of
	// which there are Total.
	Frames []Frame
	Total  int
}

// Frame is evidence.
type Frame struct {
	Connection string // its id, with its incarnation where there are several: 3.1
	Number     uint64 // as Wireshark has it
	Text       string // what it shows; may be ""
}

// Change compares a Result with an earlier run.
type Change uint8

const (
	NoBaseline Change = iota // nothing to compare with
	New
	Unchanged
	Updated // it was there and is not as it was: grew or shrank
	Gone    // it was there and is no more
)

var changeNames = [...]string{"", "new", "unchanged", "updated", "absent"}

// String is the word of SARIF's baselineState; "" for NoBaseline.
func (c Change) String() string { return changeNames[c] }

// Table is for people and JSON. Heads that begin with > are flush right.
type Table struct {
	Title string
	Heads []string
	Rows  [][]string
}

// Failed reports whether the run failed.
func (r *Run) Failed() bool { return r.Status().Failed() }

// Status is that of the gravest check: Fail, or Broken, or Pass for all else.
func (r *Run) Status() Status {
	s := gravest(r.Checks)
	for i := range r.Files {
		s = max(s, r.Files[i].Status())
	}
	return s
}

// Status is that of the gravest check: Fail, or Broken, or Pass for all else.
func (f *File) Status() Status { return gravest(f.Checks) }

func gravest(l []Check) (s Status) {
	for i := range l {
		if x := l[i].Status; x.Failed() {
			s = max(s, x)
		}
	}
	return s
}

// Settle gives a check of findings its status, its severity and its line from its results.
func (c *Check) Settle() {
	c.Severity = detect.Note
	for i := range c.Results {
		c.Status = max(c.Status, c.Results[i].Status)
		c.Severity = max(c.Severity, c.Results[i].Severity)
	}
}

// Note adds to what an input is like; broken if not all of it could be read.
func (c *Check) Note(text string, broken bool) {
	if c.Text != "" {
		c.Text += "; "
	}
	c.Text += text
	if broken {
		c.Status, c.Severity = Broken, detect.Error
	}
}

// Broken says that it could not be judged, or not in full; err may be nil where Note has
// said why.
func (c *Check) Broken(err error) {
	c.Status, c.Severity = Broken, detect.Error
	if err != nil && !strings.Contains(c.Text, err.Error()) {
		c.Note(err.Error(), true)
	}
	if c.Text == "" {
		c.Text = "interrupted"
	}
}
