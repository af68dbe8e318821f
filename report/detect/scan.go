package detect

import (
	"cmp"
	"slices"

	"tcpstate/tracker"
)

// What port-scan and host-sweep share: attempts that came to nothing, by who
// made them, and the windows of time in which there were many.

// failure says how an attempt came to nothing.
type failure uint8

const (
	failRefused failure = iota
	failUnanswered
	failAbandoned // SYN,ACK, and the client's RST
	failures
)

// try is one attempt that came to nothing. T is what is counted: the port, or
// the host.
type try[T comparable] struct {
	Ref
	at     int64 // of the SYN
	end    int64
	target T
	port   uint16
	from   uint16 // source port
	kind   failure
	again  bool // its SYN was repeated
	young  bool // it had not waited for silentFor
	made   bool // by a program that makes its own packets: many targets from one source port
	frames [3]uint64
	next   uint32 // index plus one
}

// since compares when two attempts were made.
func (t *try[T]) since(o *try[T]) int {
	return cmp.Or(cmp.Compare(t.at, o.at), cmp.Compare(t.ID, o.ID), cmp.Compare(t.Incarnation, o.Incarnation))
}

// failed tells of a life that came to nothing.
func failed[T comparable](c *tracker.Case) (t try[T], ok bool) {
	t = try[T]{Ref: RefOf(c), port: c.Addr(tracker.Server).Port(), from: c.Addr(tracker.Client).Port()}
	var syn, last *tracker.Event
	if syn, last = refusedBy(c); last != nil {
		t.kind, t.frames = failRefused, [3]uint64{syn.Frame, last.Frame}
	} else if s, answer, rst := rejection(c); rst != nil && answersSyn(answer, s) {
		syn, last = s, rst
		t.kind, t.frames = failAbandoned, [3]uint64{syn.Frame, answer.Frame, rst.Frame}
	} else {
		a, is := unanswered(c)
		if !is {
			return t, false
		}
		syn, last = a.first, a.last
		t.kind, t.again, t.young, t.frames = failUnanswered, a.repeats > 0, c.Now-syn.Time < silentFor, [3]uint64{syn.Frame}
	}
	t.at, t.end = syn.Time, last.Time
	return t, true
}

// Bounds of a tryBook: of all attempts that it keeps, and of those of one key.
const (
	maxTries  = 1 << 18
	maxKeyed  = maxTries / 2
	triesLeft = maxTries * 3 / 4 // more than these after clearing out: there is no room
)

// tryBook keeps attempts by key. Its memory is bounded: when it is full, the
// keys with the fewest targets go, a flood's spoofed sources with one each
// before all others, but none that has enough of them.
type tryBook[K, T comparable] struct {
	by     map[K]chain
	all    []try[T]
	enough int // targets
	full   bool
}

// chain are the attempts of one key, the latest first.
type chain struct {
	head uint32 // index plus one
	n    uint32
	more uint32 // beyond maxKeyed
}

func (b *tryBook[K, T]) add(key K, t try[T]) {
	if len(b.all) >= maxTries && !b.full {
		b.clear()
		b.full = len(b.all) > triesLeft
	}
	if b.by == nil {
		b.by = map[K]chain{}
	}
	c := b.by[key]
	switch {
	case b.full && c.n == 0:
		return
	case b.full, c.n == maxKeyed:
		c.more++
	default:
		t.next = c.head
		b.all = append(b.all, t)
		c.head, c.n = uint32(len(b.all)), c.n+1
	}
	b.by[key] = c
}

// of calls f with the attempts of a chain.
func (b *tryBook[K, T]) of(c chain, f func(*try[T])) {
	for i := c.head; i != 0; {
		t := &b.all[i-1]
		i = t.next
		f(t)
	}
}

// clear drops keys with few targets until half of the room is free.
func (b *tryBook[K, T]) clear() {
	old := *b
	seen := map[T]struct{}{}
	targets := func(c chain) int {
		if c.n == 1 {
			return 1
		}
		clear(seen)
		old.of(c, func(t *try[T]) { seen[t.target] = struct{}{} })
		return len(seen)
	}
	room := make([]int, b.enough) // attempts of keys with so many targets
	for _, c := range b.by {
		if n := targets(c); n < b.enough {
			room[n] += int(c.n)
		}
	}
	left, drop := len(b.all), 0
	for n := 1; n < b.enough && left > maxTries/2; n++ {
		left -= room[n]
		drop = n
	}
	b.by, b.all = map[K]chain{}, make([]try[T], 0, maxTries)
	for key, c := range old.by {
		if targets(c) <= drop {
			continue
		}
		n := chain{more: c.more}
		old.of(c, func(t *try[T]) {
			k := *t
			k.next = n.head
			b.all = append(b.all, k)
			n.head, n.n = uint32(len(b.all)), n.n+1
		})
		b.by[key] = n
	}
}

// scanned is what one source did to one key.
type scanned[K, T comparable] struct {
	key     K
	tries   []try[T]
	more    int
	targets int
}

// find returns the keys under which any window of time holds enough
// targets, with the attempts in such windows, by time. ok says whether an attempt
// counts.
func (b *tryBook[K, T]) find(window int64, ok func(K, *try[T]) bool) (out []scanned[K, T]) {
	for key, c := range b.by {
		if int(c.n) < b.enough {
			continue
		}
		var l []try[T]
		made := b.handMade(c)
		b.of(c, func(t *try[T]) {
			// Who makes packets does not open connections with them: there is no answer
			// to wait for.
			if _, t.made = made[t.from]; (t.made || !t.young) && ok(key, t) {
				l = append(l, *t)
			}
		})
		l = dense(l, window, b.enough)
		if len(l) == 0 {
			continue
		}
		seen := map[T]struct{}{}
		for i := range l {
			seen[l[i].target] = struct{}{}
		}
		out = append(out, scanned[K, T]{key, l, int(c.more), len(seen)})
	}
	return out
}

const ftpData = 20

// handMade are the source ports from which a chain has attempts at enough
// targets. A socket gets a port of its own for each connection that is under
// way; scanners that make their packets use one for all (nmap -sS, masscan). Not
// port 20, from which FTP servers connect (RFC 959 section 3.2).
func (b *tryBook[K, T]) handMade(c chain) map[uint16]struct{} {
	seen := map[uint16]map[T]struct{}{}
	b.of(c, func(t *try[T]) {
		if seen[t.from] == nil {
			seen[t.from] = map[T]struct{}{}
		}
		seen[t.from][t.target] = struct{}{}
	})
	out := map[uint16]struct{}{}
	for port, targets := range seen {
		if len(targets) >= b.enough && port != ftpData {
			out[port] = struct{}{}
		}
	}
	return out
}

// dense sorts attempts by time and keeps those that lie in any window of that
// length with enough different targets.
func dense[T comparable](l []try[T], window int64, enough int) []try[T] {
	slices.SortFunc(l, func(a, b try[T]) int { return a.since(&b) })
	var kept []try[T]
	in := map[T]int{}
	from, done := 0, 0 // the window's first, and those before are kept or dropped
	for i := range l {
		in[l[i].target]++
		for l[i].at-l[from].at > window {
			if in[l[from].target]--; in[l[from].target] == 0 {
				delete(in, l[from].target)
			}
			from++
		}
		if len(in) >= enough {
			for done = max(done, from); done <= i; done++ {
				kept = append(kept, l[done])
			}
		}
	}
	return kept
}
