package tracker

import (
	"container/heap"
	"math"
	"time"

	"tcpstate/capture"
)

// Zeek's timers (init-bare.zeek), in packet time.
const (
	zeekAttemptDelay = int64(5 * time.Second) // tcp_attempt_delay: an unanswered SYN
	zeekSynTimeout   = int64(5 * time.Second) // tcp_SYN_timeout: the first look at a record
	zeekSessionTimer = int64(6 * time.Second) // tcp_session_timer: between later looks
	zeekLinger       = int64(5 * time.Second) // tcp_connection_linger
	zeekCloseDelay   = int64(5 * time.Second) // tcp_close_delay
	zeekIdleEarly    = int64(time.Minute)     // udp_inactivity_timeout, until the handshake is over
	zeekIdle         = int64(5 * time.Minute) // tcp_inactivity_timeout
	zeekIdleLogin    = int64(time.Hour)       // conn/inactivity.zeek: FTP, SSH, telnet, rlogin by port
)

const zeekNever = math.MaxInt64

// zeekClock is what of a record decides when it is removed. Instead of
// carrying Zeek's timers out one by one, the next removal that would follow if
// no segment came is computed after every segment.
type zeekClock struct {
	idle     int64    // inactivity timeout
	attempt  int64    // when AttemptTimer fires
	remove   int64    // when ConnDeleteTimer fires
	looks    [2]int64 // when ExpireTimer first fires: since the start, since a half close
	active   bool     // is_active
	deadline int64
	index    int // in the heap, plus one; 0: not in it
}

func (c *zeekClock) begin(now int64) {
	*c = zeekClock{idle: zeekIdleEarly, attempt: zeekNever, remove: zeekNever, active: true, looks: [2]int64{now + zeekSynTimeout, zeekNever}}
}

// note takes up what the state machine says of a segment.
func (c *zeekClock) note(z *zeekConn, n zeekNote, now int64, key capture.Key) {
	if n&zeekOpened != 0 && c.attempt == zeekNever {
		c.attempt = now + zeekAttemptDelay
	}
	if n&zeekQuiet != 0 {
		c.active = false
	}
	if n&zeekHandshook != 0 {
		c.idle = zeekIdle
	}
	if n&zeekUp != 0 {
		o := z.orig()
		port := key.End(o ^ 1).Port()
		if other := key.End(o).Port(); z.end[o].state == zeekInactive && !zeekServerPort(port) && zeekServerPort(other) {
			port = other
		}
		switch port {
		case 21, 22, 23, 513:
			c.idle = zeekIdleLogin
		}
	}
}

// closedAt is the full close of ConnectionClosed: other timers are cancelled
// and the record goes after tcp_close_delay. The other side's own close, if it
// comes later, sets the delay anew; nothing else does.
func (c *zeekClock) closedAt(last int64) {
	c.attempt, c.looks = zeekNever, [2]int64{zeekNever, zeekNever}
	c.remove = last + zeekCloseDelay
}

func (c *zeekClock) halfClosedAt(last int64) { c.looks[1] = last + zeekSessionTimer }

// due is when the record is removed if nothing more comes after now.
func (r *zeekRecord) due(now int64) int64 {
	z := &r.conn
	o, p := &z.end[z.orig()], &z.end[z.orig()^1]
	at := min(r.last+r.idle, r.remove)
	if !r.active {
		return at
	}
	if p.state == zeekInactive && (o.state == zeekSynSent || o.state == zeekSynAckSent) {
		at = min(at, r.attempt) // AttemptTimer
	}
	// ExpireTimer
	one, both := r.wide.end[0].closed || r.wide.end[1].closed, r.wide.end[0].closed && r.wide.end[1].closed
	reset := o.state == zeekReset || p.state == zeekReset
	silent := o.state == zeekInactive || p.state == zeekInactive
	if one && (both || reset || silent) || o.state == zeekInactive && p.state == zeekInactive {
		for _, first := range r.looks {
			at = min(at, nextLook(first, max(now, r.last+zeekLinger)))
		}
	}
	return at
}

// nextLook is the first of first, first+6s, first+12s ... after t.
func nextLook(first, t int64) int64 {
	if first == zeekNever || first > t {
		return first
	}
	return first + ((t-first)/zeekSessionTimer+1)*zeekSessionTimer
}

// advance lets packet time run on to t and removes what is due.
func (k *Zeek) advance(t int64) {
	k.now = max(k.now, t)
	for len(k.timers) > 0 && k.timers[0].deadline <= k.now {
		k.remove(k.timers[0])
	}
}

func (k *Zeek) schedule(r *zeekRecord) {
	r.deadline = r.due(k.now)
	if r.index == 0 {
		heap.Push(&k.timers, r)
		return
	}
	heap.Fix(&k.timers, r.index-1)
}

// zeekTimers is a heap of records by deadline, then start.
type zeekTimers []*zeekRecord

func (h zeekTimers) Len() int { return len(h) }

func (h zeekTimers) Less(i, j int) bool {
	a, b := h[i], h[j]
	if a.deadline != b.deadline {
		return a.deadline < b.deadline
	}
	if a.start != b.start {
		return a.start < b.start
	}
	return a.created < b.created
}

func (h zeekTimers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

// Push is for package heap.
func (h *zeekTimers) Push(x any) {
	r := x.(*zeekRecord)
	*h = append(*h, r)
	r.index = len(*h)
}

// Pop is for package heap.
func (h *zeekTimers) Pop() any {
	old := *h
	r := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	r.index = 0
	return r
}

func (h *zeekTimers) drop(r *zeekRecord) {
	if r.index != 0 {
		heap.Remove(h, r.index-1)
	}
}
