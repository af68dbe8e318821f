package detect

import (
	"cmp"
	"fmt"
	"slices"

	"tcpstate/tracker"
)

// CloseWaitBuildup: an application that does not close what its peer closed.
var CloseWaitBuildup = &Detector{
	ID:    "close-wait-buildup",
	Title: "an application does not close connections that its peer has closed",
	Rule: "Endpoints are confirmed in CLOSE-WAIT: a segment of their own acknowledges the peer's FIN, and since then they sent " +
		"neither FIN nor RST nor payload. They count if that lasted for the age, or if they are still there when the capture ends, " +
		"entered before its last third and are 2 s old. What counts is how many there were at once. Left out: an endpoint with " +
		"unacknowledged payload or a closed window before it, whose FIN may be queued, and one that sends payload later that is taken.",
	Default: Error,
	Levels: "by the peak: error from count, warning from warn, below a note. Where the service was seen to answer a peer that had half-closed, endpoints younger than the age " +
		"whose peer half-closed right after its request, and may wait for the answer, make a note at most",
	Subject: "service A:P, client side or server side",
	Blame:   "the CLOSE-WAIT side's application",
	Params: []Param{
		{"count", Count, 10, "endpoints at once that are an error", "field practice: alarms from some tens of sockets; a leak goes on growing"},
		{"warn", Count, 3, "endpoints at once that are a warning", "one or two may be slow, three are a pattern"},
		{"age", Span, 60, "how long an endpoint is in CLOSE-WAIT to count", "nf_conntrack_tcp_timeout_close_wait; TIME-WAIT of Linux"},
		{"young", Span, 2, "how old an endpoint is that is left when the capture ends, to count", "oracle 06_close_wait_leak, which ends after 3.2 s"},
		{"parts", Count, 3, "an endpoint entered in the last one of so many parts of the capture does not count unless it has the age", "it may be about to close"},
	},
	Example: `#! repeat 10 every 10ms
#! end 70s
stream 0 10.0.0.1:40000 → 10.0.0.2:80
isn 1000 9000
0      -- SYN 0 mss 1460 ->
0.01   <- SYN,ACK 0 ack 1 mss 1460 --
0.02   -- ACK 1 ack 1 ->
0.03   -- PSH,ACK 1:101(100) ack 1 ->
0.04   <- PSH,ACK 1:201(200) ack 101 --
0.05   -- ACK 101 ack 201 ->
1      -- FIN,ACK 101 ack 201 ->
1.04   <- ACK 201 ack 102 --`,
	Advice: "The application has to close its socket when read returns 0 (end of file), on error paths too; " +
		"\"ss -tnp state close-wait\" names the process and its descriptors. No sysctl ends CLOSE-WAIT: TCP waits for the application.",
	Sources: []string{"RFC 9293 sections 3.6 and 3.10.4", "Linux tcp_fin, tcp_close", "oracle 06_close_wait_leak", "oracle 36_soak"},
	Signs:   tracker.SignFin,
	Lowered: Missed | Backwards, Withheld: FlagsOnly,
	New: func(s *Setup) Watcher {
		return &closeWaits{count: s.Count("count"), warn: s.Count("warn"), age: s.Span("age"), young: s.Span("young"), parts: int64(s.Count("parts")),
			bag: Bag[serviceEnd, closeWait]{note: (*shorthand).closeWait}}
	},
}

type closeWaits struct {
	count, warn int
	age, young  int64
	parts       int64
	bag         Bag[serviceEnd, closeWait]
	gone        map[serviceEnd]int // closers that answered what came later by RST
	answered    map[serviceEnd]int // closers that were sent payload, and had only half-closed
}

func (w *closeWaits) Case(c *tracker.Case) {
	l := c.Life
	if c.Has(tracker.SignSelf|tracker.SignOneSided) ||
		(l.Ended || !c.Has(tracker.SignHalf)) && l.HalfClosedFor < min(w.age, w.young) && !c.Has(tracker.SignLate|tracker.SignProbe) {
		return
	}
	for x := uint8(0); x < 2; x++ {
		v, ok := stayOf(c, x)
		if !ok {
			continue
		}
		key := endOf(c, x)
		switch v.how {
		case foundGone:
			w.gone = counted(w.gone, key)
		case usedHalf:
			w.answered = counted(w.answered, key)
		}
		if v.how != usedHalf && (v.lasted() >= w.age || v.how == staysOpen && v.lasted() >= w.young) {
			w.bag.Add(key, c, v.enter, v.leave, v, nil)
		}
	}
}

// slips: no end of an ordinary life stayed for long.
func (w *closeWaits) slips([]slip) {}

