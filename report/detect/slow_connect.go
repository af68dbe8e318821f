package detect

import (
	"fmt"
	"net/netip"
	"strings"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// SlowConnect: a handshake that cost a timeout.
var SlowConnect = &Detector{
	ID:    "slow-connect",
	Title: "connections waited for a repeated SYN or SYN,ACK",
	Rule: "The handshake completed only after SYN or SYN,ACK was repeated: the client's first ACK came later than the repeat. " +
		"A SYN,ACK repeated after that ACK does not count (a lost ACK, deferred accept), " +
		"nor does a SYN that drew RST or a challenge ACK first. Where the capture lost packets or holds SYN, FIN and RST only, a repeated SYN,ACK alone does not count.",
	Default: Note,
	Levels: "warning for count connections, or share of the service's if there is more than one. Where nothing was lost " +
		"(the path takes longer than the timeout) it does not count for that",
	Subject: "server A:P",
	Blame:   "network or server",
	Params: []Param{
		{"count", Count, 3, "connections of a service", "single losses are ordinary"},
		{"share", Share, 0.1, "of the service's completed connections", "far above the loss of ordinary paths"},
	},
	Example: "stream 0 10.0.0.1:40022 → 10.0.0.2:80\n" +
		"0 * -- SYN 0 -> *\n1.02 * -- SYN 0 -> *\n1.05 * <- SYN,ACK 0 ack 1 -- *\n1.06 * -- ACK 1 ack 1 -> *",
	Advice: "Each loss in the handshake costs the whole first timeout, 1 s on Linux, for nothing is known of the path yet. See whether the server drops SYNs " +
		"(nstat -az TcpExtListenDrops TcpExtTCPReqQFullDrop): then its application has to accept faster or listen with a larger backlog, up to net.core.somaxconn; " +
		"otherwise look for loss on the path, and reuse connections, which pay this once.",
	Sources: []string{"RFC 6298 sections 2 and 5.7", "RFC 7323 section 4.3", "RFC 9293 section 3.8.1", "Linux tcp_conn_request, tcp_check_req"},
	Signs:   tracker.SignSynAgain | tracker.SignSynAckAgain,
	New:     func(s *Setup) Watcher { return &slowConnect{count: s.Count("count"), share: s.Value("share")} },
}

type slowConnect struct {
	count int
	share float64
	bag   Bag[netip.AddrPort, slowness]
}

// lag says what a handshake waited for.
type lag uint8

const (
	lagServer lag = iota // SYN repeated, and no SYN,ACK had passed
	lagAnswer            // the same, but the server had the first SYN
	lagSynAck            // SYN repeated although a SYN,ACK had passed
	lagClient            // SYN,ACK repeated, and not the SYN
	lagLate              // nothing was lost: the first copies were answered, late
	lags
)

// slowness is what is wanted of one slow handshake.
type slowness struct {
	lag   lag
	near  int8 // the side next to which it was captured, -1 unknown
	again int  // repeats
	delay int64
}

// copies are one end's SYN or SYN,ACK and its repeats, those that have room.
type copies struct {
	ev   [8]*tracker.Event
	n    int
	last int64 // time of the latest, a copy of the network's or not
}

// add takes a copy in, unless it is the network's.
func (k *copies) add(e *tracker.Event) {
	since := e.Time - k.last
	k.last = e.Time
	switch {
	case k.n > 0 && since < repeatedAfter:
	case k.n == len(k.ev):
		k.ev[k.n-1] = e
	default:
		k.ev[k.n] = e
		k.n++
	}
}

// echoed is the copy whose timestamp e echoes, -1 where that is not clear. e
// proves that this copy arrived; it does not prove that an earlier answer to it
// was not lost, for the echo stays the same (RFC 7323 section 4.3).
func (k *copies) echoed(e *tracker.Event) int {
	at := -1
	for i := range k.n {
		if k.ev[i].Opts&e.Opts&capture.OptTS == 0 {
			return -1
		}
		if k.ev[i].TSVal == e.TSEcr {
			if at >= 0 {
				return -1 // the clock ticks too slowly to tell
			}
			at = i
		}
	}
	return at
}

// before is the latest copy before e.
func (k *copies) before(e *tracker.Event) int {
	n := 0
	for i := range k.n {
		if k.ev[i].Frame < e.Frame {
			n = i
		}
	}
	return n
}

// answerTime is how long the server took to acknowledge the client's first
// payload; 0 unknown.
func answerTime(c *tracker.Case) int64 {
	var sent int64
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		switch {
		case e.Is(tracker.Quoted | tracker.Odd):
		case e.From == tracker.Client && sent == 0 && e.Is(tracker.FirstData) && !e.Syn():
			sent = e.Time
		case e.From == tracker.Client && sent != 0 && e.Again():
			return 0
		case e.From == tracker.Server && sent != 0 && e.Plain() && e.Is(tracker.AcksNew):
			return e.Time - sent
		}
	}
	return 0
}

