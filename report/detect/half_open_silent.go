package detect

import (
	"fmt"

	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// The levels of half-open that only silence shows: what would be answered by
// any TCP that is there was not, again and again.

// probesApart is how far apart two keepalive probes are at least; what comes
// sooner is a copy. Linux counts TCP_KEEPINTVL in seconds.
const probesApart = 200e6

// The gaps of a retransmission that backs off (RFC 6298 section 5.5): none
// shrinks by more than a timer's inaccuracy, and they grow. The catalogue's
// numbers.
const (
	gapShrinks = 0.9
	gapGrows   = 1.3
)

// unansweredProbes finds keepalive probes that the gone end does not answer, up
// to the end or to the prober's own RST: dead-keepalive.
func unansweredProbes(c *tracker.Case, gone uint8, atLeast int) *vanished {
	if !begun(c) || !c.Has(tracker.SignProbe) || c.Ends[gone].Unseen > 0 {
		return nil
	}
	ev := c.Trail.Events
	reach := max(replyTime(c, gone), probesApart)
	var established, heard, latestProbe, reset *tracker.Event
	var row []*tracker.Event
	end := c.Now
walk:
	for i := range ev {
		e := &ev[i]
		if e.Is(tracker.Holed) {
			row = nil
		}
		switch {
		case !own(e):
		case e.From == gone && (e.Rst() || e.Fin()):
			return nil
		case e.From == gone:
			if e.Plain() && established == nil {
				established = e
			}
			heard, row = e, nil
		case e.Rst():
			reset, end = e, e.Time
			break walk
		case e.Class == reassembly.Keepalive:
			latestProbe = e
			if n := len(row); n == 0 || e.Time-row[n-1].Time >= reach {
				row = append(row, e)
			}
		case e.Len > 0 || e.Fin():
			row = nil
		}
	}
	if reset == nil && !nothingAfter(c, latestProbe, heard, gone) {
		return nil
	}
	if n := len(row); n > 0 && end-row[n-1].Time < reach {
		row = row[:n-1] // its answer may be on its way
	}
	if len(row) < max(atLeast, 1) || established == nil || heard == nil || !openState(row[0], gone^1, gone) {
		return nil
	}
	first, final := row[0], row[len(row)-1]
	v := &vanished{level: deadKeepalive, rounds: len(row), silence: final.Time - heard.Time, at: first.Time, last: final.Time}
	proof := []frame{
		{established.Frame, fmt.Sprintf("the %s is ESTABLISHED", sideNames[gone])},
		{heard.Frame, fmt.Sprintf("the last that comes from the %s", sideNames[gone])},
	}
	for i, p := range shorten(row) {
		proof = append(proof, frame{p.Frame, fmt.Sprintf("keepalive probe, unanswered%s", numbered(i, len(row)))})
	}
	if reset != nil {
		v.gaveUp, v.last = true, reset.Time
		proof = append(proof, frame{reset.Frame, fmt.Sprintf("RST: the %s gives up", sideNames[gone^1])})
	}
	v.proof = proofOf(proof...)
	return v
}

// nothingAfter reports that the probe is the prober's latest segment and heard
// the silent end's: ordinary ones are not on the trail.
func nothingAfter(c *tracker.Case, probe, heard *tracker.Event, gone uint8) bool {
	return probe != nil && heard != nil && c.Ends[gone^1].LastFrame == probe.Frame && c.Ends[gone].LastFrame == heard.Frame
}

// shownInRow is how many segments of a row are shown as evidence.
const shownInRow = 6

// shorten keeps the first segments of a row and its last.
func shorten(row []*tracker.Event) []*tracker.Event {
	if len(row) <= shownInRow {
		return row
	}
	return append(append([]*tracker.Event{}, row[:shownInRow-1]...), row[len(row)-1])
}

// numbered tells that the last segment shown is not the next one of its row.
func numbered(i, n int) string {
	if n > shownInRow && i == shownInRow-1 {
		return fmt.Sprintf(" (number %d)", n)
	}
	return ""
}

// backedOff finds a segment that is retransmitted with growing gaps while
// nothing comes from the gone end any more: probable-dead, or silent-after-handshake
// where it never sent anything but its SYN,ACK.
func backedOff(c *tracker.Case, gone uint8, atLeast int) *vanished {
	if !begun(c) || !c.Has(tracker.SignDataAgain|tracker.SignFinAgain) || c.Ends[gone].Unseen > 0 {
		return nil
	}
	ev := c.Trail.Events
	var established, heard *tracker.Event
	from := 0 // after its latest segment
	level := silentAfterHandshake
	for i := range ev {
		e := &ev[i]
		switch {
		case !own(e) || e.From != gone:
			continue
		case e.Rst() || e.Fin():
			return nil
		case e.Plain():
			level = probableDead
			if established == nil {
				established = e
			}
		}
		heard, from = e, i+1
	}
	if heard == nil || c.Ends[gone].LastFrame != heard.Frame || heard.Window == 0 || level == silentAfterHandshake && !onlySynAck(c, gone, heard) {
		return nil
	}
	if level == probableDead && established == nil {
		return nil
	}
	row, end := longestRow(ev[from:], gone, c.Now)
	row = growing(row, end, replyTime(c, gone))
	if len(row)-1 < max(atLeast, 1) || !openState(row[0], gone^1, gone) {
		return nil
	}
	first, final := row[0], row[len(row)-1]
	v := &vanished{level: level, rounds: len(row) - 1, silence: final.Time - heard.Time, at: first.Time, last: final.Time,
		gaveUp: end.Frame != 0}
	var proof []frame
	if established != nil {
		proof = append(proof, frame{established.Frame, fmt.Sprintf("the %s is ESTABLISHED", sideNames[gone])},
			frame{heard.Frame, fmt.Sprintf("the last that comes from the %s", sideNames[gone])})
	} else {
		proof = append(proof, frame{heard.Frame, "SYN,ACK: all that the server ever sent"})
	}
	for i, e := range shorten(row) {
		text := fmt.Sprintf("the %s sends %s", sideNames[gone^1], whatItSends(e))
		if i > 0 {
			text = fmt.Sprintf("retransmission, %s later%s", span(e.Time-previous(row, e).Time), numbered(i, len(row)))
		}
		proof = append(proof, frame{e.Frame, text})
	}
	if v.gaveUp {
		v.last = max(v.last, end.Time)
		proof = append(proof, frame{end.Frame, fmt.Sprintf("RST: the %s gives up", sideNames[gone^1])})
	}
	v.proof = proofOf(proof...)
	return v
}

// onlySynAck reports that the server never sent anything but SYN,ACKs, the last
// of them before the client's third segment: one that it repeats later shows that
// it is there, and did not take the client's ACK.
func onlySynAck(c *tracker.Case, gone uint8, heard *tracker.Event) bool {
	return gone == tracker.Server && !c.Ends[gone].Spoke && heard.SynAck() && c.Life.DoneAt >= heard.Time
}

// ending is what ended a row: the sender's own RST, or with frame 0 the
// capture.
type ending struct {
	Time  int64
	Frame uint64
}

// longestRow returns the sends of the segment that the holder repeats most
// often, in order, and what ended them.
func longestRow(ev []tracker.Event, gone uint8, now int64) (row []*tracker.Event, end ending) {
	end.Time = now
	rows := map[uint32][]*tracker.Event{}
	longest := 0
	var which uint32
	for i := range ev {
		e := &ev[i]
		if e.Is(tracker.Holed) {
			clear(rows) // what the hole held is not known
			longest = 0
		}
		if !own(e) || e.From == gone {
			continue
		}
		if e.Rst() {
			end = ending{e.Time, e.Frame}
			break
		}
		if e.Len == 0 && !e.Fin() || e.Probe() || e.Class == reassembly.Spurious {
			continue
		}
		rows[e.Seq] = append(rows[e.Seq], e)
		if n := len(rows[e.Seq]); n > longest {
			longest, which = n, e.Seq
		}
	}
	return rows[which], end
}

// growing returns the end of the row in which no gap shrinks, or nil if its
// gaps do not grow. A last segment that may yet be answered does not count.
func growing(row []*tracker.Event, end ending, reach int64) []*tracker.Event {
	if n := len(row); n > 0 && end.Time-row[n-1].Time < reach {
		row = row[:n-1]
	}
	n := len(row)
	if n < 3 {
		return nil
	}
	gap := func(i int) float64 { return float64(row[i].Time - row[i-1].Time) }
	first := n - 1
	for first > 1 && gap(first) >= gapShrinks*gap(first-1) {
		first--
	}
	row = row[first-1:]
	if n = len(row); n < 3 || gap(n-1) <= gapGrows*gap(1) {
		return nil
	}
	return row
}

// previous returns the segment of the row before e.
func previous(row []*tracker.Event, e *tracker.Event) *tracker.Event {
	for i := 1; i < len(row); i++ {
		if row[i] == e {
			return row[i-1]
		}
	}
	return e
}
