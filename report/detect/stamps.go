package detect

import (
	"cmp"
	"net/netip"
	"slices"

	"tcpstate/capture"
	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// What syn-queue-overflow wants of the clients that were answered: which
// timestamp their address had sent last.

// pawsAge is how long a timestamp of an address was remembered: TCP_PAWS_MSL.
const pawsAge = 60e9

// maxStamps bounds the connections whose timestamps are kept: the latest that
// were told of. Where there are more of them in a minute, PAWS is not found to be
// the reason of every SYN that was dropped.
const maxStamps = 1 << 15

// stampBook remembers the timestamps of clients whose SYNs were answered.
type stampBook struct {
	ring  ring[stamps]
	pairs keyed // nil until they are asked for
}

// stamps are the timestamps of one connection: the SYN's, and the newest at its
// end where it sent more.
type stamps struct {
	at, last   int64 // of the SYN; of its latest segment, or 0
	syn, tsVal uint32
	hosts      uint64 // key of the client and the server
}

// stamp is one of them.
type stamp struct {
	at    int64
	tsVal uint32
	syn   bool
}

// stampsOf returns the timestamp of the client's SYN, and its newest.
func stampsOf(c *tracker.Case, host [2]uint64) (v stamps, ok bool) {
	a := &c.Ends[tracker.Client]
	v.hosts = together(host[tracker.Client], host[tracker.Server])
	switch {
	case synFirst(c):
		if a.SynOpts&capture.OptTS == 0 {
			return v, false
		}
		v.at, v.syn = c.Life.Start, a.SynTSVal
	default:
		ev := lifeOf(c)
		i := slices.IndexFunc(ev, func(e tracker.Event) bool { return e.Syn() && e.From == tracker.Client })
		if i < 0 || ev[i].Opts&capture.OptTS == 0 {
			return v, false
		}
		v.at, v.syn = ev[i].Time, ev[i].TSVal
	}
	if a.HasTS && a.LastAt > v.at {
		v.last, v.tsVal = a.LastAt, a.MaxTSVal
	}
	return v, true
}

// of returns the timestamps of a client at a server, by time.
func (b *stampBook) of(client, server netip.Addr) (l []stamp) {
	if b.pairs == nil {
		b.pairs = b.ring.byKey(func(v *stamps) uint64 { return v.hosts })
	}
	for _, k := range b.pairs.of(together(hostKey(client), hostKey(server))) {
		v := b.ring.at(k.n)
		l = append(l, stamp{v.at, v.syn, true})
		if v.last != 0 {
			l = append(l, stamp{v.last, v.tsVal, false})
		}
	}
	slices.SortStableFunc(l, func(a, c stamp) int { return cmp.Compare(a.at, c.at) })
	return l
}

// explain reports whether PAWS per address explains why all SYNs of the group
// were dropped. Where each connection's timestamps begin anywhere (RFC 7323
// section 5.4 allows it), SYNs with lower ones are answered, too: not there.
func (b *stampBook) explain(g *Group[netip.AddrPort, droppedOpen]) bool {
	checked := map[netip.Addr][]stamp{}
	for i := range g.Items {
		v := &g.Items[i].V
		l, seen := checked[v.client]
		if !seen {
			l = b.of(v.client, g.Key.Addr())
			if answersOlder(l) {
				l = nil
			}
			checked[v.client] = l
		}
		if !v.hasTS || !older(l, g.Items[i].At, v.tsVal) {
			return false
		}
	}
	return true
}

// answersOlder reports whether an answered SYN had a timestamp below the last.
func answersOlder(l []stamp) bool {
	for i := range l {
		if l[i].syn && older(l[:i], l[i].at, l[i].tsVal) {
			return true
		}
	}
	return false
}

// older reports whether tsVal at that time is below the last of l before it.
func older(l []stamp, at int64, tsVal uint32) bool {
	i, _ := slices.BinarySearchFunc(l, at, func(s stamp, t int64) int { return cmp.Compare(s.at, t) })
	return i > 0 && at-l[i-1].at <= pawsAge && reassembly.Seq(tsVal).Less(reassembly.Seq(l[i-1].tsVal))
}
