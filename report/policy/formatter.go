package policy

import (
	"tcpstate/report"
	"tcpstate/tracker"
)

// Format makes a Run an output of a report: it is told what any other output is. done gets
// the verdict, or the error of an expression that met what it cannot work with.
func (r *Run) Format(done func(*report.Final, *Verdict, error)) *report.Format {
	parts := report.PartSummary | report.PartFindings
	connections, settled, transitions := r.p.Needs()
	if connections {
		parts |= report.PartConnections
	}
	if transitions {
		parts |= report.PartTransitions
	}
	return &report.Format{
		Name: "policy", Parts: parts, Can: parts, Ordered: true, Settled: settled,
		New: func(*report.Env) report.Formatter { return &formatter{r, done} },
	}
}

type formatter struct {
	run  *Run
	done func(*report.Final, *Verdict, error)
}

func (f *formatter) Begin(*report.Capture)            {}
func (f *formatter) Transition(t *tracker.Transition) { f.run.Transition(t) }
func (f *formatter) Connection(c *report.Conn)        { f.run.Connection(c) }
func (f *formatter) End(final *report.Final) {
	v, err := f.run.End(final)
	f.done(final, v, err)
}
