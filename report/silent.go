package report

import (
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// Lives of one SYN that nobody answered are counted, and looked at by the detectors;
// hardly any is shown. In a flood there are millions: they are not written out before
// that is known of each.

// passer is an output that hardly ever shows such a life.
type passer interface {
	// passes reports whether a life is not to be shown, and counts it then. known is
	// that of a Conn, of a life that is part of no finding.
	passes(s *tracker.Silent, signs tracker.Sign, known bool) bool
}

// silence makes the tracker tell of silent lives as such, where nobody asks for more.
func (r *Report) silence(o *tracker.Observer) {
	if !r.tally.all || r.hold != nil || r.census != nil || r.opts.Chosen != nil {
		return
	}
	if e := r.findings.engine; e != nil && e.Hears() {
		o.SilentCase = r.silentCase
	}
	for i := range r.outs {
		s := &r.outs[i]
		if s.pass, _ = s.Formatter.(passer); s.pass == nil && s.parts&(PartConnections|PartTop) != 0 {
			return
		}
	}
	o.SilentLife = r.silentLife
}

func (r *Report) silentCase(s *tracker.Silent) {
	r.findings.last, r.findings.signs = detect.Ref{ID: s.ID}, s.Signs
	r.findings.engine.Silent(s)
	if r.live != nil {
		s.Life(&r.quiet)
		s.Case(&r.still, &r.quiet)
		r.live.watch.recent.add(&r.still)
		r.live.terms.load++
	}
}

func (r *Report) silentLife(s *tracker.Silent) {
	f := &r.findings
	if f.asked && f.concerned.may(s.ID) {
		s.Life(&r.quiet)
		r.life(&r.quiet)
		return
	}
	if r.live != nil {
		r.live.told.add(s.Alike)
	}
	r.tally.add(s.Alike)
	r.serv.addSilent(s)
	if !r.told {
		return
	}
	var signs tracker.Sign
	if f.last == (detect.Ref{ID: s.ID}) {
		signs = f.signs
	}
	known, filled := f.engine == nil || f.asked, false
	for i := range r.outs {
		o := &r.outs[i]
		if o.parts&(PartConnections|PartTop) == 0 || o.pass.passes(s, signs, known) {
			continue
		}
		if !filled {
			s.Life(&r.quiet)
			r.conn.set(&r.quiet, signs)
			r.conn.Known, filled = known, true
		}
		o.Connection(&r.conn)
	}
}

// addSilent is add for a silent life.
func (s *services) addSilent(l *tracker.Silent) {
	if len(s.noted) == notesAtOnce {
		s.settle()
	}
	if s.noted == nil {
		s.noted = make([]serviceNote, 0, notesAtOnce)
	}
	s.noted = s.noted[:len(s.noted)+1]
	n, a := &s.noted[len(s.noted)-1], l.Alike
	n.rtt = a.HandshakeRTT
	n.key.server(&l.Key, l.Client)
	n.close, n.reset, n.client, n.server, n.midstream = a.Close, a.ResetAs, a.Ends[0].State, a.Ends[1].State, a.Midstream
}

// passes: see passer.
func (o *table) passes(s *tracker.Silent, signs tracker.Sign, known bool) bool {
	if o.Sort != nil || o.Parts.Has(PartConnections) || !o.top.passes(s, signs, known) {
		return false
	}
	o.total++
	return true
}

// passes reports whether it is not among the first so far.
func (t *top) passes(s *tracker.Silent, signs tracker.Sign, known bool) bool {
	x := &t.x
	x.id, x.incarnation, x.duration, x.close = s.ID, 0, 0, s.Alike.Close
	x.odd = oddOf(signs)
	if known {
		x.worst, x.count = 0, 0
		return t.list.past(x)
	}
	return t.plain.past(&x.row) && t.early[x.close].past(&x.row)
}
