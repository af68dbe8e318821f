package main

import (
	"cmp"
	"fmt"
	"slices"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// ladderPick chooses the connections that explain draws: those that are selected, else those
// that are part of a finding. Which these are is known when all is read, so that all are
// kept until then, in short.
type ladderPick struct {
	f     *flags
	kept  [][]briefLife // in blocks, so that growing copies nothing
	n     int           // of all
	found bool          // they are chosen for their findings
	total int           // of those that match
}

// briefLife is what a ladder needs of a life.
type briefLife struct {
	ref         detect.Ref
	continues   int64
	key         capture.Key
	client      uint8
	roles       tracker.RoleReason
	close       tracker.CloseKind
	by          tracker.Who
	reset       tracker.ResetClass
	midstream   bool
	states      [2]tracker.EndState
	start, end  int64
	first, last uint64
}

const lifeBlock = 1024

// add takes a life that the report keeps.
func (p *ladderPick) add(l *tracker.Life) {
	if n := len(p.kept); n == 0 || len(p.kept[n-1]) == lifeBlock {
		p.kept = append(p.kept, make([]briefLife, 0, min(lifeBlock, 16+p.n)))
	}
	last := &p.kept[len(p.kept)-1]
	b := briefLife{
		ref: detect.Ref{ID: l.ID, Incarnation: l.Incarnation}, continues: l.Continues, key: l.Key, client: l.Client, roles: l.Roles,
		close: l.Close, by: l.ClosedBy, reset: l.ResetAs, midstream: l.Midstream,
		start: l.Start, end: l.End, first: l.FirstFrame, last: l.LastFrame,
	}
	for i := range l.Ends {
		b.states[i] = tracker.EndState{State: l.Ends[i].State, Certainty: l.Ends[i].Certainty}
	}
	*last = append(*last, b)
	p.n++
}

// life is the life again, as far as a ladder needs it.
func (b *briefLife) life() *tracker.Life {
	l := &tracker.Life{
		ID: b.ref.ID, Incarnation: b.ref.Incarnation, Continues: b.continues, Key: b.key, Client: b.client, Roles: b.roles,
		Close: b.close, ClosedBy: b.by, ResetAs: b.reset, Midstream: b.midstream,
		Start: b.start, End: b.end, FirstFrame: b.first, LastFrame: b.last,
	}
	for i := range l.Ends {
		e := &l.Ends[i]
		e.Addr = b.key.End(b.client ^ uint8(i))
		e.State, e.Certainty = b.states[i].State, b.states[i].Certainty
	}
	return l
}

// settle returns the lives to draw, by number.
func (p *ladderPick) settle(r *report.Report) []*tracker.Life {
	p.found = p.f.narrow != "" || p.f.report.Where == nil && p.f.report.Streams == nil
	limit := p.f.report.Limit
	var rank map[detect.Ref]int // of those that may be drawn
	if p.found {
		rank = rankByFinding(r, p.f.narrow)
	}
	var match []*briefLife
	for _, block := range p.kept {
		for i := range block {
			if b := &block[i]; !p.found || rank[b.ref] > 0 {
				match = append(match, b)
			}
		}
	}
	p.kept = nil
	byRef := func(a, b *briefLife) int {
		return cmp.Or(cmp.Compare(a.ref.ID, b.ref.ID), cmp.Compare(a.ref.Incarnation, b.ref.Incarnation))
	}
	slices.SortFunc(match, func(a, b *briefLife) int { return cmp.Or(cmp.Compare(rank[a.ref], rank[b.ref]), byRef(a, b)) })
	p.total = len(match)
	if !p.f.seeing.all {
		match = match[:min(len(match), limit)]
	}
	slices.SortFunc(match, byRef)
	lives := make([]*tracker.Life, len(match))
	for i, b := range match {
		lives[i] = b.life()
	}
	return lives
}

// rankByFinding ranks the connections of findings, from 1: the first of each finding come
// before the second of any, and those that are evidence before all others.
func rankByFinding(r *report.Report, id string) map[detect.Ref]int {
	rank := map[detect.Ref]int{}
	if id != "" {
		for ref := range r.Concerned(id) {
			rank[ref] = 1 << 62 // also of findings that are not shown
		}
	}
	found := r.Findings()
	n := 0
	var lists [][]detect.Ref
	for i := range found {
		f := &found[i]
		if id != "" && f.ID != id {
			continue
		}
		var l []detect.Ref
		for _, p := range f.Worded().Evidence.Connections {
			l = append(l, detect.Ref{ID: p.ID, Incarnation: p.Incarnation})
		}
		lists = append(lists, l)
	}
	for round, more := 0, true; more; round++ {
		more = false
		for _, l := range lists {
			if round >= len(l) {
				continue
			}
			more = true
			if x := rank[l[round]]; x == 0 || x == 1<<62 {
				n++
				rank[l[round]] = n
			}
		}
	}
	for i := range found {
		if id != "" && found[i].ID != id {
			continue
		}
		for _, ref := range found[i].Refs() {
			if rank[ref] == 0 || rank[ref] == 1<<62 {
				n++
				rank[ref] = n
			}
		}
	}
	return rank
}

// tell puts to each ladder the findings of its connection.
func (p *ladderPick) tell(r *report.Report, lives []*tracker.Life, drawn map[detect.Ref]*report.Ladder) []*report.Told {
	all := make([]*report.Told, 0, len(lives))
	of := map[detect.Ref]*report.Told{}
	for _, l := range lives {
		ref := detect.Ref{ID: l.ID, Incarnation: l.Incarnation}
		if d := drawn[ref]; d != nil {
			of[ref] = &report.Told{Ladder: d}
			all = append(all, of[ref])
		}
	}
	found := r.Findings()
	for i := range found {
		f := found[i].Worded()
		for _, ref := range f.Refs() {
			if t := of[ref]; t != nil && !slices.Contains(t.Findings, f) {
				t.Findings = append(t.Findings, f)
			}
		}
	}
	return all
}

// left says what is not drawn, and why.
func (p *ladderPick) left(lives []*tracker.Life) string {
	const how = "--stream N, --where EXPR or --finding ID choose some"
	switch {
	case p.total > len(lives):
		what := "connections"
		if p.found {
			what = "connections that are part of a finding"
		}
		if p.f.narrow != "" {
			what = "connections of " + p.f.narrow
		}
		return fmt.Sprintf("%s of %s %s; --limit shows more, --stream N others", report.ShowCount(uint64(len(lives))), report.ShowCount(uint64(p.total)), what)
	case p.total > 0:
		return ""
	case p.n == 0:
		return "No connection is selected."
	case p.f.narrow != "":
		return fmt.Sprintf("None of %s is part of a finding %s.", report.ShowPlural(uint64(p.n), "connection"), p.f.narrow)
	}
	return fmt.Sprintf("None of %s is part of a finding: %s.", report.ShowPlural(uint64(p.n), "connection"), how)
}
