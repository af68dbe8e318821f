package tracker

import (
	"encoding/binary"
	"slices"

	"tcpstate/capture"
)

// journal is the worker's half of Usage: it writes down what the connections of
// one worker come to hold, and shares nothing with others. It knows services and
// IPv6 hosts by numbers of its own, and needs no memory for a pair: that is a
// service and a client.
type journal struct {
	services index[listener]
	hosts    index[[16]byte]
	workers  uint32 // how many share the bounds; 0 is one
	most     uint32 // the bound of each, where services and hosts are given up again; 0 where not
	// clock is the latest time of the whole capture, where segments are dealt
	// to several workers and time runs backwards.
	clock  int64
	logged int64 // the latest time in the log
	log    usageLog
}

// heldBrief is all that need be known of a connection to count it out.
type heldBrief struct {
	client uint32 // the IPv4 address, or the host's index plus one; 0 not looked up, noRoom
	what   standing
	name   uint32 // the first frame of the life that was counted
}

// held is what a table's entry remembers, so that a connection is counted out
// of what it was counted in.
type held struct {
	heldBrief
	syn uint32 // frame of the SYN with which it was last counted as an attempt
}

// noRoom is the index of a group that there was no room for.
const noRoom = serviceMask

// logFull is how many gains make it worth to apply them.
const logFull = 4096

// full reports that the log should be handed on before more is followed.
func (j *journal) full() bool { return len(j.log.gains) >= logFull }

// subject is what of a connection its gains say.
type subject struct {
	key      capture.Key
	first    uint64 // its first frame
	finFrame uint64 // of its first FIN, 0 none, which
	finSide  uint8  // sent
	client   uint8  // side
	syn      bool   // it begins, or tries anew, with the client's SYN now
}

// moment is when a connection changed.
type moment struct {
	time  int64
	where uint64   // the frame; in gains, as there
	out   counted  // what is left, and was not written down yet
	life  uint64   // see lifeID
	timer standing // gainTimer, if it was one
}

// follow writes down how a connection that changed now counts.
func (j *journal) follow(c *Conn, h *held, k *sink) {
	was := h.what.in()
	if h.what.side() != c.client {
		was = 0
	}
	want := c.counts(was)
	if want == was && h.what.side() == c.client {
		return
	}
	cl := c.at(c.client)
	x := subject{key: c.Key, first: c.firstFrame, finFrame: c.notes.finFrame, finSide: c.notes.finSide,
		client: c.client, syn: cl.state() == SynSent && cl.synAt == k.now}
	m := moment{time: k.now, where: k.frame, life: lifeID(c.id, c.incarnation)}
	if k.frame == 0 {
		m.where, m.timer = c.lastFrame, gainTimer // it took back what hid it, or ended it
	}
	j.change(&x, h, m, want)
}

// change writes down that a connection now counts in want.
func (j *journal) change(x *subject, h *held, m moment, want counted) {
	was := h.what.in()
	turned := h.what.side() != x.client
	if turned {
		was = 0
	}
	port := x.key.LoPort
	if x.client != 0 {
		port = x.key.HiPort
	}
	frame, in := m.where, want&^was
	m.where = frame<<(outBits+portBits) | uint64(port)
	out := (h.what.in()&^was | was&^want) &^ inOpened
	if turned || in == 0 || h.name != uint32(x.first) || h.what.service() == noRoom {
		j.out(&h.heldBrief, &m, out)
	} else { // it is said with what the same life enters, of the same service
		m.out = out
		h.what &^= standing(out)
	}
	if turned {
		*h = held{}
		if x.client != 0 {
			h.what = standSide
		}
	}
	if in != 0 {
		j.in(x, h, &m, was, in, frame)
		if out = m.out; out != 0 { // nothing was entered after all
			m.out = 0
			j.out(&h.heldBrief, &m, out)
		}
	}
	h.what = h.what.with(want)
}

// out writes down that the connection stands in some counts no more.
func (j *journal) out(h *heldBrief, m *moment, bits counted) {
	if bits &^= inOpened; bits != 0 {
		h.what &^= standing(bits)
		j.write(h, m, bits, 0, 0)
	}
}

// in writes down that it comes to stand in some, having stood in others.
func (j *journal) in(x *subject, h *held, m *moment, was, in counted, frame uint64) {
	if in&inAttempts != 0 && x.syn {
		h.syn = uint32(frame)
	}
	j.find(x, &h.heldBrief, in)
	if before, name := h.name, uint32(x.first); before != name {
		h.name = name
		if kept := h.what.in() &^ inOpened; kept != 0 {
			j.write(&h.heldBrief, m, kept, gainRenamed, before)
		}
	}
	bits := in & (inUsed | inAttempts | inAnswered | inOpened)
	if was&inUsed != 0 {
		bits &^= inOpened // it carries on a life that was opened
	}
	if bits != 0 {
		from := uint32(0)
		// The low half of a frame's number tells it from all near ones.
		if ago := uint32(frame) - h.syn; h.syn != 0 && frame-uint64(ago) >= x.first {
			from = ago + 1
		}
		j.write(&h.heldBrief, m, bits, gainMore, from)
	}
	if in&(inWait|inHeld) == 0 {
		return
	}
	// TIME-WAIT begins with the holder's own FIN, if it closed first.
	for _, w := range [...]struct {
		bit  counted
		side uint8
	}{{inWait, x.client}, {inHeld, x.client ^ 1}} {
		if in&w.bit == 0 {
			continue
		}
		from := uint32(0)
		if x.finSide == w.side && x.finFrame != 0 {
			if ago := frame - x.finFrame; ago < 1<<32-1 {
				from = uint32(ago) + 1
			}
		}
		j.write(&h.heldBrief, m, w.bit, gainMore, from)
	}
}

