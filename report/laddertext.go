package report

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"tcpstate/capture"
)

// The words of a ladder's segments, for printing and reading.

// flagWords in the order in which they are written: SYN,ACK and FIN,ACK read
// better than ACK,SYN.
var flagWords = []struct {
	bit  uint8
	word string
}{{capture.SYN, "SYN"}, {capture.FIN, "FIN"}, {capture.RST, "RST"}, {capture.PSH, "PSH"}, {capture.URG, "URG"},
	{capture.ECE, "ECE"}, {capture.CWR, "CWR"}, {capture.ACK, "ACK"}}

// noFlags is written where no control bit is set.
const noFlags = "NULL"

// bitWords are the bits of a segment that are a word of their own.
var bitWords = []struct {
	bit  uint8
	mark bool // in Mark, else in Opts
	word string
}{
	{capture.OptSACKOK, false, "sackok"}, {capture.OptSACK, false, "sack"}, {capture.OptDSACK, false, "dsack"},
	{capture.OptTFO, false, "tfo"}, {capture.OptBad, false, "badopts"},
	{capture.Unselected, true, "unselected"}, {capture.Quoted, true, "quoted"}, {capture.Cut, true, "cut"},
	{capture.BadChecksum, true, "badsum"}, {capture.Reassembled, true, "reassembled"}, {capture.Tunnelled, true, "tunnelled"},
	{capture.TimeBack, true, "timeback"}, {capture.ShortQuote, true, "short"},
}

// What a segment has where a ladder does not say: a window that hinders
// nobody, and the TTL of a host next door.
const (
	defaultWindow = 65535
	defaultTTL    = 64
)

// relative writes a sequence number relative to its base: as a negative
// number shortly before it.
func relative(n uint32) string {
	if n >= 0xff000000 {
		return strconv.FormatInt(int64(int32(n)), 10)
	}
	return strconv.FormatUint(uint64(n), 10)
}

// segmentText is a segment in words. full names everything that differs from
// what a reader of the text would assume; else only what people look for.
func segmentText(s *capture.Segment, isn, peerISN uint32, full bool) string {
	var b strings.Builder
	var flags []string
	for _, f := range flagWords {
		if s.Flags&f.bit != 0 {
			flags = append(flags, f.word)
		}
	}
	if flags == nil {
		flags = []string{noFlags}
	}
	b.WriteString(strings.Join(flags, ","))
	seq := s.Seq - isn
	b.WriteString(" " + relative(seq))
	if s.Len > 0 {
		fmt.Fprintf(&b, ":%s(%d)", relative(seq+s.Len), s.Len)
	}
	switch {
	case s.Has(capture.ACK):
		b.WriteString(" ack " + relative(s.Ack-peerISN))
	case full && s.Ack != 0:
		fmt.Fprintf(&b, " acknum %d", s.Ack)
	}
	bare := s.Has(capture.SYN) && !s.Has(capture.ACK)
	if full && s.Window != defaultWindow || !full && (bare || s.Window == 0 && !s.Has(capture.RST)) {
		fmt.Fprintf(&b, " win %d", s.Window)
	}
	if s.Opts&capture.OptMSS != 0 && (full || bare) {
		fmt.Fprintf(&b, " mss %d", s.MSS)
	}
	if full {
		writeRest(&b, s)
	}
	return b.String()
}

// writeRest writes the keys that only a full text has.
func writeRest(b *strings.Builder, s *capture.Segment) {
	if s.Opts&capture.OptWScale != 0 {
		fmt.Fprintf(b, " ws %d", s.WScale)
	}
	if s.Opts&capture.OptTS != 0 {
		fmt.Fprintf(b, " ts %d %d", s.TSVal, s.TSEcr)
	}
	for _, w := range bitWords {
		if w.mark && s.Mark&w.bit != 0 || !w.mark && s.Opts&w.bit != 0 {
			b.WriteString(" " + w.word)
		}
	}
	if s.TTL != defaultTTL {
		fmt.Fprintf(b, " ttl %d", s.TTL)
	}
	if s.IPID != 0 {
		fmt.Fprintf(b, " id %d", s.IPID)
	}
	if s.VLAN != capture.NoVLAN {
		fmt.Fprintf(b, " vlan %d", s.VLAN)
	}
}

// quoteWords are the keys of an ICMP error that quotes a segment; "" of none.
func quoteWords(q *capture.Quote) string {
	if q == nil {
		return ""
	}
	key := icmpKey
	if q.V6 {
		key = icmp6Key
	}
	text := fmt.Sprintf(" %s %d %d %s", key, q.Type, q.Code, q.From)
	if q.MTU > 0 {
		text += fmt.Sprintf(" mtu %d", q.MTU)
	}
	return text
}

const icmpKey, icmp6Key = "icmp", "icmp6"

// readQuote takes the keys of an ICMP error from the words of a segment.
func readQuote(words []string) (q *capture.Quote, rest []string, err error) {
	i := slices.IndexFunc(words, func(w string) bool { return w == icmpKey || w == icmp6Key })
	if i < 0 {
		return nil, words, nil
	}
	wrong := fmt.Errorf("an ICMP error is given as icmp TYPE CODE ADDR, at the end")
	q = &capture.Quote{V6: words[i] == icmp6Key}
	w := words[i+1:]
	if len(w) == 5 && w[3] == "mtu" {
		n, err := strconv.ParseUint(w[4], 10, 32)
		if q.MTU = uint32(n); err != nil || n == 0 {
			return nil, nil, wrong
		}
		w = w[:3]
	}
	if len(w) != 3 {
		return nil, nil, wrong
	}
	for j, to := range []*uint8{&q.Type, &q.Code} {
		n, err := strconv.ParseUint(w[j], 10, 8)
		if *to = uint8(n); err != nil {
			return nil, nil, wrong
		}
	}
	if q.From, err = netip.ParseAddr(w[2]); err != nil || q.From.Zone() != "" {
		return nil, nil, wrong
	}
	return q, words[:i], nil
}