func (w *slowConnect) Case(c *tracker.Case) {
	if !c.Has(tracker.SignDone) || !c.Has(tracker.SignSyn) || c.Has(tracker.SignSelf|tracker.SignBothOpened) || c.Life.Midstream {
		return
	}
	syns, answers, done := handshake(c)
	if done == nil || syns.n+answers.n < 3 {
		return
	}
	first, answer := syns.ev[0], answers.ev[0]
	s := syns.before(answer)
	v := slowness{near: nearTo(c), again: syns.n + answers.n - 2}
	v.delay = syns.ev[s].Time - first.Time + answers.ev[answers.n-1].Time - answer.Time
	crossed := syns.ev[syns.n-1].Time > answer.Time
	switch {
	// The path is that long where the ACK answers the first SYN,ACK, or where the
	// first payload took (nearly) as long to be acknowledged.
	case crossed && answers.n > 1 && answers.echoed(done) == 0, s > 0 && answerTime(c) >= (answer.Time-first.Time)*4/5:
		v.lag, v.delay = lagLate, done.Time-first.Time
	case s > 0 && syns.echoed(answer) == 0:
		v.lag = lagAnswer
	case s > 0:
		v.lag = lagServer
	case crossed:
		v.lag = lagSynAck
	default:
		v.lag = lagClient
	}
	w.bag.Add(c.Addr(tracker.Server), c, first.Time, done.Time, v, func() []Proof {
		var l []Proof
		for i, j := 0, 0; i < syns.n || j < answers.n; {
			switch {
			case j == answers.n || i < syns.n && syns.ev[i].Frame < answers.ev[j].Frame:
				l = append(l, copyProof(syns.ev[i], "SYN", i, first.Time))
				i++
			default:
				l = append(l, copyProof(answers.ev[j], "SYN,ACK", j, first.Time))
				j++
			}
		}
		return append(l, Proof{done.Frame, fmt.Sprintf("the client's first ACK, %s after its first SYN", span(done.Time-first.Time))})
	})
}

func copyProof(e *tracker.Event, name string, again int, since int64) Proof {
	if again == 0 {
		return Proof{e.Frame, name}
	}
	return Proof{e.Frame, fmt.Sprintf("%s again, at %s", name, span(e.Time-since))}
}

// handshake returns the SYNs and SYN,ACKs before the client's first ACK, and
// that; nil where anything else came between.
func handshake(c *tracker.Case) (syns, answers copies, done *tracker.Event) {
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		client := e.From == tracker.Client
		switch {
		case e.Is(tracker.Earlier | tracker.Quoted | tracker.Odd):
		case e.Is(tracker.Holed):
			return syns, answers, nil
		case client && e.Syn():
			if syns.n == 0 && stillHeld(e) || syns.n > 0 && e.Seq != syns.ev[0].Seq {
				return syns, answers, nil
			}
			syns.add(e)
		case !client && e.SynAck() && syns.n > 0:
			answers.add(e)
		case client && e.Plain() && answers.n > 0:
			return syns, answers, e
		default:
			return syns, answers, nil
		}
	}
	return syns, answers, nil
}

