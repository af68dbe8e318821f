package detect

import (
	"tcpstate/capture"
	"tcpstate/tracker"
)

// outline is what one walk along a trail tells all detectors of RSTs: for most lives
// it is enough to see that they are none of their business. Where a life shows neither a
// RST nor a SYN inside it, it is not made. Events are named by their index, -1 for
// none, and are the life's own.
type outline struct {
	ending  int16    // the RST that ended the life, see endingReset
	meant   int16    // the first RST that is its sender's own
	fin     int16    // the first FIN
	payload int16    // the latest new payload before ending
	before  [2]int16 // the latest of each end before ending
	reset   [2]int16 // the first RST in the name of each end
	resets  [2]uint8 // how many there are of these
	bare    [2]uint8 // of these, without ACK
	// goesOn: after its first RST, something came of that end that is neither SYN nor RST.
	goesOn   [2]bool
	spoke    bool // after ending, something else than RST came of its sender
	doubtful bool // a segment that may have been challenged, see doubtful
}

// outlined are the signs of lives of which there is an outline.
const outlined = tracker.SignRst | tracker.SignSynInside

// draw makes the outline of a trail.
func (o *outline) draw(ev []tracker.Event) {
	*o = outline{ending: -1, meant: -1, fin: -1, payload: -1, before: [2]int16{-1, -1}, reset: [2]int16{-1, -1}}
	for i := range ev {
		e := &ev[i]
		if !own(e) {
			continue
		}
		x := e.From & 1
		if e.Fin() && o.fin < 0 {
			o.fin = int16(i)
		}
		if e.Flags&(capture.SYN|capture.RST) != 0 {
			o.doubtful = o.doubtful || doubtful(e)
		}
		if e.Rst() {
			o.addReset(e, i)
			continue
		}
		o.goesOn[x] = o.goesOn[x] || o.reset[x] >= 0 && e.Flags&capture.SYN == 0
		if o.ending >= 0 {
			o.spoke = o.spoke || ev[o.ending].From == e.From
			continue
		}
		o.before[x] = int16(i)
		if newPayload(e) {
			o.payload = int16(i)
		}
	}
}

// addReset notes the RST i.
func (o *outline) addReset(e *tracker.Event, i int) {
	x := e.From & 1
	if o.resets[x]++; o.reset[x] < 0 {
		o.reset[x] = int16(i)
	}
	o.bare[x] += uint8(one(!e.Has(capture.ACK)))
	if o.meant < 0 && e.Is(tracker.Own) {
		o.meant = int16(i)
	}
	switch {
	case o.ending >= 0:
	case e.Is(tracker.Own | tracker.Took):
		o.ending = int16(i)
	default:
		o.before[x] = int16(i)
	}
}

// bares is how many RSTs have no ACK.
func (o *outline) bares() int { return int(o.bare[0]) + int(o.bare[1]) }
