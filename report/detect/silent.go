package detect

import (
	"math/bits"
	"net/netip"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// unheard are the signs of lives of one SYN that nobody answered (tracker.Silent).
const unheard = tracker.SignLife | tracker.SignSyn | tracker.SignOneSided | tracker.SignBare | tracker.SignOpening | tracker.SignOpen

// hearer is a watcher that is content with slips of silent lives.
type hearer interface {
	// silents takes note of silent lives, in their order, by what Watcher.Case would note
	// of them.
	silents(lives []slip)
}

// Hears reports whether Silent may be called in place of Case: no detector wants to know
// more of silent lives.
func (g *Engine) Hears() bool {
	for i := range g.at {
		if at := &g.at[i]; at.Signs&unheard != 0 && at.hear == nil {
			return false
		}
	}
	return g.slips
}

// Silent takes note of a life of one SYN that nobody answered, as Case does.
func (g *Engine) Silent(s *tracker.Silent) {
	q := &g.queue
	q.slips[q.n].fillSilent(s)
	q.silent[q.n/64] |= 1 << (q.n % 64)
	q.silents++
	if a := s.Alike; a.Continues < 0 {
		g.quality.lives++
	}
	g.quality.flawed[0]++
	if q.n++; q.n >= g.most {
		g.flush()
	}
}

// fillSilent is fill for a silent life, as far as it is asked for.
func (s *slip) fillSilent(l *tracker.Silent) {
	*s = slip{}
	s.from, s.v4 = putEnd(&s.client, &l.Key, l.Client)
	s.port, s.listener.v4 = putEnd(&s.octets, &l.Key, l.Client^1)
	s.host = [2]uint64{octetsKey(&s.client, s.v4), octetsKey(&s.octets, s.listener.v4)}
	s.ID, s.signs = l.ID, l.Signs
	s.start, s.end, s.first, s.age = l.Time, l.Time, l.Frame, l.Now-l.Time
	s.handshake, s.close, s.closedBy = -1, l.Alike.Close, l.Alike.ClosedBy
	s.opts[tracker.Client] = l.Opts
}

// putEnd writes the octets of one end's address, as netip has them, and returns its port
// and whether it is IPv4. They are zero before.
func putEnd(b *[16]byte, k *capture.Key, side uint8) (port uint16, v4 bool) {
	a, port := &k.Lo, k.LoPort
	if side != 0 {
		a, port = &k.Hi, k.HiPort
	}
	if k.V6 {
		*b = *a
		return port, false
	}
	b[10], b[11] = 0xff, 0xff
	copy(b[12:], a[:4])
	return port, true
}

// clientAddr is the client's address for people.
func (s *slip) clientAddr() netip.Addr {
	a := netip.AddrFrom16(s.client)
	if s.v4 {
		return a.Unmap()
	}
	return a
}

// run is how many of the lives that wait, from i on, are silent, or are not.
func (q *queue) run(i int) (n int, silent bool) {
	silent = q.silent[i/64]>>(i%64)&1 != 0
	for j := i; j < q.n; {
		w := q.silent[j/64] >> (j % 64)
		if silent {
			w = ^w
		}
		if next := bits.TrailingZeros64(w); next < 64-j%64 {
			return min(j+next, q.n) - i, silent
		}
		j += 64 - j%64
	}
	return q.n - i, silent
}

// silents: nothing was idle in a life of one SYN, closed or sent by it.

func (w *packetLoss) silents([]slip)            {}
func (w *middleboxStateExpired) silents([]slip) {}
func (w *finWaits) silents([]slip)              {}
func (w *noKeepalive) silents([]slip)           {}

// silents: it was not answered, and does not tell of a queue unless it was repeated.

func (w *synQueue) silents([]slip) {}
func (w *cookies) silents([]slip)  {}

// silents: it opened no tuple anew.
func (w *assassination) silents([]slip) {}

func (w *synUnanswered) silents(lives []slip) {
	for i := range lives {
		if lives[i].age >= silentFor {
			w.once++
		}
	}
}

func (w *portScan) silents(lives []slip)  { w.tries.silents(lives) }
func (w *hostSweep) silents(lives []slip) { w.tries.silents(lives) }

// silents notes silent lives, once.
func (l *tryLog) silents(lives []slip) {
	if l.told[lives[0].nth] {
		return
	}
	for i := range lives {
		l.touched += l.by.touch(lives[i].host[tracker.Client])
	}
	for i := range lives {
		s := &lives[i]
		l.told[s.nth] = true
		l.add(s.host[tracker.Client], s.clientAddr(), keptTry{Ref: s.Ref, at: s.start, end: s.start, syn: s.first, server: s.server, from: s.from,
			kind: failUnanswered, young: s.age < silentFor})
	}
}

// touch reads from where a key is kept. What it returns means nothing.
func (t *table[V]) touch(key uint64) uint64 {
	if len(t.slots) == 0 {
		return 0
	}
	return t.slots[seat(key, len(t.slots))].key
}

func (w *flood) silents(lives []slip) {
	var server netip.AddrPort
	of := uint32(0) // whose that is
	for i := range lives {
		s := &lives[i]
		open := s.age < decided
		w.ends.add(s.server, s.start, false, open)
		if open {
			continue
		}
		if s.server == 0 || s.server != of {
			server, of = s.listener.addr(), s.server
		}
		v := tried{client: s.host[tracker.Client], made: s.opts[tracker.Client] == 0, young: s.age < settled, syn: s.first}
		w.bag.addSilent(server, s, v)
	}
}

// addSilent is AddAt, for the service of a silent life.
func (b *Bag[K, V]) addSilent(key K, s *slip, v V) {
	if g := b.room(s.server, key); g != nil {
		g.Items = append(g.Items, Item[V]{Ref: s.Ref, At: s.start, Last: s.start, V: v, begins: s.first, proven: provenOf(len(g.Items))})
	}
}
