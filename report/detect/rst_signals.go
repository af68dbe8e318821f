package detect

import (
	"cmp"
	"fmt"
	"slices"

	"tcpstate/capture"
	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// The signals of rst-injected, one function each. A signal says which frames
// show it; what cannot be decided is no signal.

// clue is a signal and a frame that shows it; several may share a sign.
type clue struct {
	sign  forgery
	frame uint64
	text  string
}

// proofOfClues puts the frames of clues in order; those of one frame are one.
func proofOfClues(all []clue) (out []Proof) {
	slices.SortStableFunc(all, func(a, b clue) int { return cmp.Compare(a.frame, b.frame) })
	for _, k := range all {
		if n := len(out); n > 0 && out[n-1].Frame == k.frame {
			if k.sign == 0 {
				out[n-1].Text = k.text + "; " + out[n-1].Text
			} else {
				out[n-1].Text += "; " + k.text
			}
			continue
		}
		out = append(out, Proof{k.frame, k.text})
	}
	return out
}

func nameOfReset(r *tracker.Event) string {
	if r.Has(capture.ACK) {
		return "RST,ACK"
	}
	return "RST"
}

// suspects are the RSTs in the name of one end.
type suspects struct {
	x      uint8
	resets []int // indices in the trail
	paired []bool
	whole  bool // the life's numbers are known: seen from its handshake on, in both directions, nothing unseen
	rising []int
}

// suspect gathers the RSTs in the name of x and pairs them with the segments
// that may have drawn them. It is given room for both.
func (w *injected) suspect(c *tracker.Case, x uint8, resets []int, paired []bool) (p suspects) {
	ev := c.Trail.Events
	p.x, p.resets, p.paired = x, resets, paired
	// Late copies of what an earlier life on the tuple sent draw RSTs with that
	// life's numbers.
	p.whole = begun(c) && !c.Has(tracker.SignOneSided|tracker.SignUnseen|tracker.SignOdd) && len(ev) > 0 && !ev[0].Is(tracker.Earlier)
	everything := p.whole && allOnTrail(c)
	synchronised := false
	for i := range ev {
		e := &ev[i]
		if !own(e) || e.From != x {
			continue
		}
		if !e.Rst() {
			synchronised = synchronised || e.After(int(x)).State.Synchronised()
			continue
		}
		if !synchronised || e.Reset == tracker.ResetRefused || e.Reset == tracker.ResetStaleSyn || e.Reset == tracker.ResetAbandoned ||
			e.Before(int(x)).State == tracker.SynSent {
			continue // it refuses a SYN or a stale SYN,ACK: it has no connection, and says so
		}
		p.resets = append(p.resets, i)
		// What lies beyond all that x sent, nobody acknowledged.
		beyond := p.whole && sentUpTo(ev[:i], x).Less(reassembly.Seq(e.Seq))
		p.paired = append(p.paired, !beyond && (!everything || pairedWith(ev, e)))
	}
	if p.whole {
		p.rising = p.row(c)
	}
	return p
}

// allOnTrail reports that all segments of the life are on its trail: then all
// acknowledgments are known.
func allOnTrail(c *tracker.Case) bool {
	if c.Trail.Missing > 0 {
		return false
	}
	var n [2]uint64
	for i := range c.Trail.Events {
		if e := &c.Trail.Events[i]; own(e) {
			n[e.From]++
		}
	}
	return n[0] == c.Ends[0].Segments && n[1] == c.Ends[1].Segments
}

// examine returns the signals of the RST i.
func (w *injected) examine(c *tracker.Case, p *suspects, i int) (out []clue) {
	out = talkOn(c, p, i, out)
	out = w.path(c, p.x, i, out)
	out = numbers(c, p, i, out)
	if slices.Contains(p.rising, i) {
		for _, j := range p.rising {
			r := &c.Trail.Events[j]
			out = append(out, clue{risingRow, r.Frame, fmt.Sprintf("RST %d of a row with rising numbers that no segment drew", slices.Index(p.rising, j)+1)})
		}
	}
	r := &c.Trail.Events[i]
	if r.Has(capture.ACK) && r.Opts&capture.OptTS == 0 && c.Ends[0].HasTS && c.Ends[1].HasTS {
		out = append(out, clue{noTimestamp, r.Frame, "no timestamps, though the flow uses them"})
	}
	return out
}

// isPaired reports whether the RST i may be the answer to a segment, one that
// is not on the trail too.
func (p *suspects) isPaired(i int) bool { return p.paired[slices.Index(p.resets, i)] }

// talkOn: the claimed sender goes on after its RST. What was sent before it may
// come after it (reordering), but neither beyond the number at which it resets,
// nor with a newer timestamp, nor long after.
func talkOn(c *tracker.Case, p *suspects, i int, out []clue) []clue {
	ev := c.Trail.Events
	r := &ev[i]
	reach := onItsWay(c, p.x)
	nxt := sentUpTo(ev[:i], p.x)
	forward := nxt.LessEq(reassembly.Seq(r.Seq))
	edge := nxt // the highest number of its RSTs
	newest, known := newestTimestamp(ev[:i], p.x)
	if r.Opts&capture.OptTS != 0 {
		newest, known = r.TSVal, true
	}
	for _, k := range p.resets {
		if k <= i {
			edge = edge.Max(reassembly.Seq(ev[k].Seq))
		}
	}
	for j := i + 1; j < len(ev); j++ {
		e := &ev[j]
		if !own(e) || e.From != p.x || e.Flags&capture.SYN != 0 {
			continue
		}
		if e.Rst() {
			edge = edge.Max(reassembly.Seq(e.Seq))
			continue
		}
		late := e.Time-r.Time > reach
		switch {
		case newPayload(e) && (late && nxt.LessEq(reassembly.Seq(e.Seq)) || forward && edge.Less(e.End())):
			return append(out, clue{talksOn, e.Frame, fmt.Sprintf("the %s sends new payload after its RST", sideNames[p.x])})
		case known && e.Opts&capture.OptTS != 0 && reassembly.Seq(newest).Less(reassembly.Seq(e.TSVal)) && (late || r.Opts&capture.OptTS != 0):
			return append(out, clue{talksOn, e.Frame, fmt.Sprintf("the %s sends with a newer timestamp after its RST", sideNames[p.x])})
		}
	}
	return out
}

// onItsWay is how long after a RST of x may come what x sent before it.
func onItsWay(c *tracker.Case, x uint8) int64 { return max(replyTime(c, x), c.Path()+answerSlack) }

// newestTimestamp is the newest that x sent.
func newestTimestamp(ev []tracker.Event, x uint8) (v uint32, ok bool) {
	for i := range ev {
		e := &ev[i]
		if own(e) && e.From == x && !e.Rst() && e.Opts&capture.OptTS != 0 && (!ok || reassembly.Seq(v).Less(reassembly.Seq(e.TSVal))) {
			v, ok = e.TSVal, true
		}
	}
	return v, ok
}

// path: the RST's TTL is neither the usual one of the sender's segments, nor
// that of its latest: a path that changed changes both.
func (w *injected) path(c *tracker.Case, x uint8, i int, out []clue) []clue {
	ev := c.Trail.Events
	r := &ev[i]
	if c.Ends[x].TTLSeen < w.baseline || !w.apart(r.TTL, c.Ends[x].TTL) {
		return out
	}
	near := latest(ev, i, func(e *tracker.Event) bool { return own(e) && e.From == x && !e.Rst() })
	if near == nil || !w.apart(r.TTL, near.TTL) {
		return out
	}
	return append(out, clue{0, near.Frame, fmt.Sprintf("the %s sends with TTL %d", sideNames[x], near.TTL)},
		clue{wrongTTL, r.Frame, fmt.Sprintf("TTL %d instead of %d", r.TTL, c.Ends[x].TTL)})
}

func (w *injected) apart(a, b uint8) bool { return hops(a, b) > w.ttl }

// numbers: the RST has none that its claimed sender could give it. Beyond SND.NXT
// the sender may have sent what was lost before the capture: that is decided
// where it goes on at SND.NXT, or could not have sent so much, or where another
// RST of a rising row stands at its SND.NXT.
func numbers(c *tracker.Case, p *suspects, i int, out []clue) []clue {
	ev := c.Trail.Events
	r := &ev[i]
	if !p.whole || p.isPaired(i) || r.Is(tracker.AtNxt) {
		return out
	}
	nxt := sentUpTo(ev[:i], p.x)
	seq := reassembly.Seq(r.Seq)
	fin := latest(ev, i, func(e *tracker.Event) bool { return own(e) && e.From == p.x && e.Fin() })
	if seq == nxt || seq+1 == nxt && fin != nil {
		return out
	}
	edge, known := offered(c, ev[:i], p.x^1)
	switch {
	case !known || seq == edge:
		return out // Linux resets at the edge of a window that shrank (tcp_acceptable_seq)
	case nxt.Less(seq) && !edge.Less(seq) && !goesOnAt(c, p, i, nxt) && !afterInRow(p, i):
		return out
	}
	return append(out, clue{offNumber, r.Frame, fmt.Sprintf("seq is %+d from the %s's SND.NXT", seq.Diff(nxt), sideNames[p.x])})
}

// offered returns the right edge of the window that end offered last.
func offered(c *tracker.Case, ev []tracker.Event, end uint8) (edge reassembly.Seq, known bool) {
	said := saidLast(ev, end)
	if said == nil {
		return 0, false
	}
	shift := 0
	if a, b := c.Life.Ends[end].WScale, c.Life.Ends[end^1].WScale; a > 0 && b >= 0 && !said.SynAck() {
		shift = int(a)
	}
	return reassembly.Seq(said.Ack).Add(uint32(said.Window) << shift), true
}

// goesOnAt reports that x sends new octets from nxt on, too long after the RST
// i to have been sent before it.
func goesOnAt(c *tracker.Case, p *suspects, i int, nxt reassembly.Seq) bool {
	ev := c.Trail.Events
	reach := onItsWay(c, p.x)
	for j := i + 1; j < len(ev); j++ {
		if e := &ev[j]; own(e) && e.From == p.x && newPayload(e) && e.Time-ev[i].Time > reach {
			return reassembly.Seq(e.Seq) == nxt
		}
	}
	return false
}

// afterInRow reports that the RST is a later one of a rising row: only one can
// stand at SND.NXT.
func afterInRow(p *suspects, i int) bool { return slices.Index(p.rising, i) > 0 }

// row returns the longest row of unpaired RSTs with rising numbers, each within
// the reach of the one before, if it has at least 2. A RST that answers stands at
// the acknowledgment that drew it, and none drew these.
func (p *suspects) row(c *tracker.Case) (best []int) {
	ev := c.Trail.Events
	reach := replyTime(c, p.x)
	var row []int
	for k, i := range p.resets {
		if p.paired[k] {
			continue
		}
		if n := len(row); n > 0 {
			was := &ev[row[n-1]]
			if !reassembly.Seq(was.Seq).Less(reassembly.Seq(ev[i].Seq)) || ev[i].Time-was.Time > reach {
				row = row[:0]
			}
		}
		if row = append(row, i); len(row) > len(best) {
			best = slices.Clone(row)
		}
	}
	if len(best) < 2 {
		return nil
	}
	return best
}

// sentUpTo is SND.NXT of an end, from its latest segments: the highest number of
// those that lie near the latest one.
func sentUpTo(ev []tracker.Event, end uint8) (nxt reassembly.Seq) {
	near := 16
	first := true
	for i := len(ev) - 1; i >= 0 && near > 0; i-- {
		e := &ev[i]
		if e.From != end || e.Rst() || e.Is(tracker.Quoted|tracker.Odd) {
			continue
		}
		if first || nxt.Less(e.End()) {
			nxt = e.End()
		}
		first = false
		near--
	}
	return nxt
}
