package detect

import (
	"cmp"
	"net/netip"
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
}

// since compares when two attempts were made.
func (t *try[T]) since(o *try[T]) int {
	return cmp.Or(cmp.Compare(t.at, o.at), cmp.Compare(t.ID, o.ID), cmp.Compare(t.Incarnation, o.Incarnation))
}

// failed tells of a life that came to nothing.
func failed(c *tracker.Case) (t try[uint16], ok bool) {
	if c.Ends[tracker.Server].Segments > 0 && !c.Has(tracker.SignRst) {
		return t, false
	}
	t = try[uint16]{Ref: RefOf(c), target: c.Addr(tracker.Server).Port(), port: c.Addr(tracker.Server).Port(), from: c.Addr(tracker.Client).Port()}
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

// scanned is what one source did to one key.
type scanned[K, T comparable] struct {
	key     K
	tries   []try[T]
	more    int
	targets int
}

// find returns the keys under which any window of time holds enough targets, with
// the attempts in such windows, by time. by tells the key and the target of an
// attempt, ok whether it counts.
func find[K, T comparable](s *shared, window int64, enough int, by func(source netip.Addr, t *keptTry) (K, T, bool),
	ok func(K, *try[T]) bool) (out []scanned[K, T]) {
	l := &s.tries
	for source, c := range l.sources() {
		if int(c.n) < enough {
			continue
		}
		keys := map[K][]try[T]{}
		l.of(c, func(t *keptTry) {
			if key, target, is := by(source, t); is {
				keys[key] = append(keys[key], tryOf(t, target, s.services.all[t.server-1].port))
			}
		})
		more := int(c.more)
		for key, all := range keys {
			if len(all) < enough {
				continue
			}
			made := handMade(all, enough)
			counted := all[:0]
			for i := range all {
				t := &all[i]
				// Who makes packets does not open connections with them: there is no answer
				// to wait for.
				if _, t.made = made[t.from]; (t.made || !t.young) && ok(key, t) {
					counted = append(counted, *t)
				}
			}
			counted = dense(counted, window, enough)
			if len(counted) == 0 {
				continue
			}
			seen := map[T]struct{}{}
			for i := range counted {
				seen[counted[i].target] = struct{}{}
			}
			out = append(out, scanned[K, T]{key, counted, more, len(seen)})
			more = 0
		}
	}
	return out
}

const ftpData = 20

// handMade are the source ports from which there are attempts at enough
// targets. A socket gets a port of its own for each connection that is under
// way; scanners that make their packets use one for all (nmap -sS, masscan). Not
// port 20, from which FTP servers connect (RFC 959 section 3.2).
func handMade[T comparable](all []try[T], enough int) map[uint16]struct{} {
	seen := map[uint16]map[T]struct{}{}
	for i := range all {
		t := &all[i]
		if seen[t.from] == nil {
			seen[t.from] = map[T]struct{}{}
		}
		seen[t.from][t.target] = struct{}{}
	}
	out := map[uint16]struct{}{}
	for port, targets := range seen {
		if len(targets) >= enough && port != ftpData {
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
