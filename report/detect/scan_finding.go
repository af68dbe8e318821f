package detect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// sourceScan is all that one source did: the keys by time.
type sourceScan[K, T comparable] struct {
	source netip.Addr
	keys   []scanned[K, T]
}

// bySource puts together what one source did, in the order of what happened
// first.
func bySource[K, T comparable](found []scanned[K, T], source func(K) netip.Addr) []sourceScan[K, T] {
	slices.SortFunc(found, func(a, b scanned[K, T]) int { return a.tries[0].since(&b.tries[0]) })
	at := map[netip.Addr]int{}
	var out []sourceScan[K, T]
	for _, s := range found {
		a := source(s.key)
		i, ok := at[a]
		if !ok {
			i = len(out)
			at[a] = i
			out = append(out, sourceScan[K, T]{source: a})
		}
		out[i].keys = append(out[i].keys, s)
	}
	return out
}

// finding begins a finding on the source: count, times, evidence and kinds of
// failure.
func (s *sourceScan[K, T]) finding() Finding {
	f := Finding{Subject: Host(s.source), Severity: Warning, Blame: BlameClient}
	var first, last int64
	var kinds [failures]int
	for i := range s.keys {
		k := &s.keys[i]
		f.Count += len(k.tries) + k.more
		for j := range k.tries {
			t := &k.tries[j]
			kinds[t.kind]++
			f.refs = append(f.refs, t.Ref)
			if first == 0 || t.at < first {
				first = t.at
			}
			last = max(last, t.end)
			if len(f.Evidence.Connections) < maxShown {
				f.Evidence.Connections = append(f.Evidence.Connections, Proven{ID: t.ID, Incarnation: t.Incarnation, Frames: t.proof()})
			}
		}
	}
	f.First, f.Last, f.Evidence.Total = instant(first), instant(last), f.Count
	f.Metrics = Metrics{{"attempts", float64(f.Count)}, {"refused", float64(kinds[failRefused])}, {"unanswered", float64(kinds[failUnanswered])},
		{"abandoned", float64(kinds[failAbandoned])}, {"lasted_seconds", seconds(last - first)}}
	return f
}

// widest is what the source did to the key with the most targets.
func (s *sourceScan[K, T]) widest() *scanned[K, T] {
	most := &s.keys[0]
	for i := range s.keys {
		if s.keys[i].targets > most.targets {
			most = &s.keys[i]
		}
	}
	return most
}

// outcome is the sentence on what became of the attempts that the finding counts.
func outcome(f *Finding) string {
	var l []string
	for _, m := range []string{"refused", "unanswered", "abandoned"} {
		if n, _ := f.Metrics.Get(m); n > 0 {
			l = append(l, fmt.Sprintf("%d %s", int(n), m))
		}
	}
	out := fmt.Sprintf(" %s came to nothing within %s: %s", plural(f.Count, "attempt"), span(f.Last.Sub(f.First).Nanoseconds()), strings.Join(l, ", "))
	if n, _ := f.Metrics.Get("abandoned"); n > 0 {
		out += " after the SYN,ACK (a half-open scan)"
	}
	return out + "."
}

// proof shows how the attempt failed.
func (t *try[T]) proof() []Proof {
	syn := Proof{t.frames[0], fmt.Sprintf("SYN to %v", t.target)}
	switch t.kind {
	case failRefused:
		return []Proof{syn, {t.frames[1], "RST,ACK: refused"}}
	case failAbandoned:
		return []Proof{syn, {t.frames[1], "SYN,ACK"}, {t.frames[2], "the source's RST: it does not open the connection"}}
	}
	syn.Text += ", which nothing answered"
	return []Proof{syn}
}

// undecided reports a SYN of which it is not known that nobody answered: it was
// not repeated, comes from a socket as far as can be told, and either the capture
// holds no answers at all, or the loser of a dual-stack connect looks the same: a
// client that tries IPv6 first and then connects by IPv4 within some seconds
// (RFC 8305).
type undecided struct {
	x    *Context
	seen bool
}

func newUndecided(x *Context) *undecided { return &undecided{x: x, seen: x.answersSeen()} }

// dualStack is how long after an attempt by IPv6 that by IPv4 succeeds at the
// latest: 0.25 s until it begins (RFC 8305 section 5), some more until it is
// through.
const dualStack = 3

func (u *undecided) is(source netip.Addr, port uint16, kind failure, sure bool, at int64) bool {
	if kind != failUnanswered || sure {
		return false
	}
	if !u.seen || !source.Is6() {
		return !u.seen
	}
	for t := int64(0); t <= dualStack; t++ {
		if u.x.engine.shared.services.opened.find(openedKey(port, floorSecond(at)+t)) != nil {
			return true
		}
	}
	return false
}