// readSegment reads the words that segmentText writes, in a full text or not.
func readSegment(words []string, isn, peerISN uint32) (s capture.Segment, err error) {
	s.Window, s.TTL, s.VLAN, s.WScale = defaultWindow, defaultTTL, capture.NoVLAN, capture.NoWScale
	if len(words) < 2 {
		return s, fmt.Errorf("a segment needs its flags and a sequence number, as in SYN 0")
	}
	if s.Flags, err = readFlags(words[0]); err != nil {
		return s, err
	}
	if s.Seq, s.Len, err = readSpan(words[1]); err != nil {
		return s, err
	}
	s.Seq += isn
	acked := false
	for rest := words[2:]; len(rest) > 0; {
		n, err := readKey(&s, rest, peerISN, &acked)
		if err != nil {
			return s, err
		}
		rest = rest[n:]
	}
	if s.Has(capture.ACK) && !acked {
		return s, fmt.Errorf("a segment with ACK needs its number, as in ack 1")
	}
	return s, nil
}

func readFlags(w string) (flags uint8, err error) {
	if w == noFlags {
		return 0, nil
	}
next:
	for _, f := range strings.Split(w, ",") {
		for _, k := range flagWords {
			if f == k.word {
				flags |= k.bit
				continue next
			}
		}
		return 0, fmt.Errorf("%q is no flag: they are SYN FIN RST PSH URG ECE CWR ACK, with commas, or %s", f, noFlags)
	}
	return flags, nil
}

// readSpan reads 1, 1:101(100) or 1(100).
func readSpan(w string) (seq, n uint32, err error) {
	head, tail, hasLen := strings.Cut(w, "(")
	from, to, hasEnd := strings.Cut(head, ":")
	if seq, err = readRelative(from); err != nil {
		return 0, 0, err
	}
	if hasLen {
		digits, ok := strings.CutSuffix(tail, ")")
		v, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || !ok {
			return 0, 0, fmt.Errorf("%q: the length goes into brackets, as in 1:101(100)", w)
		}
		n = uint32(v)
	}
	if hasEnd {
		end, err := readRelative(to)
		if err != nil {
			return 0, 0, err
		}
		if !hasLen {
			n = end - seq
		} else if end != seq+n {
			return 0, 0, fmt.Errorf("%q: %d octets from %s do not end at %s", w, n, from, to)
		}
	}
	return seq, n, nil
}

func readRelative(w string) (uint32, error) {
	n, err := strconv.ParseInt(w, 10, 64)
	if err != nil || n < -1<<31 || n >= 1<<32 {
		return 0, fmt.Errorf("%q is no sequence number", w)
	}
	return uint32(n), nil
}

// readKey reads one key with its values from the front of words, and returns
// how many words it took.
func readKey(s *capture.Segment, words []string, peerISN uint32, acked *bool) (int, error) {
	for _, k := range bitWords {
		if words[0] == k.word {
			if k.mark {
				s.Mark |= k.bit
			} else {
				s.Opts |= k.bit
			}
			return 1, nil
		}
	}
	if words[0] == "ack" && len(words) > 1 {
		n, err := readRelative(words[1])
		if s.Ack = n + peerISN; err == nil && !s.Has(capture.ACK) {
			err = fmt.Errorf("ack without the flag ACK; acknum gives the field without it")
		}
		*acked = true
		return 2, err
	}
	var v [2]uint64
	bits, ok := map[string]int{"acknum": 32, "win": 16, "mss": 16, "ws": 8, "ts": 32, "ttl": 8, "id": 16, "vlan": 12}[words[0]]
	n := 2
	if words[0] == "ts" {
		n = 3
	}
	for i := 1; ok && i < n; i++ {
		if ok = i < len(words); ok {
			var err error
			v[i-1], err = strconv.ParseUint(words[i], 10, bits)
			ok = err == nil
		}
	}
	if !ok {
		return 0, fmt.Errorf("%q: after the sequence number come ack N, win N, mss N, ws N, ts VAL ECR, ttl N, id N, vlan N, acknum N, sackok, sack and such", strings.Join(words[:min(n, len(words))], " "))
	}
	switch words[0] {
	case "acknum":
		s.Ack = uint32(v[0])
	case "win":
		s.Window = uint16(v[0])
	case "mss":
		s.MSS = uint16(v[0])
		s.Opts |= capture.OptMSS
	case "ws":
		s.WScale = uint8(v[0])
		s.Opts |= capture.OptWScale
	case "ts":
		s.TSVal, s.TSEcr = uint32(v[0]), uint32(v[1])
		s.Opts |= capture.OptTS
	case "ttl":
		s.TTL = uint8(v[0])
	case "id":
		s.IPID = uint16(v[0])
	case "vlan":
		s.VLAN = uint16(v[0])
	}
	return n, nil
}
