// Package page draws the report as one page of HTML that opens from disk: it calls nobody,
// and nothing that it is given is ever markup.
//
// It knows words, numbers and times, and nothing of captures: who fills a Page decides
// what is on it.
package page

// Page is all that one page shows. Strings are plain text. Times are ns since 1970.
type Page struct {
	Title     string
	Generator string // the program and its version
	Capture   []Fact // what was read
	Quality   []string
	Summary   []Fact
	States    []StateCount
	Closes    []Count // connections by kind of close
	First     []Count // by who closed first
	Resets    []Count // segments with RST by class
	Services  []Service
	Findings  []Finding // most severe first
	Hidden    string    // findings that are not shown, in words; "" if there are none
	Unjudged  bool      // nothing is to be said of findings: that there are none does not mean that nothing was found
	Start     string    // where the axis of time begins, in words; if "", it is written in UTC
	Series    *Series   // nil if there is none
	// Connections are the rows of the table, those of most interest first. Total is how
	// many the capture has.
	Connections []Connection
	Total       uint64
	Ladders     []Ladder
	Rules       []Rule // that rows of the ladders cite, in the order of a connection's life
	// Left says what was left out so that the page stays small, in whole sentences.
	Left []string
}

// Fact is a name with its value.
type Fact struct{ Name, Value string }

// Count is a name with a number.
type Count struct {
	Name string
	N    uint64
}

// State is the state of an endpoint as it is shown: the name of RFC 9293, and "confirmed",
// "presumed" or "elapsed".
type State struct{ Name, Certainty string }

// StateCount is a line of the census.
type StateCount struct {
	State                        string
	Confirmed, Presumed, Elapsed uint64
	Peak                         uint64
	PeakTime                     string // "" if Peak is 0
}

// Service is a server's address and port.
type Service struct {
	Addr        string
	Connections uint64
	Closes      string // kinds with their numbers, in words
	States      string // of both ends
	Resets      string
	Median, P99 string // handshake times; "" if none was seen
}

// Finding is a diagnosis.
type Finding struct {
	ID, Severity, Subject string // Severity is error, warning or note
	Count                 uint64
	First, Last           int64
	When                  string // both in words
	Blame                 string
	SeenBy                []Fact // what each application saw
	Explanation, Advice   string
	Wireshark             string // a display filter
	Metrics               []Fact
	Evidence              []Evidence
	More                  uint64 // connections beyond those
}

// Evidence is a connection with the frames that prove a finding.
type Evidence struct {
	Connection string // Connection.ID
	Ladder     bool   // the page has the ladder of it
	Frames     []Frame
}

// Frame is one of them and what it proves.
type Frame struct {
	N    uint64
	Text string
}

// Series are the endpoints in each state over time.
type Series struct {
	Start  int64
	Step   int64 // ns
	States []string
	// Last and Most are indexed by state, then step: how many at the end of the step, and
	// the most within it.
	Last, Most [][]uint64
}

// Connection is a row of the table, and a bar of the chart of connections.
type Connection struct {
	ID             string // the number, with that of the incarnation if there are several: 3.1
	Start, End     int64
	When, Took     string // both in words
	Client, Server string // address and port
	Ends           [2]State
	Close, By      string // kind of close, and who closed first
	Packets, Bytes uint64
	Findings       []string // ids
	Worst          string   // the severity of the worst of these, or ""
	Ladder         bool     // the page has its ladder
	// Bar is what each end's state was over time, client and server; nil if that is not
	// known.
	Bar [2][]Span
}

// Span is a time that an end spent in a state.
type Span struct {
	From, To int64
	State    State
}

// Ladder is one connection segment by segment, the client on the left.
type Ladder struct {
	ID          string // Connection.ID
	Left, Right string // address and port
	Note        string // who closed first, how, how long
	Rows        []Row
	Missing     uint64 // rows left out after the last
}

// Row is a line of a ladder.
type Row struct {
	Kind    Kind
	Frame   uint64 // 0 where there is none
	Time    string // relative to the first segment
	States  [2]State
	Revoked bool     // a presumption was taken back
	Text    string   // the segment, or what lies between two
	Class   string   // "" where it is an ordinary one
	Rules   []string // names of the rules that changed the states
	Marks   []Mark
}

// Mark is what a finding says of a row.
type Mark struct{ Finding, Text string }

// Rule is a rule of the states.
type Rule struct {
	Name   string
	Short  string // its first source, as a row cites it
	Why    string // what it says
	Source string // all of its sources
}

// Kind is what a Row stands for.
type Kind uint8

// The kinds of rows.
const (
	ToRight Kind = iota // a segment of the left end
	ToLeft              // of the right end
	Timer               // a timer that ran out
	Folded              // a stretch of ordinary segments
)
