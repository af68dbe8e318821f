package report

import (
	"fmt"
	"slices"
	"strings"

	"tcpstate/tracker"
)

// Pulse says in a few lines how a live capture goes: what came since the interval
// before, the endpoints by state, and the findings that hold, were raised or are over.
func (o *table) Pulse(s, before *Snapshot) {
	if before == nil {
		before = &Snapshot{Now: s.Began}
	}
	if o.start.IsZero() {
		o.start = s.Began
	}
	if o.Quiet {
		if len(s.Findings) > 0 || slices.ContainsFunc(s.Cleared, func(f ActiveFinding) bool { return f.Over.After(before.Now) }) {
			o.gap()
			o.printf("%s\n", o.bold(o.when(s.Now)))
			o.holding(s, before)
		}
		return
	}
	o.gap()
	span := s.Now.Sub(before.Now)
	line := o.bold(o.when(s.Now))
	line += fmt.Sprintf("  %s: %s", showSpan(span.Seconds()), plural(s.Packets-before.Packets, "packet"))
	if lost := lostBetween(s, before); lost != "" {
		line += ", " + o.warn(lost)
	}
	line += fmt.Sprintf("; %s open, %s opened, %s closed", showCount(s.Open), showCount(s.Opened-before.Opened), showCount(closedBetween(s, before).Sum()))
	if by := closedBetween(s, before); by.Sum() > 0 {
		line += " (" + most(by) + ")"
	}
	if by := resetsBetween(s, before); by.Sum() > 0 {
		line += "; resets: " + most(by)
	}
	o.printf("%s\n", line)
	if o.Parts.Has(PartSummary) {
		if l := endpointsNow(s); l != "" {
			o.printf("  endpoints: %s\n", l)
		}
	}
	if o.Parts.Has(PartFindings) {
		o.holding(s, before)
	}
}

// holding lists the findings that hold, and those that are over since before.
func (o *table) holding(s, before *Snapshot) {
	type entry struct {
		*ActiveFinding
		age string
	}
	var l []entry
	for i := range s.Findings {
		f := &s.Findings[i]
		age := "for " + showSpan(f.Age(s.Now).Seconds())
		if f.Since.After(before.Now) {
			age = "raised"
		}
		l = append(l, entry{f, age})
	}
	slices.SortStableFunc(l, func(a, b entry) int { return int(b.Severity) - int(a.Severity) })
	for i := range s.Cleared {
		if f := &s.Cleared[i]; f.Over.After(before.Now) {
			l = append(l, entry{f, "cleared after " + showSpan(f.Age(s.Now).Seconds())})
		}
	}
	n := min(len(l), o.Limit)
	id, subject := 0, 0
	for _, x := range l[:n] {
		id, subject = max(id, len(x.ID)), max(subject, min(len(Printable(x.Subject)), 60))
	}
	for _, x := range l[:n] {
		o.printf("  %s  %-*s  %-*s  ×%s  %s\n", o.severity(x.Severity), id, x.ID, subject, Printable(x.Subject), showCount(uint64(x.Count)), x.age)
	}
	o.more(uint64(len(l)-n), "-o ndjson all")
}

// lostBetween says what was lost meanwhile.
func lostBetween(s, before *Snapshot) string {
	var l []string
	for _, x := range []struct {
		n    uint64
		text string
	}{
		{s.Dropped - before.Dropped, "lost by the kernel"}, {s.IfDropped - before.IfDropped, "lost by the interface"},
		{s.Lost.Lines - before.Lost.Lines, "lines of output dropped"}, {s.Lost.Packets - before.Lost.Packets, "not written"},
		{s.Evicted - before.Evicted, "evicted"}, {s.Folded - before.Folded, "folded"},
	} {
		if x.n > 0 {
			l = append(l, showCount(x.n)+" "+x.text)
		}
	}
	return strings.Join(l, ", ")
}

func closedBetween(s, before *Snapshot) (c Counts) {
	for k, n := range s.Closed {
		c = append(c, Count{tracker.CloseKind(k).String(), n - before.Closed[k]})
	}
	return c
}

func resetsBetween(s, before *Snapshot) (c Counts) {
	for k := tracker.ResetRefused; k < tracker.NumResetClasses; k++ {
		c = append(c, Count{k.String(), s.Resets[k] - before.Resets[k]})
	}
	return c
}

// endpointsNow lists the endpoints by state, but for CLOSED.
func endpointsNow(s *Snapshot) string {
	var l []string
	for st := tracker.Closed + 1; st < tracker.NumStates; st++ {
		n := s.States[st]
		if sum := n.Confirmed + n.Presumed + n.Elapsed; sum > 0 {
			t := st.String() + " " + showCount(sum)
			if n.Presumed > 0 {
				t += fmt.Sprintf(" (%s presumed)", showCount(n.Presumed))
			}
			l = append(l, t)
		}
	}
	return strings.Join(l, ", ")
}
