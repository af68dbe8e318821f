package report

import (
	"bufio"
	"io"
	"time"

	"tcpstate/capture"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// Format is one kind of output. A new one is a file with a value of this type
// and a line in Formats.
type Format struct {
	Name  string
	Doc   string // half a line for the usage text
	Parts Parts  // shown unless --show says otherwise
	Can   Parts  // what it can show at all
	// OnePart: it shows exactly one of them.
	OnePart bool
	// Ordered: it has an order of its own, which --sort cannot change.
	Ordered bool
	// Whole: its rows are not this program's connections, so that a
	// Selection cannot choose among them.
	Whole bool
	// Settled: it wants connections with all findings that they are part of, which
	// are known at the end.
	Settled bool
	// Series: it wants Final.Series, also if its Parts are without PartStates.
	Series bool
	// Draws: it calls Final.Draw, for which standard input has to be kept. It is told of all
	// connections, also where it shows findings and not connections.
	Draws bool
	New   func(*Env) Formatter
	// Interim makes one that reports what is known in the midst of a live capture: what
	// it writes stands between what the other writes. nil: there is no such form.
	Interim func(*Env) Formatter
}

// Formats lists all outputs, the default first.
var Formats = []*Format{tableFormat, jsonFormat, ndjsonFormat, csvFormat, zeekFormat, htmlFormat, markdownFormat}

// FindFormat returns the format of that name, or nil.
func FindFormat(name string) *Format {
	for _, f := range Formats {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// Env is what a Formatter works with.
type Env struct {
	W     *bufio.Writer
	Parts Parts
	Style
}

// Style is how people want to see it.
type Style struct {
	Limit   int      // rows in tables
	Sort    *SortKey // nil for each output's own order
	Clock   Clock
	Zone    *time.Location // of ClockLocal; nil is UTC
	Color   bool           // set for each output by its own Color
	Verbose bool           // tables say more about the files and the findings
	Quiet   bool           // tables leave out the line on the capture
	Program string         // the program and its version, where an output names who wrote it
	Asked   []string       // flags with which some packets or connections were chosen
}

// Formatter writes one report. Its methods are called in this order: Begin
// once; Transition and Connection as they come, in the order of (time, frame,
// id), each only if Parts has it (PartTop counts as connections); End once.
// What they are handed is valid during the call only, except for what hangs
// on Final. Write errors stick to the bufio.Writer and are seen there.
type Formatter interface {
	Begin(*Capture)
	Transition(*tracker.Transition)
	Connection(*Conn)
	End(*Final)
}

// BatchReader is a Formatter that needs the segments themselves. Batch is
// called with each batch after the tracker has seen it.
type BatchReader interface {
	Batch(*capture.Batch)
}

// Final is what is known at the end.
type Final struct {
	Capture  *Capture
	Summary  *Summary
	Services *Services
	Findings []detect.Finding // most severe first
	Hidden   int              // findings that are not among them, for they are not severe enough
	// Of returns the ids of the findings that a connection is part of which was
	// handed to Connection before.
	Of func(detect.Ref) []string
	// Series are the endpoints in each state over time; nil if no output shows PartStates
	// or has Format.Series.
	Series *Series
	// Draw is that of Options.
	Draw func(lives []*tracker.Life) map[detect.Ref]*Ladder
}

// Output is a Format with a place to write to.
type Output struct {
	Format *Format
	Parts  Parts
	W      io.Writer
	Color  bool // the place it goes to shows colours
}

// outputBuffer holds this many octets before they are written on.
const outputBuffer = 1 << 16
