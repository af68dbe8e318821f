package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// StaleSyn: the opener rejects the answer to its SYN.
var StaleSyn = &Detector{
	ID:    "stale-syn",
	Title: "a client rejects the SYN,ACK that answers its SYN",
	Rule: "A SYN,ACK is answered by the end that had sent the SYN with a RST without ACK, whose number is that SYN,ACK's acknowledgment, before that end sent anything but SYNs. " +
		"Old duplicate: the acknowledgment is not the SYN's number + 1 (+ its payload), or the SYN has the number of an earlier connection of the same tuple. Abandoned: neither; the socket was closed meanwhile, or a scanner never meant to open.",
	Default: Note,
	Subject: "server A:P",
	Blame:   "client",
	Example: "stream 0 10.0.0.1:40022 → 10.0.0.2:80\n" +
		"0 * -- SYN 0 mss 1460 -> *\n0.001 * <- SYN,ACK 0 ack 1 mss 1460 -- *\n0.0011 * -- RST 1 win 0 -> *",
	Advice: "Client: an abandoned open is a program that closes its socket while connect() is under way (a timeout that is too short, the loser of a dual-stack connect), " +
		"and needs nothing if it is rare; if the client is a scanner, see who runs it. The server loses nothing: the RST frees its entry in SYN-RECEIVED at once.",
	Sources: []string{"RFC 9293 section 3.5 figure 8, section 3.10.7.3", "RFC 8305", "Linux tcp_rcv_synsent_state_process, tcp_v4_send_reset"},
	Signs:   tracker.SignRst,
	New:     func(s *Setup) Watcher { return &staleSyn{shared: s.shared} },
}

type staleSyn struct {
	*shared
	bag Bag[netip.AddrPort, rejectedAnswer]
}

// rejectedAnswer is what is wanted of one connection.
type rejectedAnswer struct {
	client netip.Addr
	old    bool // it acknowledges another SYN, or the SYN is an old duplicate
	bare   bool // the SYN offers none of the options of today's systems
}

// rejection is the SYN, the SYN,ACK that its sender rejects, and the RST.
func rejection(c *tracker.Case) (syn, answer, rst *tracker.Event) {
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		switch {
		case e.Is(tracker.Earlier | tracker.Quoted | tracker.Odd):
		case e.From == tracker.Client && e.Syn():
			syn = e
		case e.From == tracker.Server && e.SynAck():
			answer = e
		case e.From == tracker.Client && e.Rst():
			if syn != nil && answer != nil && !e.Has(capture.ACK) && e.Seq == answer.Ack {
				return syn, answer, e
			}
		case e.From == tracker.Client && e.Plain():
			return nil, nil, nil // it took an answer
		}
	}
	return nil, nil, nil
}

// answersSyn reports that a SYN,ACK acknowledges the SYN, without its payload or
// with it: a server may take the SYN alone (RFC 7413).
func answersSyn(answer, syn *tracker.Event) bool {
	return answer.Ack == syn.Seq+1 || answer.Ack == uint32(syn.End())
}

func (w *staleSyn) Case(c *tracker.Case) {
	if !c.Has(tracker.SignSyn) || c.Has(tracker.SignSelf) || w.trail.bare[tracker.Client] == 0 {
		return
	}
	syn, answer, rst := rejection(c)
	if rst == nil {
		return
	}
	live := answersSyn(answer, syn)
	again := c.Life.Incarnation > 0 // with the ISS of a connection that was over
	v := rejectedAnswer{c.Addr(tracker.Client).Addr(), !live || again, syn.Opts&(capture.OptTS|capture.OptWScale|capture.OptSACKOK) == 0}
	w.bag.Add(c.Addr(tracker.Server), c, syn.Time, rst.Time, v, func() []Proof {
		opens, text := "SYN", fmt.Sprintf("SYN,ACK that acknowledges the SYN (ack = ISS+%d)", answer.Ack-syn.Seq)
		if again {
			opens = "SYN with the number of an earlier connection that is over"
		}
		if !live {
			text = fmt.Sprintf("SYN,ACK with ack %d, not ISS+1 = %d: it answers another SYN", answer.Ack, syn.Seq+1)
		}
		return []Proof{{syn.Frame, opens}, {answer.Frame, text}, {rst.Frame, "RST with seq = that ack: the client rejects it"}}
	})
}

func (w *staleSyn) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		old, bare := 0, 0
		for i := range g.Items {
			v := &g.Items[i].V
			if v.old {
				old++
			} else if v.bare {
				bare++
			}
		}
		if x.Doubts&CutHeaders != 0 {
			bare = 0 // the options are not known
		}
		abandoned := g.Count() - old
		clients := hosts(g, func(v *rejectedAnswer) netip.Addr { return v.client })
		f := g.Finding(Server(g.Key))
		f.Severity, f.Blame = Note, BlameClient
		f.Metrics = Metrics{{"abandoned", float64(abandoned)}, {"old_duplicates", float64(old)}, {"bare_syns", float64(bare)}, {"clients", float64(clients)}}
		f.Explanation = fmt.Sprintf("On %s to %s the client rejected the SYN,ACK with RST.", plural(g.Count(), "connection"), g.Key)
		if abandoned > 0 {
			f.Explanation += fmt.Sprintf(" %s answered the client's own SYN: the client had given up, or is a scanner.", countOf(abandoned, g.Count()))
		}
		if bare > 0 {
			f.Explanation += fmt.Sprintf(" %s without window scale, SACK and timestamps came before: scanners that make their own packets send such SYNs.", plural(bare, "SYN"))
		}
		if old > 0 {
			f.Explanation += fmt.Sprintf(" %s answered another SYN, or one of an earlier connection: an old duplicate, or forged.", countOf(old, g.Count()))
			if abandoned == 0 {
				f.Advice = "This is how TCP gets rid of old duplicate SYNs, and needs nothing: the server drops the old attempt, and the repeat of a live SYN is answered. " +
					"If it is frequent, look for a client that uses one source port again within seconds, or for a path that delays packets by so much."
			}
		}
		x.Raise(f)
	}
}

// countOf begins a sentence with n of all.
func countOf(n, all int) string {
	switch {
	case n == all && n == 1:
		return "It"
	case n == all && n == 2:
		return "Both"
	case n == all:
		return fmt.Sprintf("All %d", n)
	}
	return fmt.Sprint(n)
}
