package reassembly

import "testing"

// What a segment is to its space, class by class. The space before each:
// ISN 0; octets 1 to 100 were sent and acknowledged; then 101 to 200, not
// acknowledged; the window reaches to 1000. The peer has sent up to 500, of
// which 400 are acknowledged.
func TestClassify(t *testing.T) {
	own := func() *Space {
		s := &Space{}
		s.Open(0, 0)
		s.Send(1, 101, false)
		s.Acked(101)
		s.Send(101, 201, false)
		s.Wnd, s.HasWnd = 1000, true
		return s
	}
	acked := func() *Space { // all is acknowledged
		s := own()
		s.Acked(201)
		return s
	}
	hole := func() *Space { // 201 to 300 are missing
		s := own()
		s.Send(301, 401, false)
		return s
	}
	peer := &Space{}
	peer.Open(0, 0)
	peer.Send(1, 501, false)
	peer.Acked(401)
	quiet := &Space{} // a peer whose octets are all acknowledged
	quiet.Open(0, 0)
	quiet.Send(1, 501, false)
	quiet.Acked(501)

	data := func(seq Seq, n uint32) Probe { return Probe{Seq: seq, Len: n, Ack: 501, HasAck: true} }
	pure := func(seq, ack Seq) Probe { return Probe{Seq: seq, Ack: ack, HasAck: true} }
	with := func(p Probe, f func(*Probe)) Probe { f(&p); return p }

	for _, tt := range []struct {
		name  string
		space *Space
		peer  *Space
		p     Probe
		want  Class
	}{
		// SYNs are judged by their number alone.
		{"the first SYN", &Space{}, &Space{}, Probe{Seq: 0, Syn: true}, New},
		{"the SYN again", own(), peer, Probe{Seq: 0, Syn: true}, Retransmission},
		{"the SYN,ACK again", own(), peer, Probe{Seq: 0, Syn: true, Ack: 9999, HasAck: true}, Retransmission},
		{"another SYN", own(), peer, Probe{Seq: 70000, Syn: true}, New},
		{"the first segment in mid-stream", &Space{}, &Space{}, data(5000, 100), New},

		// Payload.
		{"the next octets", own(), peer, data(201, 100), New},
		{"the FIN", own(), peer, Probe{Seq: 201, Fin: true, Ack: 501, HasAck: true}, New},
		{"the same octets again", own(), peer, data(101, 100), Retransmission},
		{"a part of them again", own(), peer, data(150, 10), Retransmission},
		{"octets long acknowledged", own(), peer, data(1, 100), Spurious},
		{"up to the edge of what is acknowledged", own(), peer, data(51, 50), Spurious},
		{"one octet past that", own(), peer, data(51, 51), Retransmission},
		{"some again and some new", own(), peer, data(151, 100), Overlap},
		{"octets before it are missing", own(), peer, data(301, 100), Gap},
		{"a hole filled soon", hole(), peer, with(data(201, 100), func(p *Probe) { p.Soon = true }), OutOfOrder},
		{"a hole filled late", hole(), peer, data(201, 100), Retransmission},
		{"nothing missing, sent again soon", own(), peer, with(data(101, 100), func(p *Probe) { p.Soon = true }), Retransmission},
		{"within the window to its last octet", own(), peer, data(1000, 1), Gap},
		{"beyond the window", own(), peer, data(1001, 1), OutsideWindow},

		// Probes: nothing or one octet, one below the next number.
		{"keepalive", acked(), peer, pure(200, 501), Keepalive},
		{"keepalive with an octet", acked(), peer, data(200, 1), Keepalive},
		{"the last octet once more, unacknowledged, is none", own(), peer, data(200, 1), Retransmission},
		{"keepalive without payload, whatever is unacknowledged", own(), peer, pure(200, 501), Keepalive},
		{"against a closed window", acked(), peer, with(pure(200, 501), func(p *Probe) { p.ZeroWnd = true }), ZeroWindowProbe},
		{"against a closed window with an octet", own(), peer, with(data(200, 1), func(p *Probe) { p.ZeroWnd = true }), ZeroWindowProbe},
		{"a FIN there is no probe", acked(), peer, Probe{Seq: 200, Fin: true, Ack: 501, HasAck: true}, Spurious},

		// Without payload.
		{"a new acknowledgment", own(), peer, pure(201, 501), PureAck},
		{"another window", own(), peer, with(pure(201, 401), func(p *Probe) { p.SameAck = true }), WindowUpdate},
		{"nothing new with data outstanding", own(), peer, with(pure(201, 401), func(p *Probe) { p.SameAck, p.SameWnd = true, true }), DupAck},
		{"nothing new and nothing outstanding", own(), quiet, with(pure(201, 501), func(p *Probe) { p.SameAck, p.SameWnd = true, true }), PureAck},

		// An acknowledgment of what was never seen outranks what the segment is otherwise.
		{"acknowledges unseen octets", own(), peer, pure(201, 601), AckUnseen},
		{"with payload", own(), peer, with(data(201, 100), func(p *Probe) { p.Ack = 601 }), AckUnseen},
		{"with payload sent before", own(), peer, with(data(101, 100), func(p *Probe) { p.Ack = 601 }), AckUnseen},
		{"a probe comes first", acked(), peer, pure(200, 601), Keepalive},
		{"nonsense far away is not counted as unseen", own(), peer, pure(201, 501+1<<30), PureAck},
		{"of a peer that is unknown", own(), &Space{}, pure(201, 601), PureAck},
	} {
		if got := Classify(tt.space, tt.peer, tt.p); got != tt.want {
			t.Errorf("%s: %v, not %v", tt.name, got, tt.want)
		}
	}
}

