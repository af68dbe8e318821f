package report

import (
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

var jsonFormat = &Format{
	Name:  "json",
	Doc:   "one JSON object",
	Parts: PartSummary | PartFindings | PartConnections | PartServices,
	Can:   PartSummary | PartFindings | PartConnections | PartTransitions | PartStates | PartServices,
	New:   func(e *Env) Formatter { return &jsonDoc{Env: e} },
}

// jsonDoc writes one object with the keys schema, capture, connections,
// transitions, findings, states, services and summary, those that are shown. The
// connections go out as they come; transitions wait in memory, since their key
// comes later, and so do connections if they are to be sorted.
type jsonDoc struct {
	*Env
	buf         []byte
	connections int
	transitions [][]tracker.Transition // in pieces of jsonPiece
	sorted      sortedLives
}

func (o *jsonDoc) Begin(c *Capture) {
	o.W.WriteString(`{"schema":"` + Schema + `","capture":`)
	o.W.Write(marshal(c))
	if o.Parts.Has(PartConnections) {
		o.W.WriteString(`,"connections":[`)
	}
}

// jsonPiece is how many transitions wait in one piece: as values they take a
// third of what their text does. Pieces are not moved as more comes: one slice
// that grows to the size of all would exist twice.
const jsonPiece = 1 << 12

func (o *jsonDoc) Transition(t *tracker.Transition) {
	n := len(o.transitions)
	if n == 0 || len(o.transitions[n-1]) == jsonPiece {
		o.transitions = append(o.transitions, make([]tracker.Transition, 0, jsonPiece))
		n++
	}
	o.transitions[n-1] = append(o.transitions[n-1], *t)
}

func (o *jsonDoc) Connection(c *Conn) {
	if o.Sort != nil {
		o.sorted.add(o.Sort, c)
		return
	}
	o.write(c.Life, c.Findings)
}

func (o *jsonDoc) write(l *tracker.Life, findings []string) {
	b := o.comma(o.connections)
	o.connections++
	o.buf = AppendConnection(b, l, findings)
	o.W.Write(o.buf)
}

// comma begins a line of an array, of which there are n before.
func (o *jsonDoc) comma(n int) []byte {
	if n > 0 {
		return append(o.buf[:0], ",\n"...)
	}
	return append(o.buf[:0], '\n')
}

func (o *jsonDoc) End(f *Final) {
	if o.Parts.Has(PartConnections) {
		o.sorted.each(func(l *tracker.Life) { o.write(l, f.Of(detect.Ref{ID: l.ID, Incarnation: l.Incarnation})) })
		o.W.WriteByte(']')
	}
	if o.Parts.Has(PartTransitions) {
		o.W.WriteString(`,"transitions":[`)
		n := 0
		for _, piece := range o.transitions {
			for i := range piece {
				o.buf = AppendTransition(o.comma(n), &piece[i])
				o.W.Write(o.buf)
				n++
			}
		}
		o.W.WriteByte(']')
	}
	if o.Parts.Has(PartFindings) {
		o.W.WriteString(`,"findings":[`)
		for i := range f.Findings {
			o.buf = AppendFinding(o.comma(i), &f.Findings[i], f.event())
			o.W.Write(o.buf)
		}
		o.W.WriteByte(']')
	}
	if o.Parts.Has(PartStates) {
		o.W.WriteString(`,"states":`)
		o.buf = appendSeries(o.buf[:0], f.Series)
		o.W.Write(o.buf)
	}
	if o.Parts.Has(PartServices) {
		o.W.WriteString(`,"services":`)
		o.buf = f.Services.write(o.W, o.buf)
	}
	if o.Parts.Has(PartSummary) {
		o.W.WriteString(`,"summary":`)
		o.W.Write(marshal(f.Summary))
	}
	o.W.WriteString("}\n")
}