// write puts a gain into the log, if its groups have room, and with it what is left
// at the same moment. It is put together
// there: to copy what was just written in parts is slow.
func (j *journal) write(h *heldBrief, m *moment, bits counted, kind standing, from uint32) {
	out := m.out
	m.out = 0
	if h.what.service() == noRoom {
		return
	}
	if h.client == noRoom && h.what&standV6 != 0 {
		bits &^= inPair
		out &^= inPair
	}
	if bits == 0 { // all that it enters has no room
		bits, out, kind, from = out, 0, 0, 0
	}
	if bits == 0 {
		return
	}
	at := j.clock
	// A timer that was overdue when it was set, for time ran backwards, runs out when the
	// clock goes on: behind all that came until then.
	if m.timer != 0 && m.time <= at {
		at++
	}
	if m.time < at && j.logged < at {
		j.log.gains = append(j.log.gains, gain{time: at})
		j.logged = at
	}
	j.logged = max(j.logged, j.clock, m.time)
	n := len(j.log.gains)
	j.log.gains = slices.Grow(j.log.gains, 1)[:n+1]
	g := &j.log.gains[n]
	g.time, g.where, g.life = m.time, m.where|uint64(out)<<portBits, m.life
	g.client, g.name, g.from = h.client, h.name, from
	g.what = kind | m.timer | h.what&(standV6|serviceMask<<serviceShift) | standing(bits)
}

// counts tells what the connection is to be counted in, having been in in.
func (c *Conn) counts(in counted) (want counted) {
	if c.roles < RoleSynAck || c.Key.Self() {
		return 0
	}
	cl, sv := c.at(c.client), c.at(c.client^1)
	done := c.notes.doneAt != 0
	if done {
		want |= inOpened
	}
	switch cl.state() {
	case Closed:
	case SynSent, SynReceived:
		// The port goes on to be used, but by another attempt; unless its SYN is
		// in doubt.
		if in&inUsed != 0 && cl.certainty() != Confirmed {
			want |= inUsed
		}
	default:
		// A life that carries on another was opened there.
		if in&inUsed != 0 || done {
			want |= inUsed
		}
		if mk(cl.state(), cl.certainty()) == mk(TimeWait, Confirmed) {
			want |= inWait
		}
	}
	if mk(sv.state(), sv.certainty()) == mk(TimeWait, Confirmed) {
		want |= inHeld
	}
	if done || !cl.is(sentSyn) || cl.is(spoke) || cl.state() == Closed {
		return want
	}
	switch {
	case sv.state() == SynReceived:
		want |= inAttempts | inAnswered
	case cl.state() == SynSent && cl.certainty() == Confirmed:
		want |= inAttempts
	}
	return want
}

// find looks up the groups that the connection comes to count in: once for
// each, as long as its roles stay.
func (j *journal) find(x *subject, h *heldBrief, in counted) {
	share := maxGroups / max(1, j.workers)
	if j.most != 0 {
		share = j.most
		j.check(x, h)
	}
	// What only was refused room as an attempt has another try when it opens.
	if s := h.what.service(); s == 0 || s == noRoom && h.what.in()&^inOpened == 0 {
		l, limit := listenerOf(&x.key, x.client), share
		if in&(inPair|inHeld) != 0 {
			limit += share // attempts towards anywhere do not take the room of what opens
		}
		i, fresh := j.services.find(l, l.hash(), limit)
		if fresh && j.most == 0 {
			j.log.services = append(j.log.services, l)
		}
		if i == 0 {
			i = noRoom
			j.log.lost++
		}
		h.what = h.what.of(i)
	}
	if in&inPair == 0 || h.client != 0 {
		return
	}
	host := &x.key.Lo
	if x.client != 0 {
		host = &x.key.Hi
	}
	if !x.key.V6 {
		h.client = binary.BigEndian.Uint32(host[:])
		return
	}
	h.what |= standV6
	i, fresh := j.hosts.find(*host, hostHash(host), share)
	if fresh && j.most == 0 {
		j.log.hosts = append(j.log.hosts, *host)
	}
	if i == 0 {
		i = noRoom
		j.log.lost++
	}
	h.client = i
}