// In mid-stream, as long as a space is known from the peer's acknowledgments
// alone, its numbers are bounds, and nothing is held against a segment.
func TestClassifyMidStream(t *testing.T) {
	var s Space
	s.AdoptAck(9000)
	s.Wnd, s.HasWnd = 9100, true
	for _, p := range []Probe{{Seq: 9000, Len: 100}, {Seq: 9050, Len: 100}, {Seq: 9500, Len: 100}} {
		if got := Classify(&s, &Space{}, p); got != New {
			t.Errorf("the first segment, at %d: %v", p.Seq, got)
		}
	}
	if got := Classify(&s, &Space{}, Probe{Seq: 8999, Ack: 1, HasAck: true}); got != PureAck {
		t.Errorf("one below the bound is no keepalive: %v", got)
	}
	// The other way: what is acknowledged beyond a bound was not missed.
	var own Space
	own.Open(0, 0)
	if got := Classify(&own, &s, Probe{Seq: 1, Ack: 9500, HasAck: true}); got != PureAck {
		t.Errorf("acknowledges beyond a bound: %v", got)
	}
}

func TestClassNames(t *testing.T) {
	seen := map[string]Class{}
	for c := New; c < NumClasses; c++ {
		name := c.String()
		if other, ok := seen[name]; ok || name == "" || name == "?" {
			t.Errorf("class %d is called %q, as is %d", c, name, other)
		}
		seen[name] = c
	}
	if ClassNone.String() != "" || NumClasses.String() != "?" {
		t.Errorf("%q, %q", ClassNone, NumClasses)
	}
}

// Nothing that a segment may contain makes Classify stumble.
func FuzzClassify(f *testing.F) {
	f.Add(uint32(0), uint32(1), uint32(100), uint32(1), uint16(0))
	f.Fuzz(func(t *testing.T, iss, seq, n, ack uint32, bits uint16) {
		var s, peer Space
		if bits&1 != 0 {
			s.Open(Seq(iss), 0)
		}
		if bits&2 != 0 {
			peer.AdoptAck(Seq(ack))
		}
		s.Send(Seq(iss), Seq(iss).Add(n>>8), bits&4 != 0)
		s.Acked(Seq(ack))
		p := Probe{Seq: Seq(seq), Len: n & 0xffff, Ack: Seq(ack), Syn: bits&8 != 0, Fin: bits&16 != 0, HasAck: bits&32 != 0,
			SameAck: bits&64 != 0, SameWnd: bits&128 != 0, ZeroWnd: bits&256 != 0, Soon: bits&512 != 0}
		if c := Classify(&s, &peer, p); c == ClassNone || c == Duplicate || c >= NumClasses {
			t.Errorf("%+v is %v", p, c)
		}
	})
}
