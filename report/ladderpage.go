package report

import (
	"strings"

	"tcpstate/report/detect"
	"tcpstate/report/page"
	"tcpstate/tracker"
)

// page is the ladder as an HTML page shows it. Its ID and what it leaves out are for who
// makes the page to say.
func (l *Ladder) page() page.Ladder {
	p := page.Ladder{
		ID:   recordName(l.ref()),
		Left: l.Left.String(), Right: l.Right.String(), Note: Printable(l.Note),
		Rows: make([]page.Row, len(l.Rows)),
	}
	for i := range l.Rows {
		r := &l.Rows[i]
		x := page.Row{
			Frame: r.Segment.Frame, Time: ladderTime(r.Segment.Time), Revoked: r.Revoked,
			Text: l.rowText(r), Class: r.Class, Rules: r.Rules, Marks: pageMarksOf(r.Marks),
		}
		switch {
		case r.Folded != nil:
			x.Kind, x.Frame = page.Folded, 0
		case r.Timer():
			x.Kind = page.Timer
		case l.toLeft(r):
			x.Kind = page.ToLeft
		}
		for side, s := range r.States {
			x.States[side] = page.State{Name: s.State.String(), Certainty: s.Certainty.String()}
			if s.Certainty == tracker.Revoked {
				x.States[side].Certainty = tracker.Presumed.String()
			}
		}
		p.Rows[i] = x
	}
	sameDigits(p.Rows)
	return p
}

// sameDigits gives the times as many decimals as the longest has.
func sameDigits(rows []page.Row) {
	decimals := func(r *page.Row) int { return len(r.Time) - strings.LastIndexByte(r.Time, '.') }
	most := 0
	for i := range rows {
		most = max(most, decimals(&rows[i]))
	}
	for i := range rows {
		rows[i].Time += strings.Repeat("0", most-decimals(&rows[i]))
	}
}

// pageMarksOf are marks of a row, each "finding: text", as the page has them.
func pageMarksOf(marks []string) (l []page.Mark) {
	for _, m := range marks {
		id, text, _ := strings.Cut(m, ": ")
		l = append(l, page.Mark{Finding: id, Text: text})
	}
	return l
}

// pageRules are the rules that ladders cite, in the order of a connection's life.
func pageRules(ladders []page.Ladder) (rules []page.Rule) {
	var cited [tracker.NumRules]bool
	for i := range ladders {
		for j := range ladders[i].Rows {
			for _, name := range ladders[i].Rows[j].Rules {
				if r, ok := tracker.RuleByName(name); ok {
					cited[r] = true
				}
			}
		}
	}
	for r := range tracker.NumRules {
		if cited[r] {
			rules = append(rules, page.Rule{Name: r.Name(), Short: shortSource(r.Source()), Why: r.Why(), Source: r.Source()})
		}
	}
	return rules
}

func (l *Ladder) ref() detect.Ref { return detect.Ref{ID: l.Stream, Incarnation: l.Incarnation} }
