package compare

import (
	"fmt"
	"slices"

	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/report/verdict"
)

// Terms say what of the difference fails.
type Terms struct {
	FailOn detect.Severity
	Never  bool // nothing does
	// Broken says why a side could not be read in full; "" if it could.
	OldBroken, NewBroken string
}

// Run is the difference as the outputs for continuous integration take it: the new side
// is what is judged, and the old one the baseline. Each finding of the catalogue is a check,
// which fails where it got worse.
func (r *Result) Run(t *Terms, o *report.Style) *verdict.Run {
	run := &verdict.Run{Command: "diff", FailOn: t.FailOn.String(), Baseline: true}
	if t.Never {
		run.FailOn = "never"
	}
	f := verdict.File{Name: r.New.Name, Facts: verdict.Facts{Packets: r.New.Packets, Segments: r.New.Segments, Connections: r.New.Connections,
		Start: r.New.Start, Span: r.New.Span}, Tables: r.tables(o.Verbose, o.Limit)}
	for i := range f.Tables {
		if t := &f.Tables[i]; slices.ContainsFunc(t.Rows, marked) {
			t.Title += "; " + mark + " " + markMeans
		}
	}
	f.Tables = append([]verdict.Table{r.sidesTable()}, f.Tables...)
	f.Checks = append(f.Checks, input("input", "NEW", t.NewBroken), input("baseline", "OLD", t.OldBroken))
	for _, s := range r.Warnings {
		f.Checks[0].Note(s, false)
	}
	for _, id := range r.ids() {
		c := verdict.Check{Kind: verdict.Found, Name: id}
		for _, l := range [][]Change{r.Findings, r.Hidden} {
			for i := range l {
				if x := &l[i]; x.ID == id {
					c.Results = append(c.Results, x.result(t))
				}
			}
		}
		c.Settle()
		f.Checks = append(f.Checks, c)
	}
	run.Files = []verdict.File{f}
	return run
}

// input is the check of whether a side could be read.
func input(name, side, broken string) verdict.Check {
	c := verdict.Check{Kind: verdict.Input, Name: name}
	if broken != "" {
		c.Note(side+": "+broken, true)
	}
	return c
}

// ids are those of the catalogue that were looked for, and of findings that only an
// earlier report knows.
func (r *Result) ids() (ids []string) {
	for _, d := range detect.Catalogue {
		if !r.disabled[d.ID] {
			ids = append(ids, d.ID)
		}
	}
	n := len(ids)
	for _, l := range [][]Change{r.Findings, r.Hidden} {
		for i := range l {
			if !slices.Contains(ids, l[i].ID) {
				ids = append(ids, l[i].ID)
			}
		}
	}
	slices.Sort(ids[n:])
	return ids
}

// result is what became of one finding. What got worse fails from the severity on that was
// asked for, all else is told.
func (c *Change) result(t *Terms) verdict.Result {
	f := c.part().Worst.Worded()
	x := verdict.Result{Severity: c.part().Severity, Subject: c.Title(), Count: int(c.part().Count), Text: f.Explanation, Total: f.Evidence.Total,
		Change: [...]verdict.Change{Appeared: verdict.New, Grew: verdict.Updated, Shrank: verdict.Updated, Went: verdict.Gone, Same: verdict.Unchanged}[c.Kind]}
	if c.Kind == Grew || c.Kind == Shrank {
		x.Reason = "it " + c.Kind.String() + ", " + c.counts()
	}
	switch {
	case c.Worse() && !t.Never && c.New.Severity >= t.FailOn:
		x.Status = verdict.Fail
	case !c.Worse() && c.Kind != Went:
		x.Status = verdict.Known
	}
	if c.Worse() {
		x.Advice = f.Advice
	}
	if c.Kind == Went {
		x.Text, x.Total = "", 0 // its frames are the old side's
		return x
	}
	for i := range f.Evidence.Connections {
		p := &f.Evidence.Connections[i]
		id := fmt.Sprint(p.ID)
		if p.Incarnation > 0 {
			id = fmt.Sprintf("%d.%d", p.ID, p.Incarnation)
		}
		for _, y := range p.Frames {
			x.Frames = append(x.Frames, verdict.Frame{Connection: id, Number: y.Frame, Text: y.Text})
		}
	}
	return x
}
