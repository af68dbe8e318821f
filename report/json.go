package report

import (
	"slices"

	"tcpstate/tracker"
)

var jsonFormat = &Format{
	Name:  "json",
	Doc:   "one JSON object",
	Parts: PartSummary | PartFindings | PartConnections | PartServices,
	Can:   PartSummary | PartFindings | PartConnections | PartTransitions | PartServices,
	New:   func(e *Env) Formatter { return &jsonDoc{Env: e} },
}

// jsonDoc writes one object with the keys schema, capture, connections,
// transitions, findings, services and summary, those that are shown. The
// connections go out as they come; transitions wait in memory as text, since
// their key comes later, and so do connections if they are to be sorted.
type jsonDoc struct {
	*Env
	buf         []byte
	connections int
	transitions [][]byte // text, in pieces of jsonPiece
	sorted      []*Record
}

func (o *jsonDoc) Begin(c *Capture) {
	o.W.WriteString(`{"schema":"` + Schema + `","capture":`)
	o.W.Write(marshal(c))
	if o.Parts.Has(PartConnections) {
		o.W.WriteString(`,"connections":[`)
	}
}

// jsonPiece is how much text waits in one piece. Pieces are not moved as more
// comes: one slice that grows to the size of the output would exist twice.
const jsonPiece = 1 << 20

func (o *jsonDoc) Transition(t *tracker.Transition) {
	n := len(o.transitions)
	if n > 0 {
		o.transitions[n-1] = append(o.transitions[n-1], ',')
	}
	if n == 0 || jsonPiece-len(o.transitions[n-1]) < jsonLine {
		o.transitions = append(o.transitions, make([]byte, 0, jsonPiece))
		n++
	}
	o.transitions[n-1] = AppendTransition(append(o.transitions[n-1], '\n'), t)
}

// jsonLine is more than a transition takes.
const jsonLine = 1 << 10

func (o *jsonDoc) Connection(r *Record) {
	if o.Sort != nil {
		c := *r
		o.sorted = append(o.sorted, &c)
		return
	}
	o.write(r)
}

func (o *jsonDoc) write(r *Record) {
	o.buf = o.buf[:0]
	if o.connections > 0 {
		o.buf = append(o.buf, ',')
	}
	o.connections++
	o.buf = r.AppendJSON(append(o.buf, '\n'))
	o.W.Write(o.buf)
}

func (o *jsonDoc) End(f *Final) {
	if o.Parts.Has(PartConnections) {
		if o.Sort != nil {
			slices.SortFunc(o.sorted, o.Sort.by())
		}
		for _, r := range o.sorted {
			f.Mark(r)
			o.write(r)
		}
		o.W.WriteByte(']')
	}
	if o.Parts.Has(PartTransitions) {
		o.W.WriteString(`,"transitions":[`)
		for _, p := range o.transitions {
			o.W.Write(p)
		}
		o.W.WriteByte(']')
	}
	if o.Parts.Has(PartFindings) {
		o.W.WriteString(`,"findings":[`)
		for i := range f.Findings {
			o.buf = o.buf[:0]
			if i > 0 {
				o.buf = append(o.buf, ',')
			}
			o.buf = AppendFinding(append(o.buf, '\n'), &f.Findings[i], f.event())
			o.W.Write(o.buf)
		}
		o.W.WriteByte(']')
	}
	if o.Parts.Has(PartServices) {
		o.W.WriteString(`,"services":`)
		o.W.Write(marshal(f.Services))
	}
	if o.Parts.Has(PartSummary) {
		o.W.WriteString(`,"summary":`)
		o.W.Write(marshal(f.Summary))
	}
	o.W.WriteString("}\n")
}
