package detect

import (
	"fmt"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// The two levels of half-open that a RST proves: the host that sends it has no
// such connection (RFC 9293 section 3.5.2, group 1).

// A RST without ACK whose number is the acknowledgment of the peer's segment
// is also what some stacks abort with (phones, old Windows): such an end aborts
// in the middle of an exchange, and a host that lost its connections was silent
// before, and answers as soon as it is asked. How long it has to have been silent,
// to tell them apart:
const (
	// An end may abort an exchange that is going on, and its first RST may be lost:
	// longer than two round trips and this. The oracle's ends vanish for 0.1 s.
	silentEnd = 50e6
	// A client may abort a transfer at any time, and pauses in one are shorter;
	// below, its RST has to come promptly.
	silentClient = 500e6
	// A client that waits for its answer may abort when that comes. Health checks
	// do, within a second; others too, but a TCP that uses timestamps has them on its
	// RSTs as well (RFC 7323 section 3.2), and only no connection has none.
	silentWaiting = 10e9
	silentChecked = 1e9
	// Who did not answer at first, but resets what is sent again, was down in between,
	// or its first RST was lost: a few retransmission timeouts of Linux (200 ms,
	// doubled), and more than one repeat.
	silentDown = 1e9
	downSends  = 2
)

// A host that does not know a connection answers in its kernel: hardly later
// than a round trip, and a vantage point beside it may see both sooner than any
// acknowledgment that was measured.
const (
	prompt    = 5e6
	measuring = 1e6
)

// openState reports a state in which an end may be when its peer turns out to
// be gone: the gone end has sent no FIN.
func openState(e *tracker.Event, holder, gone uint8) bool {
	switch e.Before(int(gone)).State {
	case tracker.Established, tracker.CloseWait:
	default:
		return false
	}
	switch e.Before(int(holder)).State {
	case tracker.Established, tracker.FinWait1, tracker.FinWait2:
		return true
	}
	return false
}

// rebooted finds a segment that the gone end answers as a host without the
// connection does: proven-reboot. enough repeats without any answer show that the
// path or the host was down before.
func rebooted(c *tracker.Case, gone uint8, enough int) *vanished {
	if !begun(c) || !c.Has(tracker.SignRst) || c.Ends[gone].Unseen > 0 {
		return nil
	}
	ev := c.Trail.Events
	var established, heard *tracker.Event // its first segment that is neither SYN nor RST, its latest one
	var q question                        // what the other end sent since then
	for i := range ev {
		e := &ev[i]
		switch {
		case e.Is(tracker.Holed):
			heard = nil // what the hole held is not known
		case !own(e):
			continue
		}
		if e.From != gone {
			switch {
			case e.Rst():
				return nil
			case e.Len > 0 || e.Fin() || e.Probe():
				q.add(e)
			}
			continue
		}
		if !e.Rst() {
			if e.Fin() {
				return nil
			}
			if e.Plain() && established == nil {
				established = e
			}
			heard, q = e, question{}
			continue
		}
		// Its first RST.
		asked := q.latest
		if established == nil || heard == nil || asked == nil || !noSocket(c, e) || e.Seq != asked.Ack || !asked.Has(capture.ACK) ||
			!openState(e, gone^1, gone) || !q.inTime(c, e) || !q.longSilence(c, heard, e) || !onlyResets(ev[i+1:], gone) {
			return nil
		}
		return &vanished{level: provenReboot, silence: e.Time - heard.Time, at: asked.Time, last: e.Time,
			outlived: q.closed != nil && q.closed != asked && q.before >= max(enough, 1), proof: proveReboot(gone, established, heard, e, &q)}
	}
	return nil
}

// proveReboot lists the frames: of an answer to a repeat, what was in vain before, too.
func proveReboot(gone uint8, established, heard, r *tracker.Event, q *question) []Proof {
	p := []frame{
		{established.Frame, fmt.Sprintf("the %s is ESTABLISHED", sideNames[gone])},
		{heard.Frame, fmt.Sprintf("the last that comes from the %s: no FIN", sideNames[gone])},
	}
	if q.latest.Again() && q.first != q.latest {
		p = append(p, frame{q.first.Frame, fmt.Sprintf("the %s sends %s: no answer", sideNames[gone^1], whatItSends(q.first))})
		if q.closed != nil && q.closed != q.first {
			p = append(p, frame{q.closed.Frame, fmt.Sprintf("FIN: the %s closes, %s later", sideNames[gone^1], span(q.closed.Time-q.first.Time))})
		}
	}
	return proofOf(append(p,
		frame{q.latest.Frame, fmt.Sprintf("the %s sends %s", sideNames[gone^1], whatItSends(q.latest))},
		frame{r.Frame, fmt.Sprintf("RST without ACK, seq = the ack of frame %d: no such connection", q.latest.Frame)})...)
}

// noSocket reports a RST that a host sends for which there is no connection:
// without ACK and timestamps (Linux tcp_v4_send_reset), and by the path of the
// end's other segments. Another box's is not the end's.
func noSocket(c *tracker.Case, r *tracker.Event) bool {
	return r.Flags&capture.ACK == 0 && r.Opts&capture.OptTS == 0 && !otherTTL(r.TTL, c.Ends[r.From].TTL)
}

// question is what the other end sent since the gone end was heard last, of
// segments that want an answer.
type question struct {
	first, latest *tracker.Event
	closed        *tracker.Event // its FIN, if it closed after a repeat
	again         int            // repeats, the latest one too
	before        int            // of these, before it closed
}

func (q *question) add(e *tracker.Event) {
	if q.first == nil {
		q.first = e
	}
	q.latest = e
	switch {
	case e.Fin() && !e.Again():
		if q.again > 0 {
			q.closed = e
		}
	case e.Again():
		q.again++
		if q.closed == nil {
			q.before++
		}
	}
}

// inTime reports whether the RST comes when the answer to the latest segment
// would come, and not sooner than one to the first.
func (q *question) inTime(c *tracker.Case, r *tracker.Event) bool {
	return r.Time-q.latest.Time <= replyTime(c, r.From) && r.Time-q.first.Time >= c.Ends[r.From].RTT/2-measuring
}

// longSilence reports whether the gone end was silent for so long, when it
// resets, that it did not abort.
func (q *question) longSilence(c *tracker.Case, heard, r *tracker.Event) bool {
	rtt := c.RTT(int(r.From), 0)
	silence := r.Time - heard.Time
	atOnce := r.Time-q.latest.Time <= rtt+rtt/4+prompt
	switch {
	case q.latest.Again():
		return silence >= silentWaiting || q.again >= downSends && r.Time-q.first.Time >= silentDown
	case silence < 2*rtt+silentEnd:
		return false
	case heard.From == tracker.Server:
		return true
	case heard.Len > 0 && !heard.Probe():
		return silence >= silentWaiting || atOnce && silence >= 2*rtt+silentChecked && c.Ends[0].HasTS && c.Ends[1].HasTS
	}
	return atOnce || silence >= silentClient
}

// onlyResets reports that the gone end sends nothing but RSTs, and the other no
// RST: it would not reset what was reset. A RST,ACK that comes late is that of an
// end that aborted, and was overtaken by the RST (ordinary health checks of HAProxy).
func onlyResets(ev []tracker.Event, gone uint8) bool {
	for i := range ev {
		e := &ev[i]
		switch {
		case e.Is(tracker.Holed):
			return false
		case !own(e):
		case e.Rst() != (e.From == gone), e.Rst() && e.Has(capture.ACK) && e.Reset != tracker.ResetRefused:
			return false
		}
	}
	return true
}

// whatItSends names the segment in evidence.
func whatItSends(e *tracker.Event) string {
	again := ""
	if e.Again() {
		again = " again"
	}
	switch {
	case e.Probe():
		return "a probe"
	case e.Fin():
		return "FIN" + again
	}
	return fmt.Sprintf("%s%s", plural(int(e.Len), "octet"), again)
}

// restarted finds a SYN of the gone end on a tuple that the other end holds
// open, its challenge ACK and the RST that answers it: proven-restart. They stand
// at the beginning of the life that took the tuple over; what was before is the
// life that is half-open.
func restarted(c *tracker.Case, gone uint8) *vanished {
	if c.Life.Continues < 0 || c.Life.Midstream || !c.Has(tracker.SignSynInside) {
		return nil
	}
	ev := c.Trail.Events
	holder := gone ^ 1
	var established, syn, challenge *tracker.Event
	for i := range ev {
		e := &ev[i]
		switch {
		case e.Is(tracker.Holed):
			return nil
		case e.Is(tracker.Earlier) && e.From == gone && e.Plain():
			established = e
		}
		if !own(e) {
			continue
		}
		switch {
		case syn == nil:
			if e.From != gone || !e.Syn() || !held(e, holder) || established == nil {
				return nil
			}
			syn = e
		case e.From == holder && e.SynAck():
			return nil // it took the SYN
		case e.From == holder && e.Plain() && e.Len == 0 && !e.Fin() && e.Ack != uint32(syn.End()):
			challenge = e
		case e.From == gone && e.Plain():
			return nil // it goes on with the old connection
		case e.From == gone && e.Rst() && challenge != nil:
			if !noSocket(c, e) || e.Seq != challenge.Ack || e.Time-challenge.Time > replyTime(c, gone) || otherTTL(e.TTL, syn.TTL) {
				return nil
			}
			return &vanished{level: provenRestart, holder: syn.Before(int(holder)).State, silence: syn.Time - established.Time, at: syn.Time,
				last: e.Time, proof: proofOf(
					frame{established.Frame, fmt.Sprintf("%s of the %s in stream %d", was(established), sideNames[gone], c.Life.Continues)},
					frame{syn.Frame, fmt.Sprintf("SYN: the %s begins anew, and the %s is still in %s", sideNames[gone], sideNames[holder], syn.Before(int(holder)).State)},
					frame{challenge.Frame, "challenge ACK of the old connection"},
					frame{e.Frame, fmt.Sprintf("RST, seq = the ack of frame %d: it knows nothing of that connection", challenge.Frame)},
				)}
		}
	}
	return nil
}

// was names the gone end's last segment on the old connection.
func was(e *tracker.Event) string {
	if e.Fin() {
		return "FIN"
	}
	return "the last"
}

// held reports that the holder is confirmed in ESTABLISHED or CLOSE-WAIT before
// the SYN, and that its peer did not reset the connection.
func held(syn *tracker.Event, holder uint8) bool {
	h, g := syn.Before(int(holder)), syn.Before(int(holder^1))
	if h.Certainty != tracker.Confirmed {
		return false
	}
	switch h.State {
	case tracker.Established:
		return g.State == tracker.Established && g.Certainty == tracker.Confirmed
	case tracker.CloseWait:
		return g.State == tracker.FinWait1 || g.State == tracker.FinWait2 || g.State == tracker.Closed && g.Certainty == tracker.Elapsed
	}
	return false
}
