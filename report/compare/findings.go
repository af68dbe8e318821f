package compare

import (
	"cmp"
	"slices"

	"tcpstate/report/detect"
)

// Kind is what became of a finding.
type Kind uint8

const (
	Appeared Kind = iota // only the new side has it
	Grew                 // it is more severe there or, as severe, about more
	Shrank               // the opposite
	Went                 // only the old side has it
	Same
)

var kindNames = [...]string{"appeared", "grew", "shrank", "went", "same"}

func (k Kind) String() string { return kindNames[k] }

// Change is a finding on both sides: all findings of one id whose subjects are the same but
// for what means nothing on the other side.
type Change struct {
	Kind Kind
	// Odds: Marked if it appeared or went, if its severity changed, and if its count did
	// by more than chance explains, as connections go.
	Odds    Odds
	ID      string
	Subject string // as it is compared, with * for what differs by nature
	Old     Part
	New     Part
}

// Part is a Change on one side.
type Part struct {
	Findings int
	Count    uint64 // of all of them
	Severity detect.Severity
	Worst    *detect.Finding // the worst of them, then that with the highest count; nil for none
}

// Severity is the higher one of both sides.
func (c *Change) Severity() detect.Severity { return max(c.Old.Severity, c.New.Severity) }

// Worse reports whether it is new, or more than before: what --fail-on judges, by the
// severity that it has on the new side.
func (c *Change) Worse() bool {
	return c.Kind == Appeared || c.Kind == Grew && c.Odds != Chance
}

// Title is the subject as people read it: that of the one finding there is, or what all
// have in common.
func (c *Change) Title() string {
	if p := c.part(); p.Findings == 1 {
		return p.Worst.Subject
	}
	return c.Subject
}

// part is the side to tell of: the new one, if it has the finding.
func (c *Change) part() *Part {
	if c.New.Findings > 0 {
		return &c.New
	}
	return &c.Old
}

func (p *Part) add(f *detect.Finding) {
	p.Findings++
	p.Count += uint64(max(f.Count, 0))
	if p.Worst == nil || cmp.Or(cmp.Compare(f.Severity, p.Worst.Severity), cmp.Compare(f.Count, p.Worst.Count), cmp.Compare(p.Worst.Subject, f.Subject)) > 0 {
		p.Worst = f
	}
	p.Severity = p.Worst.Severity
}

func (r *Result) findings(p *pairing, o Options) {
	type key struct{ id, name string }
	all := map[key]*Change{}
	for side, s := range []*Side{r.Old, r.New} {
		for i := range s.Findings {
			f := &s.Findings[i]
			if o.Disabled[f.ID] {
				continue
			}
			k := key{f.ID, p.name(f, side == 0)}
			if all[k] == nil {
				all[k] = &Change{ID: k.id, Subject: k.name}
			}
			if side == 0 {
				all[k].Old.add(f)
			} else {
				all[k].New.add(f)
			}
		}
	}
	for _, c := range all {
		c.judge(r.Old.Connections, r.New.Connections)
		if c.Severity() < o.Min {
			r.Hidden = append(r.Hidden, *c)
		} else {
			r.Findings = append(r.Findings, *c)
		}
	}
	slices.SortFunc(r.Findings, byWeight)
	slices.SortFunc(r.Hidden, byWeight)
}

// judge says what became of it, by severity first.
func (c *Change) judge(connections, now uint64) {
	a, b := &c.Old, &c.New
	c.Odds = Marked
	switch {
	case a.Findings == 0:
		c.Kind = Appeared
		return
	case b.Findings == 0:
		c.Kind = Went
		return
	case b.Severity > a.Severity:
		c.Kind = Grew
		return
	case b.Severity < a.Severity:
		c.Kind = Shrank
		return
	case b.Count > a.Count:
		c.Kind = Grew
	case b.Count < a.Count:
		c.Kind = Shrank
	default:
		c.Kind, c.Odds = Same, Chance
		return
	}
	// Mostly it counts connections, each once.
	if a.Count <= connections && b.Count <= now {
		c.Odds = shares(a.Count, connections, b.Count, now)
		return
	}
	c.Odds = rates(a.Count, connections, b.Count, now)
}

// byWeight puts first what got worse, then the severest.
func byWeight(a, b Change) int {
	return cmp.Or(
		-boolean(a.Worse(), b.Worse()),
		boolean(a.Kind == Same, b.Kind == Same),
		cmp.Compare(b.Severity(), a.Severity()),
		cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(b.New.Count, a.New.Count),
		cmp.Compare(a.ID, b.ID), cmp.Compare(a.Subject, b.Subject))
}

// Reaching returns how many findings got worse and reach s on the new side, by severity,
// shown or not.
func (r *Result) Reaching(s detect.Severity) (n [detect.Error + 1]uint64, hidden int) {
	for i, l := range [][]Change{r.Findings, r.Hidden} {
		for j := range l {
			if c := &l[j]; c.Worse() && c.New.Severity >= s {
				n[c.New.Severity]++
				hidden += i
			}
		}
	}
	return n, hidden
}
