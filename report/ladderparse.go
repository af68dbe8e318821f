package report

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// The grammar of a ladder. A file holds one or more ladders; each begins with
// its head:
//
//	stream 3   10.0.0.1:40022 → 10.0.0.2:80   any note
//	isn 1000 5000                       optional: what numbers are relative to, left and right; else 0 0
//	start 1767225600.000000000          optional: when the first segment was seen; several
//	                                    ladders of a file are one capture by it
//	config time-wait 60s                optional; also fin-timeout; and config sparse, of a
//	                                    capture with nothing but SYN, FIN and RST
//	frame   time   client   ...         optional: the column heads
//
// and then has one line for each segment or timer, columns apart by spaces:
//
//	FRAME TIME LEFT-STATE ARROW RIGHT-STATE [WHY]
//	    1   0.000000   SYN-SENT       ── SYN 0 win 64240 mss 1460 ─▶  LISTEN?         syn
//	    2   0.000081   ESTABLISHED?   ◀───────── SYN,ACK 0 ack 1 ──  SYN-RECEIVED?   syn-ack,syn-ack-delivered
//	        1.060000   CLOSED~        ─────────── timer ───────────  CLOSED          time-wait-elapsed
//
// FRAME may be left out of a segment's line (the next number is taken) and is
// absent from a timer's. TIME is in seconds since the first segment. A STATE
// is a name of RFC 9293, with ? if presumed and ~ if elapsed; both ends' are
// those after the segment; * is not looked at. An ARROW to the right is
// "── TEXT ─▶" or "-- TEXT ->", to the left "◀─ TEXT ──" or "<- TEXT --".
// TEXT is FLAGS SEQ [KEYS]: PSH,ACK 1:101(100) ack 1 win 501 ts 7 9. Keys:
//
//	ack N (relative), win N (65535), mss N, ws N, ts VAL ECR, ttl N (64), id N (0), vlan N,
//	acknum N (the field of a segment without ACK), sackok, sack, dsack, tfo, badopts,
//	and the marks of a segment: unselected, quoted, short, cut, badsum, reassembled, tunnelled, timeback
//
// A segment that an ICMP error quotes stands on the arrow on which it was sent, with
// icmp TYPE CODE ADDR, or icmp6, as its last key: who sent the error; mtu N may follow.
//
// WHY lists the rules, separated by commas, "-" for none; left out, it is not
// looked at. The word revoked among them says that a presumption was taken
// back, a word in brackets gives the segment's class: (retransmission).
//
// # begins a comment at the start of a line. A config line before the first
// head is meant for all ladders of the file.

// ParseLadders reads all ladders of a file. Errors name the line.
func ParseLadders(r io.Reader) ([]*Ladder, error) {
	p := &ladderParser{timeWait: -1, finTimeout: -1}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		text := Printable(strings.ReplaceAll(sc.Text(), "\t", " "))
		if err := p.line(strings.Fields(text)); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return p.all, sc.Err()
}

type ladderParser struct {
	all                  []*Ladder
	cur                  *Ladder
	key                  capture.Key
	left                 uint8
	timeWait, finTimeout time.Duration // for all that follow
}

func (p *ladderParser) line(w []string) error {
	if len(w) == 0 || strings.HasPrefix(w[0], "#") {
		return nil
	}
	switch w[0] {
	case "stream":
		return p.head(w)
	case "config":
		return p.config(w)
	case "isn":
		return p.isn(w)
	case "start":
		return p.start(w)
	case "frame":
		return nil
	}
	if p.cur == nil {
		return fmt.Errorf("a ladder begins with its head, as in stream 0 10.0.0.1:40022 → 10.0.0.2:80")
	}
	return p.row(w)
}

func (p *ladderParser) head(w []string) (err error) {
	l := &Ladder{TimeWait: p.timeWait, FinTimeout: p.finTimeout}
	if len(w) < 5 || w[3] != "→" && w[3] != "->" {
		return fmt.Errorf("the head is: stream N ADDR:PORT → ADDR:PORT")
	}
	if l.Stream, err = strconv.ParseUint(w[1], 10, 63); err != nil {
		return fmt.Errorf("%q is no connection number", w[1])
	}
	for i, to := range []*netip.AddrPort{&l.Left, &l.Right} {
		if *to, err = netip.ParseAddrPort(w[2+2*i]); err != nil || to.Addr().Zone() != "" {
			return fmt.Errorf("%q is no address with a port", w[2+2*i])
		}
	}
	if l.Left.Addr().Is4() != l.Right.Addr().Is4() {
		return fmt.Errorf("one end is IPv4, the other IPv6")
	}
	l.Note = strings.Join(w[5:], " ")
	p.key, p.left = l.key()
	p.cur, p.all = l, append(p.all, l)
	return nil
}

func (p *ladderParser) start(w []string) error {
	if p.cur == nil || len(p.cur.Rows) > 0 || len(w) != 2 {
		return fmt.Errorf("the line is: start SECONDS, between head and rows")
	}
	ns, ok := parseEpoch(w[1])
	if !ok {
		return fmt.Errorf("start: %q is no time in seconds", w[1])
	}
	p.cur.Start = ns
	return nil
}

func (p *ladderParser) config(w []string) error {
	if len(w) == 2 && w[1] == "sparse" && p.cur != nil {
		p.cur.Sparse = true
		return nil
	}
	var d time.Duration
	err := fmt.Errorf("the line is: config time-wait|fin-timeout DURATION")
	if len(w) == 3 {
		d, err = time.ParseDuration(w[2])
	}
	if err != nil || d < 0 {
		return fmt.Errorf("config: %w", err)
	}
	tw, ft := &p.timeWait, &p.finTimeout
	if p.cur != nil {
		tw, ft = &p.cur.TimeWait, &p.cur.FinTimeout
	}
	switch w[1] {
	case "time-wait":
		*tw = d
	case "fin-timeout":
		*ft = d
	default:
		return fmt.Errorf("config: there is time-wait and fin-timeout, and no %q", w[1])
	}
	return nil
}

