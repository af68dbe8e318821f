package tracker

// timerKind says what an endpoint waits for. One timer at a time is enough:
// each belongs to one state.
type timerKind uint8

const (
	timerNone     timerKind = iota
	timerSyn                // the SYN's repeat
	timerSynAck             // the SYN,ACK's repeat
	timerCookie             // any answer of a server that may hold no state
	timerFin                // the FIN's repeat
	timerTimeWait           // 2MSL
)

func (e *Endpoint) arm(t timerKind, due int64) { e.timer, e.due = t, due }
func (e *Endpoint) disarm()                    { e.timer, e.due = timerNone, 0 }

// late is when a repeat that was due after d must have come: d, the jitter
// that Linux and others add, and scheduling.
func late(d int64) int64 { return d + d/32 + 10*ms }

// longestWait bounds the interval that is expected between two repeats. No TCP
// comes near it; times in a damaged capture lie decades apart, and twice that
// is no time at all.
const longestWait = 365 * 24 * 3600 * second

// twice is the interval that follows d when a sender backs off (RFC 6298
// section 5.5).
func twice(d int64) int64 { return 2 * min(d, longestWait) }

// due is the earliest time at which a timer of the connection fires, 0 if none.
func (c *Conn) due() int64 {
	a, b := c.ends[0].due, c.ends[1].due
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// expire fires what was due before or at now, in order of time.
func (c *Conn) expire(k *sink, now int64) {
	for {
		d := c.due()
		if d == 0 || d > now {
			return
		}
		side := uint8(0)
		if c.ends[0].due != d {
			side = 1
		}
		k.now, k.frame = d, 0
		c.fire(k, side)
	}
}

// fire ends what the endpoint waited for in vain.
func (c *Conn) fire(k *sink, side uint8) {
	e := c.at(side)
	t := e.timer
	e.disarm()
	switch t {
	case timerSyn:
		if e.is(oldSyn) {
			c.cut(k, side, e.depth-1, RuleSynOldSilent)
			e.has &^= oldSyn
			return
		}
		e.has |= timedOut
		c.enter(k, side, Closed, Elapsed, RuleSynElapsed)
	case timerSynAck:
		if !e.is(repeated) && e.certainty() != Confirmed {
			if k.sparse {
				return // the ACK that it waits for was filtered out
			}
			// Not one repeat: a cookie, with no state behind it.
			e.has |= cookie
			c.cut(k, side, 0, RuleCookie)
			return
		}
		e.has |= timedOut
		c.enter(k, side, Closed, Elapsed, RuleSynAckElapsed)
	case timerCookie:
		if k.sparse || e.is(spoke|repeated) {
			return
		}
		e.has |= cookie
		c.cut(k, side, 0, RuleCookie)
	case timerFin:
		e.has |= timedOut
		c.enter(k, side, Closed, Elapsed, RuleFinElapsed)
	case timerTimeWait:
		c.enter(k, side, Closed, Elapsed, RuleTimeWaitElapsed)
	}
}
