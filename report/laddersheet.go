package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"tcpstate/report/detect"
	"tcpstate/report/page"
	"tcpstate/tracker"
)

// LadderSheet is what explain prints: ladders in their order, in one of four forms. The
// forms return the errors of writing.
type LadderSheet struct {
	Style
	Width   int // of the terminal, in columns
	Ladders []*Told
	// Left says what was left out, or why there is nothing, in whole sentences.
	Left    []string
	Capture string // its files, for a title
}

// Told is a ladder with the findings that its connection is part of.
type Told struct {
	*Ladder
	Findings []*detect.Finding
}

// Findings returns those that are shown, most severe first. They are known after End.
func (r *Report) Findings() []detect.Finding { return r.findings.found }

// Plain writes the form that is read back.
func (s *LadderSheet) Plain(to io.Writer) error {
	w := bufio.NewWriterSize(to, outputBuffer)
	for i, l := range s.Ladders {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := l.Print(w, LadderStyle{Full: true}); err != nil {
			return err
		}
	}
	for _, x := range s.Left {
		fmt.Fprintf(w, "# %s\n", Printable(x))
	}
	return w.Flush()
}

// Page writes a page of HTML with nothing but the ladders.
func (s *LadderSheet) Page(w io.Writer, generator string) error {
	p := page.Page{Title: "Ladders of " + Printable(s.Capture), Generator: generator, Findings: s.findings()}
	p.Capture = []page.Fact{{Name: "capture", Value: Printable(s.Capture)}, {Name: "shown", Value: plural(uint64(len(s.Ladders)), "connection")}}
	for _, l := range s.Ladders {
		x := l.page()
		for i := range x.Rows {
			x.Rows[i].Time = s.time(l.Ladder, &l.Rows[i])
		}
		p.Ladders = append(p.Ladders, x)
	}
	p.Rules = pageRules(p.Ladders)
	for _, x := range s.Left {
		p.Left = append(p.Left, Printable(x))
	}
	return page.Write(w, &p)
}

// findings are those of the ladders, with the evidence that these show.
func (s *LadderSheet) findings() (all []page.Finding) {
	at := map[*detect.Finding]int{}
	for _, l := range s.Ladders {
		for _, f := range l.Findings {
			i, ok := at[f]
			if !ok {
				i = len(all)
				at[f] = i
				all = append(all, page.Finding{
					ID: f.ID, Severity: f.Severity.String(), Subject: Printable(f.Subject), Count: uint64(f.Count),
					First: f.First.UnixNano(), Last: f.Last.UnixNano(), When: ClockUTC.Show(f.First, f.First, nil) + " UTC",
					Blame: string(f.Blame), Explanation: Printable(f.Explanation), Advice: Printable(f.Advice), Wireshark: f.Wireshark,
					More: uint64(len(f.Refs())),
				})
			}
			for _, c := range f.Evidence.Connections {
				if (detect.Ref{ID: c.ID, Incarnation: c.Incarnation}) != l.ref() {
					continue
				}
				e := page.Evidence{Connection: recordName(l.ref()), Ladder: true}
				for _, x := range c.Frames {
					e.Frames = append(e.Frames, page.Frame{N: x.Frame, Text: Printable(x.Text)})
				}
				all[i].Evidence = append(all[i].Evidence, e)
				all[i].More--
			}
		}
	}
	return all
}

// time is when a row happened: since the first of them, or as the clock shows it.
func (s *LadderSheet) time(l *Ladder, r *LadderRow) string {
	switch s.Clock {
	case ClockEpoch:
		return microseconds(r.Segment.Time + l.Start)
	case ClockUTC, ClockLocal:
		return timeOf(s.Clock.Show(instant(r.Segment.Time+l.Start), instant(l.Start), s.Zone))
	}
	return microseconds(r.Segment.Time)
}

// microseconds writes ns as seconds with six decimals; those beyond are cut off, so that no
// time lies after that of a later row.
func microseconds(ns int64) string {
	t := string(appendEpoch(nil, ns))
	return t[:len(t)-3]
}

// timeOf leaves out the day.
func timeOf(t string) string {
	_, t, _ = strings.Cut(t, " ")
	return t
}

// day is the day on which a ladder begins, where its times do not tell; else "".
func (s *LadderSheet) day(l *Ladder) string {
	if s.Clock != ClockUTC && s.Clock != ClockLocal {
		return ""
	}
	d, _, _ := strings.Cut(s.Clock.Show(instant(l.Start), instant(l.Start), s.Zone), " ")
	if s.Clock == ClockUTC {
		d += " UTC"
	}
	return d
}

// note is what the head of a ladder says after the two ends.
func (s *LadderSheet) note(l *Ladder) string {
	note := Printable(l.Note)
	if d := s.day(l); d != "" {
		note += ", " + d
	}
	return note
}

// firstSentence is how an explanation begins.
func firstSentence(text string) string {
	for i := 0; i+2 < len(text); i++ {
		if text[i] == '.' && text[i+1] == ' ' && text[i+2] >= 'A' && text[i+2] <= 'Z' {
			return text[:i+1]
		}
	}
	return text
}

// rulesOf are the rules that the ladders cite, in the order of a connection's life.
func (s *LadderSheet) rulesOf() (rules []tracker.Rule) {
	var cited [tracker.NumRules]bool
	for _, l := range s.Ladders {
		for i := range l.Rows {
			for _, name := range l.Rows[i].Rules {
				if r, ok := tracker.RuleByName(name); ok {
					cited[r] = true
				}
			}
		}
	}
	for r := range tracker.NumRules {
		if cited[r] {
			rules = append(rules, r)
		}
	}
	return rules
}