// nearTo is the side next to which the connection was captured, as far as the
// round trips tell: a quarter of the other's, which is 1 ms at least. -1: in
// between, or unknown.
func nearTo(c *tracker.Case) int8 {
	a, b := c.Ends[tracker.Client].RTT, c.Ends[tracker.Server].RTT
	switch {
	case a == 0 || b == 0:
	case 4*a < b && b >= 1e6:
		return tracker.Client
	case 4*b < a && a >= 1e6:
		return tracker.Server
	}
	return -1
}

func (w *slowConnect) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		if x.Doubts&(FlagsOnly|Missed) != 0 {
			g.Keep(func(it *Item[slowness]) bool { return it.V.lag != lagClient })
		}
		if len(g.Items) == 0 {
			continue
		}
		var of [lags]int
		var again, lost int
		var total, longest int64
		side := g.Items[0].V.near
		for i := range g.Items {
			v := &g.Items[i].V
			of[v.lag]++
			again += v.again
			longest = max(longest, v.delay)
			if v.lag != lagLate {
				lost++
				total += v.delay
			}
			if v.near != side {
				side = -1
			}
		}
		completed := max(x.Service(g.Key).Completed, g.Count())
		part := float64(g.Count()) / float64(completed)
		f := g.Finding(Server(g.Key))
		f.Severity, f.Blame = Note, BlameNetwork
		if lost >= w.count || lost > 1 && float64(lost) >= w.share*float64(completed) {
			f.Severity = Warning
		}
		f.Metrics = Metrics{{"share", part}, {"repeats", float64(again)}, {"delay_seconds", seconds(total)}, {"longest_seconds", seconds(longest)},
			{"server_silent", float64(of[lagServer])},
			{"syn_ack_lost", float64(of[lagAnswer] + of[lagSynAck])}, {"client_silent", float64(of[lagClient])},
			{"late", float64(of[lagLate])}}
		which := fmt.Sprintf("%d of %d handshakes with %s (%s)", g.Count(), completed, g.Key, percent(part))
		if completed == 1 {
			which = fmt.Sprintf("The only handshake with %s", g.Key)
		}
		f.Explanation = fmt.Sprintf("%s completed only after SYN or SYN,ACK was repeated, which cost up to %s. %s.", which, span(longest), lagText(of))
		if side == tracker.Server && of[lagServer] > 0 {
			f.Blame = BlameServer
			f.Explanation += " The capture was taken next to the server: the SYNs arrived, and it did not answer them."
		} else if side == tracker.Client && of[lagServer] > 0 {
			f.Explanation += " The capture was taken next to the client, so the loss may lie anywhere beyond."
		}
		x.Raise(f)
	}
}

// lagWords says who was silent.
var lagWords = [lags]string{
	lagServer: "the first SYN drew no SYN,ACK that passed here: the SYN or its answer was lost, or the server dropped it",
	lagAnswer: "the server had the first SYN, as the timestamp that it echoes shows, but its SYN,ACK was lost before it passed here, or came late",
	lagSynAck: "the SYN,ACK had passed here but the client repeated its SYN: the SYN,ACK did not reach it in time",
	lagClient: "the client was silent: the SYN,ACK or the client's ACK was lost between here and the client",
	lagLate:   "nothing was lost, but the answer takes longer than the timeout: a long or congested path",
}

// lagText says who was silent, and in how many of the connections if there is
// more than one reason.
func lagText(of [lags]int) string {
	var l []string
	kind := 0
	for i, n := range of {
		if n > 0 {
			kind = i
			l = append(l, fmt.Sprintf("in %d of them %s", n, lagWords[i]))
		}
	}
	s := strings.Join(l, "; ")
	if len(l) == 1 {
		s = lagWords[kind]
	}
	return capital(s)
}
