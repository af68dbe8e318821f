package detect

import (
	"fmt"
	"net/netip"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// TimeWaitAssassination: RFC 1337's hazard.
var TimeWaitAssassination = &Detector{
	ID:    "time-wait-assassination",
	Title: "a RST ends TIME-WAIT early",
	Rule: "A SYN on a tuple whose holder is confirmed in TIME-WAIT (its own FIN acknowledged, the peer's FIN acknowledged by it) is answered by the holder's ACK, " +
		"and that ACK by a bare RST with seq = its ack. The same ACK and RST after a repeated FIN or old payload is a note, and a warning if the tuple is used again " +
		"before 2MSL have passed. A SYN that is accepted is port-reuse-in-time-wait.",
	Default: Warning,
	Levels:  "note after a repeated FIN or old payload, unless the tuple is used again within 2MSL",
	Subject: "connection N",
	Blame:   "nobody",
	Example: `stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 100000 9000
0      -- SYN 0 mss 1460 ->
0.02   <- SYN,ACK 0 ack 1 mss 1460 --
0.021  -- ACK 1 ack 1 ->
0.03   <- FIN,ACK 1 ack 1 --
0.031  -- FIN,ACK 1 ack 2 ->
0.051  <- ACK 2 ack 2 --
#! at 1s
stream 1 10.0.0.1:40000 → 10.0.0.2:80
isn 50000 9000
0      -- SYN 0 mss 1460 ->
0.02   <- ACK 2 ack 50002 --
0.021  -- RST 50002 win 0 ->`,
	Advice: "A single case needs nothing. Where it repeats, the end that holds TIME-WAIT can ignore such RSTs with net.ipv4.tcp_rfc1337 = 1; the tuple then stays taken until 2MSL have passed. " +
		"A client that uses fixed or few source ports brings it about: let the kernel choose them, and let the side close first that can spare its TIME-WAITs.",
	Sources:  []string{"RFC 1337", "RFC 9293 section 3.10.7.4 (TIME-WAIT)", "Linux tcp_timewait_state_process (sysctl_tcp_rfc1337)", "oracle 21_timewait_reuse"},
	Signs:    tracker.SignRst | tracker.SignOpening,
	Swallows: []string{"port-reuse-in-time-wait"},
	Lowered:  Backwards,
	New: func(s *Setup) Watcher {
		return &assassination{shared: s.shared, wait: s.TimeWait, again: map[uint64]reopening{}}
	},
}

type assassination struct {
	*shared
	wait  int64
	bag   Bag[uint64, shortWait]
	again map[uint64]reopening // by the frame of the RST
}

// reopening is the SYN that opened a tuple anew.
type reopening struct {
	Ref
	at    int64
	frame uint64
}

// trigger is what made the holder send its ACK.
type trigger uint8

const (
	oldSyn trigger = iota
	oldFin
	oldData
)

// shortWait is a TIME-WAIT that a RST met.
type shortWait struct {
	holder, killer netip.AddrPort
	by             trigger
	at             int64 // of the RST
	since, until   int64 // when TIME-WAIT began, when 2MSL would have passed; 0 unknown
	reopened       int64 // a SYN,ACK in the same life after; 0 none
	rst            uint64
}

func (w *assassination) Case(c *tracker.Case) {
	if c.Has(tracker.SignOpening) {
		w.noteAgain(c)
	}
	if !c.Has(tracker.SignRst) || w.trail.bares() == 0 {
		return
	}
	ev := c.Trail.Events
	for i := range ev {
		r := &ev[i]
		if !own(r) || !r.Rst() || r.Has(capture.ACK) || !inTimeWait(r.Before(int(r.From^1))) {
			continue
		}
		holder := r.From ^ 1
		ack, why := answered(ev, i)
		if ack == nil {
			continue
		}
		v := shortWait{holder: c.Addr(int(holder)), killer: c.Addr(int(r.From)), at: r.Time, rst: r.Frame}
		switch {
		case why.Syn():
		case why.Fin():
			v.by = oldFin
		default:
			v.by = oldData
		}
		in := entered(ev[:i], holder)
		if in != nil {
			v.since, v.until = in.Time, in.Time+w.wait
		}
		if v.by == oldFin {
			v.until = why.Time + w.wait // an acceptable FIN begins 2MSL anew
		}
		for j := i + 1; j < len(ev) && v.reopened == 0; j++ {
			if ev[j].SynAck() && ev[j].From == holder {
				v.reopened = ev[j].Time
			}
		}
		w.bag.Add(c.Life.ID, c, why.Time, r.Time, v, func() []Proof {
			side := sideNames[holder]
			what := [...]string{"a SYN on the tuple", "FIN again", "old payload"}[v.by]
			all := []frame{{why.Frame, what}, {ack.Frame, fmt.Sprintf("the %s answers with an ACK of the old connection", side)},
				{r.Frame, fmt.Sprintf("bare RST, seq = ack of frame %d: it ends TIME-WAIT", ack.Frame)}}
			if in != nil {
				all = append(all, frame{in.Frame, fmt.Sprintf("the %s is in TIME-WAIT from here on", side)})
			}
			return proofOf(all...)
		})
		return
	}
}

// answered returns the ACK that the bare RST i names by its number, which its
// receiver sent in TIME-WAIT, and what it was sent just before; nil if it was no
// such exchange.
func answered(ev []tracker.Event, i int) (ack, why *tracker.Event) {
	r := &ev[i]
	holder := r.From ^ 1
	j := i - 1
	for ; j >= 0; j-- {
		if e := &ev[j]; own(e) && e.From == holder {
			break
		}
	}
	if j < 0 {
		return nil, nil
	}
	ack = &ev[j]
	if !ack.Plain() || ack.Fin() || ack.Len > 0 || ack.Ack != r.Seq || !inTimeWait(ack.Before(int(holder))) {
		return nil, nil
	}
	why = latest(ev, j, func(e *tracker.Event) bool { return own(e) && e.From == r.From })
	if why == nil || !inTimeWait(why.Before(int(holder))) || !(why.Syn() || why.Fin() || why.Plain() && why.Len > 0) {
		return nil, nil
	}
	for k := i; k > j; k-- {
		if ev[k].Is(tracker.Holed) {
			return nil, nil
		}
	}
	return ack, why
}

// noteAgain remembers that a life opened a tuple anew whose TIME-WAIT the latest
// RST had met.
func (w *assassination) noteAgain(c *tracker.Case) {
	ev := c.Trail.Events
	if len(ev) == 0 || !ev[0].Is(tracker.Earlier) || len(w.again) >= maxItems {
		return
	}
	var rst uint64
	for i := range ev {
		e := &ev[i]
		switch {
		case e.Is(tracker.Earlier):
			if e.Rst() && !e.Has(capture.ACK) && inTimeWait(e.Before(int(e.From^1))) {
				rst = e.Frame
			}
		case e.Syn() && rst != 0:
			if was, known := w.again[rst]; !known || e.Time < was.at {
				w.again[rst] = reopening{RefOf(c), e.Time, e.Frame}
			}
			return
		default:
			return
		}
	}
}

func (w *assassination) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		v := &g.Items[0].V
		f := g.Finding(Connection(g.Key))
		f.Severity, f.Blame = Note, BlameUnknown
		what := [...]string{"a SYN", "a repeated FIN", "old payload"}[v.by]
		f.Explanation = fmt.Sprintf("%s was in TIME-WAIT when %s of %s came. It answered with an ACK of the old connection, which %s does not know any more: its bare RST ends TIME-WAIT",
			v.holder, what, v.killer, v.killer)
		if v.until > v.at {
			f.Metrics = append(f.Metrics, Metric{"left_seconds", seconds(v.until - v.at)})
			f.Explanation += fmt.Sprintf(" %s before 2MSL have passed", span(v.until-v.at))
		}
		f.Explanation += " (RFC 1337), unless net.ipv4.tcp_rfc1337 is set there."
		if v.since != 0 {
			f.Metrics = append(f.Metrics, Metric{"waited_seconds", seconds(v.at - v.since)})
		}
		again := v.reopened
		if again < v.at {
			again = 0 // time runs backwards
		}
		if r, ok := w.again[v.rst]; ok && again == 0 && v.at <= r.at && r.at < v.until {
			again = r.at
			f.Evidence.Total++
			f.Evidence.Connections = append(f.Evidence.Connections, Proven{ID: r.ID, Incarnation: r.Incarnation, Frames: []Proof{{r.frame, "SYN: the tuple is used again within 2MSL"}}})
		}
		if again != 0 && again < v.until {
			f.Metrics = append(f.Metrics, Metric{"used_again_after_seconds", seconds(again - v.at)})
			f.Explanation += fmt.Sprintf(" The tuple was opened again %s later: segments of the old connection that are still on their way may be taken for those of the new one.",
				span(again-v.at))
		}
		if v.by == oldSyn || again != 0 && again < v.until {
			f.Severity = Warning
		}
		x.Raise(f)
	}
}
