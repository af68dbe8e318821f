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
// before. How long it has to have been silent, to tell them apart:
const (
	// A server does not abort because the next request comes, but it may
	// abort an exchange that is going on, and its first RST may be lost: longer
	// than two round trips and this. The oracle's ends vanish for 0.1 s.
	silentServer = 50e6
	// A client may abort a transfer, and pauses in one are shorter.
	silentClient = 500e6
	// A client that waits for its answer may abort when that comes; and who did
	// not answer at first, but resets what is sent again, was down in between, or
	// its first RST was lost. No host restarts within 10 s.
	silentDown = 10e9
)

// answerSlack is what a TCP takes to answer beside the round trip (catalogue).
const answerSlack = 50e6

// replyTime is how long after a segment towards end its answer may come.
func replyTime(c *tracker.Case, end uint8) int64 {
	return c.RTT(int(end), unmeasured) + answerSlack
}

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

// otherTTL reports a TTL that is not the end's: by more than 2 hops, for paths
// do change a little.
func otherTTL(ttl, usual uint8) bool {
	d := int(ttl) - int(usual)
	return d > 2 || d < -2
}

// rebooted finds a segment that the gone end answers as a host without the
// connection does: proven-reboot.
func rebooted(c *tracker.Case, gone uint8) *vanished {
	if !begun(c) || !c.Has(tracker.SignRst) || c.Ends[gone].Unseen > 0 {
		return nil
	}
	ev := c.Trail.Events
	var established, heard *tracker.Event // its first segment that is neither SYN nor RST, its latest one
	var asked, first *tracker.Event       // the other end's latest segment since then that wants an answer, the first one
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
				if asked = e; first == nil {
					first = e
				}
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
			heard, asked, first = e, nil, nil
			continue
		}
		// Its first RST.
		if established == nil || heard == nil || asked == nil || !noSocket(c, e) || e.Seq != asked.Ack || !asked.Has(capture.ACK) ||
			!openState(e, gone^1, gone) || !inTime(c, first, asked, e) || e.Time-heard.Time < longSilence(c, heard, asked) || !onlyResets(ev[i+1:], gone) {
			return nil
		}
		return &vanished{level: provenReboot, silence: e.Time - heard.Time, at: asked.Time, last: e.Time, proof: proveFrames(
			Proof{established.Frame, fmt.Sprintf("the %s is ESTABLISHED", sideNames[gone])},
			Proof{heard.Frame, fmt.Sprintf("the last that comes from the %s: no FIN", sideNames[gone])},
			Proof{asked.Frame, fmt.Sprintf("the %s sends %s", sideNames[gone^1], whatItSends(asked))},
			Proof{e.Frame, fmt.Sprintf("RST without ACK, seq = the ack of frame %d: no such connection", asked.Frame)},
		)}
	}
	return nil
}

// noSocket reports a RST that a host sends for which there is no connection:
// without ACK and timestamps (Linux tcp_v4_send_reset), and by the path of the
// end's other segments. Another box's is not the end's.
func noSocket(c *tracker.Case, r *tracker.Event) bool {
	return r.Flags&capture.ACK == 0 && r.Opts&capture.OptTS == 0 && !otherTTL(r.TTL, c.Ends[r.From].TTL)
}

// inTime reports whether the RST comes when the answer to asked would come, and
// not sooner than one to the first of the segments since it was heard.
func inTime(c *tracker.Case, first, asked, r *tracker.Event) bool {
	return r.Time-asked.Time <= replyTime(c, r.From) && r.Time-first.Time >= c.Ends[r.From].RTT/2
}

// longSilence is how long the gone end has to have been silent since it was
// heard last, when asked is answered.
func longSilence(c *tracker.Case, heard, asked *tracker.Event) int64 {
	switch {
	case asked.Again():
		return silentDown
	case heard.From == tracker.Server:
		return 2*c.RTT(tracker.Server, 0) + silentServer
	case heard.Len > 0 && !heard.Probe():
		return silentDown
	}
	return silentClient
}

// onlyResets reports that the gone end sends nothing but RSTs, and the other no
// RST: it would not reset what was reset.
func onlyResets(ev []tracker.Event, gone uint8) bool {
	for i := range ev {
		e := &ev[i]
		switch {
		case e.Is(tracker.Holed):
			return false
		case !own(e):
		case e.Rst() != (e.From == gone):
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
				last: e.Time, proof: proveFrames(
					Proof{established.Frame, fmt.Sprintf("%s of the %s in stream %d", was(established), sideNames[gone], c.Life.Continues)},
					Proof{syn.Frame, fmt.Sprintf("SYN: the %s begins anew, and the %s is still in %s", sideNames[gone], sideNames[holder], syn.Before(int(holder)).State)},
					Proof{challenge.Frame, "challenge ACK of the old connection"},
					Proof{e.Frame, fmt.Sprintf("RST, seq = the ack of frame %d: it knows nothing of that connection", challenge.Frame)},
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

// proveFrames puts frames in order, each once.
func proveFrames(all ...Proof) (out []Proof) {
	for _, p := range all {
		if n := len(out); n == 0 || out[n-1].Frame < p.Frame {
			out = append(out, p)
		}
	}
	return out
}
