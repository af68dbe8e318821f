package tracker

import (
	"encoding/binary"
	"slices"
)

// journal is the worker's half of Usage: it writes down what the connections of
// one worker come to hold, and shares nothing with others. It knows services and
// IPv6 hosts by numbers of its own, and needs no memory for a pair: that is a
// service and a client.
type journal struct {
	services index[listener]
	hosts    index[[16]byte]
	workers  uint32 // how many share the bounds; 0 is one
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

// follow writes down how a connection that changed now counts.
func (j *journal) follow(c *Conn, h *held, k *sink) {
	was := h.what.in()
	turned := h.what.side() != c.client
	if turned {
		was = 0
	}
	want := c.counts(was)
	if want == was && !turned {
		return
	}
	frame, timer := k.frame, standing(0)
	if frame == 0 {
		frame, timer = c.lastFrame, gainTimer // it took back what hid it, or ended it
	}
	port := c.Key.LoPort
	if c.client != 0 {
		port = c.Key.HiPort
	}
	m := moment{k.now, frame<<portBits | uint64(port), lifeID(c.id, c.incarnation), timer}
	j.out(&h.heldBrief, &m, h.what.in()&^was|was&^want)
	if turned {
		*h = held{}
		if c.client != 0 {
			h.what = standSide
		}
	}
	if in := want &^ was; in != 0 {
		j.in(c, h, &m, was, in, k)
	}
	h.what = h.what.with(want)
}

// moment is what the gains of one change share.
type moment struct {
	time  int64
	where uint64
	life  uint64
	timer standing // gainTimer, if it was one
}

// out writes down that the connection stands in some counts no more.
func (j *journal) out(h *heldBrief, m *moment, bits counted) {
	if bits &^= inOpened; bits != 0 {
		h.what &^= standing(bits)
		j.write(h, m, bits, 0, 0)
	}
}

// in writes down that it comes to stand in some, having stood in others.
func (j *journal) in(c *Conn, h *held, m *moment, was, in counted, k *sink) {
	if in&inAttempts != 0 {
		if cl := c.at(c.client); cl.state() == SynSent && cl.synAt == k.now {
			h.syn = uint32(k.frame)
		}
	}
	j.find(c, &h.heldBrief, in)
	if before, name := h.name, uint32(c.firstFrame); before != name {
		h.name = name
		if kept := h.what.in() &^ inOpened; kept != 0 {
			j.write(&h.heldBrief, m, kept, gainRenamed, before)
		}
	}
	bits := in & (inUsed | inAttempts | inAnswered | inOpened)
	if was&inUsed != 0 {
		bits &^= inOpened // it carries on a life that was opened
	}
	frame := m.where >> portBits
	if bits != 0 {
		from := uint32(0)
		// The low half of a frame's number tells it from all near ones.
		if ago := uint32(frame) - h.syn; h.syn != 0 && frame-uint64(ago) >= c.firstFrame {
			from = ago + 1
		}
		j.write(&h.heldBrief, m, bits, gainMore, from)
	}
	if in&(inWait|inHeld) == 0 {
		return
	}
	// TIME-WAIT begins with the holder's own FIN, if it closed first.
	for _, x := range [...]struct {
		bit  counted
		side uint8
	}{{inWait, c.client}, {inHeld, c.client ^ 1}} {
		if in&x.bit == 0 {
			continue
		}
		from := uint32(0)
		if c.notes.finSide == x.side && c.notes.finFrame != 0 {
			if ago := frame - c.notes.finFrame; ago < 1<<32-1 {
				from = uint32(ago) + 1
			}
		}
		j.write(&h.heldBrief, m, x.bit, gainMore, from)
	}
}

// write puts a gain into the log, if its groups have room. It is put together
// there: to copy what was just written in parts is slow.
func (j *journal) write(h *heldBrief, m *moment, bits counted, kind standing, from uint32) {
	if h.what.service() == noRoom {
		return
	}
	if h.client == noRoom && h.what&standV6 != 0 {
		bits &^= inPair
	}
	if bits == 0 {
		return
	}
	if m.time < j.clock && j.logged < j.clock {
		j.log.gains = append(j.log.gains, gain{time: j.clock})
	}
	j.logged = max(j.logged, j.clock, m.time)
	n := len(j.log.gains)
	j.log.gains = slices.Grow(j.log.gains, 1)[:n+1]
	g := &j.log.gains[n]
	g.time, g.where, g.life = m.time, m.where, m.life
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
func (j *journal) find(c *Conn, h *heldBrief, in counted) {
	share := maxGroups / max(1, j.workers)
	// What only was refused room as an attempt has another try when it opens.
	if s := h.what.service(); s == 0 || s == noRoom && h.what.in()&^inOpened == 0 {
		l, limit := listenerOf(&c.Key, c.client), share
		if in&(inPair|inHeld) != 0 {
			limit += share // attempts towards anywhere do not take the room of what opens
		}
		i, fresh := j.services.find(l, l.hash(), limit)
		if fresh {
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
	host := &c.Key.Lo
	if c.client != 0 {
		host = &c.Key.Hi
	}
	if !c.Key.V6 {
		h.client = binary.BigEndian.Uint32(host[:])
		return
	}
	h.what |= standV6
	i, fresh := j.hosts.find(*host, hostHash(host), share)
	if fresh {
		j.log.hosts = append(j.log.hosts, *host)
	}
	if i == 0 {
		i = noRoom
		j.log.lost++
	}
	h.client = i
}