// trails are the signs of lives that may have stayed for long enough.
func (w *closeWaits) trails() tracker.Sign {
	if min(w.age, w.young) < tracker.Lingers {
		return tracker.SignFin
	}
	return tracker.SignClosing
}

// counted counts one more of a key, where there is room for it.
func counted(m map[serviceEnd]int, key serviceEnd) map[serviceEnd]int {
	if m == nil {
		m = map[serviceEnd]int{}
	}
	if m[key] > 0 || len(m) < maxGroups {
		m[key]++
	}
	return m
}

func (w *closeWaits) Findings(x *Context) {
	late := x.End() // what entered from here on may be about to close
	if w.parts > 0 {
		late -= (x.End() - x.Start()) / w.parts
	}
	for _, g := range w.bag.Groups(x) {
		g.Keep(func(it *Item[closeWait]) bool {
			v := &it.V
			return v.lasted() >= w.age || v.left(x) && v.enter < late
		})
		if len(g.Items) > 0 {
			w.raise(x, g)
		}
	}
}

// left reports that it goes on when the capture ends.
func (v *closeWait) left(x *Context) bool { return v.how == staysOpen && v.leave >= x.End() }

// oldestFirst sorts stays.
func oldestFirst(a, b Item[closeWait]) int {
	return cmp.Or(cmp.Compare(a.V.enter, b.V.enter), a.Ref.compare(b.Ref))
}

func (w *closeWaits) raise(x *Context, g *Group[serviceEnd, closeWait]) {
	slices.SortFunc(g.Items, oldestFirst)
	var all, sure []interval
	var oldest *closeWait
	left, gave, answered := 0, w.gone[g.Key], w.answered[g.Key]
	for i := range g.Items {
		v := &g.Items[i].V
		if i < maxShown {
			g.bag.keeps(&g.Items[i]).proof = v.proof(g.Key)
		}
		if oldest == nil || v.lasted() > oldest.lasted() {
			oldest = v
		}
		iv := v.interval
		if v.left(x) {
			iv.leave = x.End() + 1
			left++
		}
		all = append(all, iv)
		if v.lasted() >= w.age || !v.owes || answered == 0 {
			sure = append(sure, iv)
		}
	}
	peak, at, came := sweep(all)
	surely, _, _ := sweep(sure)
	k := g.Key
	f := g.Finding(k.subject())
	f.Severity = w.level(surely)
	f.Blame = blameOf(k.side)
	f.Metrics = Metrics{{"peak", float64(peak)}, {"peak_at_seconds", seconds(at - x.Start())},
		{"growth_per_minute", perMinute(came, g.Items[0].V.enter, at)}, {"oldest_seconds", seconds(oldest.lasted())},
		{"left_at_end", float64(left)}, {"gave_up", float64(gave)}}
	f.Explanation = stayText(k, peak, at, len(g.Items), left, oldest, x)
	if gave > 0 {
		f.Explanation += fmt.Sprintf(" %s had given up and answered by RST what the %s sent later.", capital(plural(gave, "closer")), k.owner())
	}
	if most := w.level(peak); f.Severity < most {
		f.Explanation += fmt.Sprintf(" Lowered from %s: %s that half-closed got an answer. Without those whose peer half-closed right after its request, less than %s ago, and may still wait for the answer, the peak is %d.",
			most, plural(answered, "other peer"), span(w.age), surely)
	}
	x.Raise(f)
}

// level is the severity of a peak.
func (w *closeWaits) level(peak int) Severity {
	switch {
	case peak >= w.count:
		return Error
	case peak >= w.warn:
		return Warning
	}
	return Note
}

// stayText says how many stood in CLOSE-WAIT, and for how long.
func stayText(k serviceEnd, peak int, at int64, all, left int, oldest *closeWait, x *Context) string {
	age := span(oldest.lasted())
	if oldest.left(x) {
		age = "≥ " + age
	}
	if all == 1 {
		text := fmt.Sprintf("One endpoint of %s stood in CLOSE-WAIT from %s on for %s: the %s had closed, the %s acknowledged its FIN and then neither closed nor sent payload.",
			k.who(), clock(at), age, k.other(), k.owner())
		if left > 0 {
			text += " It was left when the capture ended."
		}
		return text
	}
	text := fmt.Sprintf("At %s, %s of %s stood in CLOSE-WAIT at once: the %s had closed, the %s acknowledged its FIN and then neither closed nor sent payload. The oldest stayed for %s",
		clock(at), plural(peak, "endpoint"), k.who(), k.other(), k.owner(), age)
	if left > 0 {
		text += fmt.Sprintf("; %d of %d were left when the capture ended", left, all)
	}
	return text + "."
}
