package report

import (
	"fmt"
	"strconv"
	"strings"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// The words of a ladder's rows for people. The grammar of ladderparse.go has its own, which
// are read back.

// rowText is what stands on the arrow of a row, or in its place.
func (l *Ladder) rowText(r *LadderRow) string { return l.rowBrief(r, false, false) }

// rowBrief is the same where there is little room: short leaves out where payload ends,
// which its length says, and bare a window that hinders nobody.
func (l *Ladder) rowBrief(r *LadderRow, short, bare bool) string {
	switch {
	case r.Folded != nil:
		return r.Folded.text(r.Segment.Time)
	case r.Timer():
		return timerText
	}
	_, left := l.key()
	from := r.Segment.Side ^ left
	text := segmentText(&r.Segment, l.ISN[from], l.ISN[from^1], false)
	if short && r.Segment.Len > 0 {
		head, tail, _ := strings.Cut(text, ":") // 1:101(100) is 1(100)
		text = head + tail[max(strings.IndexByte(tail, '('), 0):]
	}
	if w := r.window(); w != "" && !bare && !strings.Contains(text, windowKey) {
		text += windowKey + w
	}
	if q := r.Quote; q != nil {
		name := "ICMP"
		if q.V6 {
			name = "ICMPv6"
		}
		quoted := relative(r.Segment.Seq - l.ISN[from])
		text = fmt.Sprintf("%s %d/%d from %s quotes %s", name, q.Type, q.Code, q.From, quoted)
		if q.MTU > 0 {
			text = fmt.Sprintf("%s %d/%d (MTU %d) from %s quotes %s", name, q.Type, q.Code, q.MTU, q.From, quoted)
		}
	}
	return text
}

// windowKey stands before a window.
const windowKey = " win "

// window is the room that a segment offers in octets, as Wireshark shows it; with ? as it
// was sent, where nobody saw by how much that is to be scaled. A RST offers none, nor does
// a segment that is only quoted.
func (r *LadderRow) window() string {
	switch {
	case r.Segment.Has(capture.RST), r.Quote != nil, r.Folded != nil, r.Timer():
		return ""
	case r.Scale < 0:
		return strconv.Itoa(int(r.Segment.Window)) + "?"
	}
	return strconv.FormatUint(uint64(r.Segment.Window)<<r.Scale, 10)
}

// toLeft reports whether a row's arrow goes to the left: an ICMP error goes to who sent
// the segment that it quotes.
func (l *Ladder) toLeft(r *LadderRow) bool {
	_, left := l.key()
	return (r.Segment.Side != left) != (r.Quote != nil)
}

// text says what is folded, until a time.
func (f *Folded) text(until int64) string { return "… " + strings.Join(f.words(until), ", ") }

// words are those of text, the most important first.
func (f *Folded) words(until int64) (w []string) {
	if f.Data > 0 {
		w = append(w, plural(f.Data, "data segment"), showOctets(f.Bytes[0]+f.Bytes[1]))
	}
	if f.Acks > 0 {
		w = append(w, plural(f.Acks, "ACK"))
	}
	if f.Other > 0 {
		w = append(w, plural(f.Other, "other segment"))
	}
	if f.Changes > 0 {
		w = append(w, plural(f.Changes, "change")+" of state")
	}
	return append(w, showSpan(float64(until-f.Since)/1e9))
}

// showOctets writes a number of octets with three significant digits: 1.10 MB.
func showOctets(n uint64) string {
	for _, u := range [...]struct {
		of   float64
		name string
	}{{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if float64(n) >= u.of {
			return digits3(float64(n)/u.of) + " " + u.name
		}
	}
	return fmt.Sprintf("%d B", n)
}

// whyWords cite the rules of a row, one each, with the first of their sources.
func (r *LadderRow) whyWords() (words []string) {
	for _, name := range r.Rules {
		if rule, ok := tracker.RuleByName(name); ok {
			name += " " + shortSource(rule.Source())
		}
		words = append(words, name)
	}
	if r.Revoked {
		words = append(words, revokedWord)
	}
	return words
}

// shortSource is the first of a rule's sources: RFC 9293 §3.10.1.
func shortSource(source string) string {
	source, _, _ = strings.Cut(source, ";")
	source, _, _ = strings.Cut(source, ",")
	source = strings.Replace(source, " sections ", " §", 1)
	return strings.Replace(source, " section ", " §", 1)
}

// whyInFull gives the reason of each rule with its sources.
func (r *LadderRow) whyInFull() (words []string) {
	for _, name := range r.Rules {
		text := name
		if rule, ok := tracker.RuleByName(name); ok {
			text = fmt.Sprintf("%s: %s (%s)", name, rule.Why(), rule.Source())
		}
		words = append(words, text)
	}
	if r.Revoked {
		words = append(words, revokedWord)
	}
	return words
}
