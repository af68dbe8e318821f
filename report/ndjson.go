package report

import (
	"slices"

	"tcpstate/tracker"
)

var ndjsonFormat = &Format{
	Name:    "ndjson",
	Doc:     "one JSON object per line, as connections end",
	Parts:   PartSummary | PartFindings | PartConnections | PartServices,
	Can:     PartSummary | PartFindings | PartConnections | PartTransitions | PartStates | PartServices,
	Ordered: true,
	New:     func(e *Env) Formatter { return &ndjson{Env: e} },
	Interim: func(e *Env) Formatter { return &ndjsonInterim{Env: e} },
}

// ndjson writes one object per line: the capture, always; transitions and
// connections in the order of (time, frame, id); the findings; the states; the summary last.
// The services are an array inside the summary line.
type ndjson struct {
	*Env
	buf []byte
}

func (o *ndjson) line(b []byte) {
	o.buf = append(b, '\n')
	o.W.Write(o.buf) // errors stick to W
}

func (o *ndjson) Begin(c *Capture) { o.line(c.AppendJSON(o.buf[:0])) }

func (o *ndjson) Transition(t *tracker.Transition) { o.line(AppendTransition(o.buf[:0], t)) }

func (o *ndjson) Connection(c *Conn) { o.line(AppendConnection(o.buf[:0], c.Life, c.Findings)) }

// Event writes what becomes of a finding in a live capture.
func (o *ndjson) Event(f *ActiveFinding, event string) {
	o.line(AppendFinding(o.buf[:0], &f.Finding, event))
}

func (o *ndjson) End(f *Final) {
	if o.Parts.Has(PartFindings) {
		for i := range f.Findings {
			o.line(AppendFinding(o.buf[:0], &f.Findings[i], f.event()))
		}
	}
	if o.Parts.Has(PartStates) {
		b := append(o.buf[:0], `{"type":"states","schema":"`+Schema+`",`...)
		n := len(b)
		b = appendSeries(b, f.Series)
		o.line(slices.Delete(b, n, n+1)) // with one brace that opens
	}
	var b []byte
	switch {
	case o.Parts.Has(PartSummary):
		b = f.Summary.AppendJSON(o.buf[:0])
	case o.Parts.Has(PartServices):
		b = appendTyped(o.buf[:0], "summary", struct{}{})
	default:
		return
	}
	if o.Parts.Has(PartServices) {
		o.W.Write(append(b[:len(b)-1], `,"services":`...))
		b = append(f.Services.write(o.W, b)[:0], '}')
	}
	o.line(b)
}

// ndjsonInterim writes a summary of a live capture that goes on, marked as such.
type ndjsonInterim struct{ *Env }

func (o *ndjsonInterim) Begin(*Capture)                 {}
func (o *ndjsonInterim) Transition(*tracker.Transition) {}
func (o *ndjsonInterim) Connection(*Conn)               {}

func (o *ndjsonInterim) End(f *Final) {
	if o.Parts.Has(PartSummary) {
		o.W.Write(append(f.Summary.appendJSON(nil, "interim"), '\n'))
	}
}
