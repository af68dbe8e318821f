package detect

import (
	"net/netip"

	"tcpstate/tracker"
)

// delay is the line in which connections wait until it is known whether their
// client opens many to the same endpoint: when a connection leaves it, those that
// followed were counted. Whoever opens few is never kept.
type delay struct {
	line []delayed
	next int // leaves next
	out  delayed
	// now and before count the connections by flow, or some flows that share a
	// counter, in the latest maxDelayed of them and those before.
	now, before []uint16
	counted     int
}

const (
	// maxDelayed bounds the line: connections of 10 s at 2500 per second. Where more
	// are opened, fewer of a flow are met while one of its connections waits.
	maxDelayed = 3 << 13
	counters   = 1 << 14
	// early is the part of what is needed that is enough to be kept: connections wait
	// for less than their window where there are many, and need not come evenly.
	early = 8
)

// delayed is a connection that waits.
type delayed struct {
	Ref
	client   [16]byte
	server   uint32 // index plus one of its service
	counter  uint16
	v4       bool
	at, last int64
	brief
}

// counterOf is the counter of a life's flow.
func counterOf(l *slip) uint16 {
	return uint16(mix(l.host[tracker.Client], uint64(l.server)) % counters)
}

// add puts a connection into the line and returns the one that leaves it, nil if
// none does. It is valid until the next call.
func (d *delay) add(l *slip, syn uint64) *delayed {
	if d.now == nil {
		d.now, d.before = make([]uint16, counters), make([]uint16, counters)
	}
	if d.counted++; d.counted > maxDelayed {
		d.now, d.before, d.counted = d.before, d.now, 1
		clear(d.now)
	}
	k := counterOf(l)
	if n := &d.now[k]; *n+1 != 0 {
		*n++
	}
	var x *delayed
	leaves := len(d.line) == maxDelayed
	if leaves {
		x = &d.line[d.next]
		d.out = *x
		d.next = (d.next + 1) % maxDelayed
	} else {
		d.line = append(roomy(d.line, maxDelayed), delayed{})
		x = &d.line[len(d.line)-1]
	}
	x.Ref, x.client, x.v4, x.server, x.counter, x.at, x.last = l.Ref, l.client, l.v4, l.server, k, l.done, l.end
	x.brief = brief{syn: syn, request: l.request, end: l.closeAt, rtt: max(0, l.handshake), turns: l.turns}
	if !leaves {
		return nil
	}
	return &d.out
}

// due reports whether its flow may have as many connections as are needed.
func (x *delayed) due(d *delay, need int) bool {
	return x != nil && int(d.now[x.counter])+int(d.before[x.counter]) >= max(1, min(need/early, 1<<15))
}

// flow is whom it connected.
func (s *shared) flow(x *delayed) flow {
	client := netip.AddrFrom16(x.client)
	if x.v4 {
		client = client.Unmap()
	}
	return flow{client, s.services.all[x.server-1].addr()}
}