func (p *ladderParser) isn(w []string) error {
	if p.cur == nil || len(p.cur.Rows) > 0 || len(w) != 3 {
		return fmt.Errorf("the line is: isn LEFT RIGHT, between head and rows")
	}
	for i := range p.cur.ISN {
		n, err := strconv.ParseUint(w[1+i], 10, 32)
		if err != nil {
			return fmt.Errorf("isn: %q is no sequence number", w[1+i])
		}
		p.cur.ISN[i] = uint32(n)
	}
	return nil
}

// row reads one line of segment or timer.
func (p *ladderParser) row(w []string) (err error) {
	// The first column of two or three is the arrow's first piece.
	first := -1
	for i := 2; i <= 3 && i < len(w); i++ {
		if isLine(w[i]) {
			first = i
			break
		}
	}
	if first < 0 {
		return fmt.Errorf("a line is: FRAME TIME STATE ── SEGMENT ─▶ STATE [RULES]")
	}
	last := first + 1
	for last < len(w) && !isLine(w[last]) {
		last++
	}
	if last+1 >= len(w) {
		return fmt.Errorf("after the segment come the arrow's other end and a state")
	}
	var r LadderRow
	text := w[first+1 : last]
	toLeft := strings.HasPrefix(w[first], "◀") || strings.HasPrefix(w[first], "<")
	toRight := strings.HasSuffix(w[last], "▶") || strings.HasSuffix(w[last], ">")
	switch {
	case len(text) == 1 && text[0] == timerText && !toLeft && !toRight && first == 2:
	case toLeft == toRight:
		return fmt.Errorf("an arrow has one head, ▶ or >, ◀ or <; a timer has neither head nor frame")
	default:
		from := uint8(b2i(toLeft))
		if r.Quote, text, err = readQuote(text); err != nil {
			return err
		}
		if r.Segment, err = readSegment(text, p.cur.ISN[from], p.cur.ISN[from^1]); err != nil {
			return err
		}
		r.Segment.Key, r.Segment.Side = p.key, p.left^from
		if p.key.Self() {
			r.Segment.Side = 0
		}
		if r.Quote != nil {
			r.Segment.Mark |= capture.Quoted
			r.Segment.Len = 0 // the place of the error
		}
		if r.Segment.Frame, err = p.frame(w, first); err != nil {
			return err
		}
	}
	ns, ok := parseLadderTime(w[first-2])
	if !ok {
		return fmt.Errorf("%q is no time in seconds", w[first-2])
	}
	r.Segment.Time = ns
	for i, word := range []string{w[first-1], w[last+1]} {
		if r.States[i], err = readState(word); err != nil {
			return err
		}
	}
	if err := r.readWhy(w[last+2:]); err != nil {
		return err
	}
	p.cur.Rows = append(p.cur.Rows, r)
	return nil
}

// frame is the number that the line gives, or the next one.
func (p *ladderParser) frame(w []string, first int) (uint64, error) {
	if first == 3 {
		n, err := strconv.ParseUint(w[0], 10, 63)
		if err != nil || n == 0 {
			return 0, fmt.Errorf("%q is no frame number", w[0])
		}
		return n, nil
	}
	for _, r := range slices.Backward(p.cur.Rows) {
		if !r.Timer() {
			return r.Segment.Frame + 1, nil
		}
	}
	return 1, nil
}

// isLine reports whether a word is a piece of an arrow.
func isLine(w string) bool { return strings.Trim(w, "─-▶◀<>") == "" }

// readWhy reads the last column.
func (r *LadderRow) readWhy(w []string) error {
	if n := len(w); n > 0 && strings.HasPrefix(w[n-1], "(") && strings.HasSuffix(w[n-1], ")") && len(w[n-1]) > 2 {
		r.Class = w[n-1][1 : len(w[n-1])-1]
		w = w[:n-1]
	}
	if len(w) == 0 {
		return nil
	}
	if len(w) > 1 {
		return fmt.Errorf("%q: rules are separated by commas, without spaces", strings.Join(w, " "))
	}
	for _, rule := range strings.Split(w[0], ",") {
		switch rule {
		case "":
			return fmt.Errorf("%q: a rule's name is empty", w[0])
		case noRule:
			r.Rules = []string{}
		case revokedWord:
			r.Revoked = true
		default:
			if strings.ContainsAny(rule, "()") { // alone, it would be read as a class
				return fmt.Errorf("%q is no rule's name", rule)
			}
			r.Rules = append(r.Rules, rule)
		}
	}
	return nil
}

func readState(w string) (s LadderState, err error) {
	if w == "*" {
		return LadderState{Any: true}, nil
	}
	name := w
	s.Certainty = tracker.Confirmed
	if n, ok := strings.CutSuffix(w, "?"); ok {
		name, s.Certainty = n, tracker.Presumed
	} else if n, ok := strings.CutSuffix(w, "~"); ok {
		name, s.Certainty = n, tracker.Elapsed
	}
	for st := range tracker.NumStates {
		if st.String() == name {
			s.State = st
			return s, nil
		}
	}
	return s, fmt.Errorf("%q is no state", w)
}

// parseLadderTime reads seconds with up to nine decimals, exactly.
func parseLadderTime(w string) (int64, bool) {
	body, negative := strings.CutPrefix(w, "-")
	ns, ok := parseEpoch(body)
	if negative {
		ns = -ns
	}
	return ns, ok
}
