package tracker

import "net/netip"

// Usage counts, exactly and at every moment, what hosts and services hold: the
// ports that a client's connections to one server occupy, the TIME-WAITs of
// either end, the attempts that a listener has not got done with.
//
// Only connections count of which a SYN or SYN,ACK told who the client is, and
// only confirmed TIME-WAIT. A state that is taken back, or elapses, is counted
// out again.
//
// Each change of a connection becomes a few gains, applied in the order of
// (time, frame). Nothing else changes a count, so that several trackers' gains,
// merged in that order, would give the same peaks.
type Usage struct {
	pairs    groups
	services groups
	peaks    slab[peak]
	climbs   slab[climb]
	// Lost counts connections that belong to groups which had no room: their
	// counts are missing.
	Lost uint64
}

// Pair is a client host towards a listening endpoint. Its connections share
// the client's range of ports.
type Pair struct {
	Client      netip.Addr
	Server      netip.AddrPort
	Opened      int    // handshakes that completed
	First, Last int64  // when, ns
	LowPort     uint16 // the client's ports lie between these
	HighPort    uint16
	Used        Peak // client's ends that are not CLOSED, since their handshake completed
	UsedWaiting int  // of these, in TIME-WAIT at Used.At
	TimeWait    Peak // client's ends confirmed in TIME-WAIT
}

// Service is a listening endpoint.
type Service struct {
	Server   netip.AddrPort
	TimeWait Peak // server's ends confirmed in TIME-WAIT
	// Attempts: a SYN was seen, and the handshake was neither completed, refused
	// nor given up yet.
	Attempts Peak
	// Answered: of the attempts, those with the server in SYN-RECEIVED, where
	// only the client's ACK is missing.
	Answered Peak
}

// counted says in which counts of its groups a connection stands.
type counted uint8

const (
	inUsed     counted = 1 << iota // Pair.Used
	inWait                         // Pair.TimeWait
	inHeld                         // Service.TimeWait
	inAttempts                     // Service.Attempts
	inAnswered                     // Service.Answered
	inOpened                       // Pair.Opened; a life is never counted out of it
)

// What each bit counts in: the groups and which of their tallies; and from how
// many on it is remembered how that came about. Nobody asks it of few ports, or
// of few attempts; most groups never have more.
var countedIn = [...]struct {
	bit     counted
	service bool
	tally   uint8
	detail  uint32
}{
	{inUsed, false, 0, Few}, {inWait, false, 1, 1},
	{inHeld, true, 0, 1}, {inAttempts, true, 1, Few}, {inAnswered, true, 2, Few},
}

// Few is how many of Pair.Used, Service.Attempts and Service.Answered
// there have to be before their Peak tells more than Now and Max.
const Few = 8

const tallies = 3 // of a group, at most

// held is what a table's entry remembers, so that a connection is counted out
// of what it was counted in.
type held struct {
	syn           uint64 // frame of the SYN with which it was last counted as an attempt
	pair, service uint32 // index plus one; 0 not looked up, noRoom
	in            counted
	client        uint8 // side of the Key, when the groups were looked up
}

// gain is one connection more, or less, in one count.
type gain struct {
	time  int64
	frame uint64
	from  uint64 // frame with which began what now is counted: SYN, own FIN; 0 unknown
	id    uint64
	inc   uint32
	slot  uint32 // names the 4-tuple, across its lives
	more  bool
}

// follow brings the counts into step with a connection that changed.
func (u *Usage) follow(e *entry, slot uint32, k *sink) {
	c, h := &e.conn, &e.held
	was := h.in
	if h.client != c.client {
		was = 0
	}
	want := c.counts(was)
	if h.in == want && h.client == c.client {
		return
	}
	g := gain{time: k.now, frame: k.frame, id: c.id, inc: c.incarnation, slot: slot}
	if g.frame == 0 {
		g.frame = c.lastFrame // a timer took back what hid it
	}
	if h.client != c.client {
		u.apply(c, h, &g, h.in)
		*h = held{client: c.client}
	}
	u.apply(c, h, &g, h.in&^want)
	in := want &^ h.in
	if cl := c.at(c.client); in&inAttempts != 0 && cl.state() == SynSent && cl.synAt == k.now {
		h.syn = k.frame
	}
	u.find(c, h, in)
	if in&inOpened != 0 && h.in&inUsed == 0 && h.pair != noRoom {
		u.pairs.at(h.pair).opens(k.now, c)
	}
	g.more = true
	u.apply(c, h, &g, in)
	h.in = want
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
func (u *Usage) find(c *Conn, h *held, in counted) {
	if in&(inUsed|inWait|inOpened) != 0 && h.pair == 0 {
		h.pair = u.pairs.find(groupKey(&c.Key, c.client, true))
		if h.pair == noRoom {
			u.Lost++
		}
	}
	if in&(inHeld|inAttempts|inAnswered) != 0 && h.service == 0 {
		h.service = u.services.find(groupKey(&c.Key, c.client, false))
		if h.service == noRoom {
			u.Lost++
		}
	}
}

// apply counts the connection in or out where bits say.
func (u *Usage) apply(c *Conn, h *held, g *gain, bits counted) {
	for i := range countedIn {
		x := &countedIn[i]
		if bits&x.bit == 0 {
			continue
		}
		of, in := h.pair, &u.pairs
		if x.service {
			of, in = h.service, &u.services
		}
		if of == noRoom {
			continue
		}
		if g.more {
			g.from = c.from(h, x.bit)
		}
		u.count(in.at(of), x.tally, x.detail, g)
	}
}

// from is the frame with which began what the bit counts: the SYN, or the
// holder's own FIN if it closed first; 0 if it was not seen.
func (c *Conn) from(h *held, bit counted) uint64 {
	holder := c.client
	switch bit {
	case inUsed, inAttempts, inAnswered:
		if h.syn >= c.firstFrame {
			return h.syn
		}
		return 0
	case inHeld:
		holder ^= 1
	}
	if c.notes.finSide != holder {
		return 0
	}
	return c.notes.finFrame
}

// Pairs yields all pairs, in the order in which they were first counted.
func (u *Usage) Pairs(yield func(*Pair) bool) {
	for i := range u.pairs.slab.n {
		g := u.pairs.at(i + 1)
		p := Pair{Client: g.key.End(0).Addr(), Server: g.key.End(1), Opened: int(g.opened), First: g.first, Last: g.last, LowPort: g.lowPort, HighPort: g.highPort,
			Used: u.peak(&g.tally[0]), TimeWait: u.peak(&g.tally[1])}
		if d := g.tally[0].peak; d != 0 {
			p.UsedWaiting = int(u.peaks.at(d).beside)
		}
		if !yield(&p) {
			return
		}
	}
}

// Services yields all services, in the order in which they were first counted.
func (u *Usage) Services(yield func(*Service) bool) {
	for i := range u.services.slab.n {
		g := u.services.at(i + 1)
		s := Service{Server: g.key.End(1), TimeWait: u.peak(&g.tally[0]), Attempts: u.peak(&g.tally[1]), Answered: u.peak(&g.tally[2])}
		if !yield(&s) {
			return
		}
	}
}

// Usage tells what was counted. It is valid between batches, and after Finish.
func (t *Tracker) Usage() *Usage { return &t.usage }
