package detect

import (
	"cmp"
	"net/netip"
	"slices"

	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// What the detectors of listeners and of tuples that are used again share: the
// handshake on a trail, proofs of items that are chosen late, sums over the items
// of a group, and what another detector has said of a listener.

// flow is a client host towards a server.
type flow struct {
	client netip.Addr
	server netip.AddrPort
}

func flowOf(c *tracker.Case) flow {
	return flow{c.Addr(tracker.Client).Addr(), c.Addr(tracker.Server)}
}

// lifeOf returns the events of the life itself, without those of the stream
// that it carries on or whose tuple it took over.
func lifeOf(c *tracker.Case) []tracker.Event {
	ev := c.Trail.Events
	for i := range ev {
		if !ev[i].Is(tracker.Earlier) {
			return ev[i:]
		}
	}
	return nil
}

// synFirst reports a life that its client's only SYN began: what is to be known of
// that is in the life and its ends' accounts.
func synFirst(c *tracker.Case) bool {
	const other = tracker.SignOpening | tracker.SignSynAgain | tracker.SignBothOpened | tracker.SignSelf | tracker.SignOdd
	return c.Signs&(tracker.SignSyn|other) == tracker.SignSyn
}

// idleSign is the idle time that tracker.SignIdle shows.
const idleSign = 30e9

// acks reports whether e acknowledges the segment of the other end: all of its
// number space, or more that came after it.
func acks(e, seg *tracker.Event) bool {
	d := reassembly.Seq(e.Ack).Diff(seg.End())
	return e.From != seg.From && own(e) && (e.Plain() || e.SynAck()) && d >= 0 && d < 1<<30
}

// takes reports whether e is a segment of the other end that takes the SYN: its
// acknowledgment is the ISS + 1, or covers the SYN's payload, too.
func takes(e, syn *tracker.Event) bool {
	return acks(e, syn) && e.Ack == uint32(syn.End()) || e.From != syn.From && own(e) && e.SynAck() && e.Ack == syn.Seq+1
}

// frame is one frame of a proof that is put together later.
type frame struct {
	n    uint64
	text string
}

// proofOf makes a proof of frames: ascending, each once, those with number 0
// left out.
func proofOf(all ...frame) []Proof {
	slices.SortStableFunc(all, func(a, b frame) int { return cmp.Compare(a.n, b.n) })
	var out []Proof
	for _, f := range all {
		if f.n == 0 || len(out) > 0 && out[len(out)-1].Frame == f.n {
			continue
		}
		out = append(out, Proof{f.n, f.text})
	}
	return out
}

// prove gives the first items of a group the proof that of makes, where they
// were added without one.
func (g *Group[K, V]) prove(of func(*Item[V]) []Proof) {
	for i := range g.Items[:min(len(g.Items), maxShown)] {
		g.bag.keeps(&g.Items[i]).proof = of(&g.Items[i])
	}
}

// byTime puts the items of a group in the order of what happened first.
func (g *Group[K, V]) byTime() {
	slices.SortFunc(g.Items, func(a, b Item[V]) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Incarnation, b.Incarnation))
	})
}

// told returns what a detector that was asked before has raised of a subject,
// or nil.
func (x *Context) told(id, of string) *Finding {
	by, asked := x.bySubject[id]
	if !asked {
		by = map[string]*Finding{}
		for _, f := range x.raised {
			if f.ID == id && by[f.Subject] == nil {
				by[f.Subject] = f
			}
		}
		x.bySubject[id] = by
	}
	return by[of]
}

// hosts counts the different addresses of a group's items.
func hosts[K comparable, V any, H comparable](g *Group[K, V], of func(*V) H) int {
	seen := map[H]bool{}
	for i := range g.Items {
		seen[of(&g.Items[i].V)] = true
	}
	return len(seen)
}
