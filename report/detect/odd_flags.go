package detect

import (
	"fmt"
	"net/netip"
	"strings"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// OddFlags: segments that no TCP sends.
var OddFlags = &Detector{
	ID:    "odd-flags",
	Title: "segments with flags that no TCP sends",
	Rule: "A host sent segments without any flag, with FIN but no ACK, with SYN and FIN, with SYN and RST, with FIN, PSH and URG, " +
		"or otherwise without SYN, RST and ACK. Segments with a wrong checksum do not count where checksums are verified.",
	Default: Note,
	Levels:  "warning for segments or more",
	Subject: "host A",
	Blame:   "the sender, client or server",
	Params: []Param{
		{"segments", Count, 10, "segments of one host", "a damaged packet is one; a scan tries many ports"},
	},
	Example: "stream 0 10.0.0.1:40022 → 10.0.0.2:80\n0 * -- FIN 0 -> *",
	Advice: "See what runs on that host: port scanners send such segments to learn which ports are closed (RST) and which drop them, and which system answers how. " +
		"A single one amid an ordinary connection is a damaged packet or a faulty device on the way. Receivers drop them; a filter may, too.",
	Sources: []string{"RFC 9293 sections 3.1 and 3.10.7", "Linux tcp_rcv_state_process, tcp_v4_rcv", "oracle 38_weird_flags"},
	Signs:   tracker.SignOdd,
	New:     func(s *Setup) Watcher { return &oddFlags{segments: s.Count("segments")} },
}

// oddKind is a pattern, by the scan that uses it.
type oddKind uint8

const (
	oddNull oddKind = iota
	oddFin
	oddXmas
	oddSynFin
	oddSynRst
	oddAll
	oddOther
	oddKinds
)

var oddNames = [oddKinds]string{
	oddNull:   "no flag at all (NULL scan)",
	oddFin:    "FIN without ACK (FIN scan)",
	oddXmas:   "FIN, PSH and URG (Xmas scan)",
	oddSynFin: "SYN and FIN",
	oddSynRst: "SYN and RST",
	oddAll:    "all flags",
	oddOther:  "neither SYN, RST nor ACK",
}

// oddOf names the flags of an odd segment. ECN's bits do not matter.
func oddOf(flags uint8) oddKind {
	const all = capture.FIN | capture.SYN | capture.RST | capture.PSH | capture.ACK | capture.URG
	has := func(mask uint8) bool { return flags&mask == mask }
	switch flags & all {
	case 0:
		return oddNull
	case capture.FIN:
		return oddFin
	case capture.FIN | capture.PSH | capture.URG:
		return oddXmas
	case all:
		return oddAll
	}
	switch {
	case has(capture.SYN | capture.FIN):
		return oddSynFin
	case has(capture.SYN | capture.RST):
		return oddSynRst
	case has(capture.FIN):
		return oddFin
	}
	return oddOther
}

type oddFlags struct {
	segments int
	bag      Bag[netip.Addr, oddities]
}

// oddities are the odd segments of one end of one connection.
type oddities struct {
	by   [oddKinds]int
	n    int
	side uint8
	to   netip.AddrPort
	rst  bool // something was refused with RST
}

func (w *oddFlags) Case(c *tracker.Case) {
	for side := range uint8(2) {
		w.sender(c, side)
	}
}

// sender notes what one end sent.
func (w *oddFlags) sender(c *tracker.Case, side uint8) {
	v := oddities{side: side, to: c.Addr(int(side ^ 1))}
	var first, last *tracker.Event
	var proof []Proof
	for i := range c.Trail.Events {
		e := &c.Trail.Events[i]
		switch {
		case e.Is(tracker.Earlier | tracker.Quoted):
		case e.From != side && last != nil && !v.rst && refuses(e, last):
			v.rst = true
			if len(proof) < maxOdd {
				proof = append(proof, Proof{e.Frame, "RST in answer"})
			}
		case e.From == side && e.Is(tracker.Odd):
			if last != nil && sameSegment(e, last) {
				last = e
				continue
			}
			k := oddOf(e.Flags)
			if v.by[k]++; v.by[k] == 1 && len(proof) < maxOdd {
				proof = append(proof, Proof{e.Frame, oddNames[k]})
			}
			v.n++
			if last = e; first == nil {
				first = e
			}
		}
	}
	if first != nil {
		w.bag.Add(c.Addr(int(side)).Addr(), c, first.Time, last.Time, v, func() []Proof { return proof })
	}
}

// sameSegment reports a copy of an odd segment.
func sameSegment(e, last *tracker.Event) bool {
	return e.Flags == last.Flags && e.Seq == last.Seq && e.Ack == last.Ack && e.Len == last.Len && e.IPID == last.IPID && e.Time-last.Time < copiedWithin
}

// refuses reports that a RST answers the segment: it had no ACK, so the RST
// tells what it would have acknowledged (RFC 9293 section 3.10.7.1).
func refuses(rst, e *tracker.Event) bool {
	return rst.Rst() && rst.Has(capture.ACK) && rst.Seq == 0 && rst.Ack-e.Seq <= e.Len+2
}

// maxOdd is how many frames of a connection are shown.
const maxOdd = 6

func (w *oddFlags) Findings(x *Context) {
	for _, g := range w.bag.Groups(x) {
		var by [oddKinds]int
		n, servers, answered := g.More, 0, 0
		targets := map[netip.AddrPort]bool{}
		for i := range g.Items {
			v := &g.Items[i].V
			for k, m := range v.by {
				by[k] += m
			}
			n += v.n
			servers += int(v.side)
			targets[v.to] = true
			if v.rst {
				answered++
			}
		}
		f := g.Finding(Host(g.Key))
		f.Severity, f.Blame = Note, BlameClient
		if n >= w.segments {
			f.Severity = Warning
		}
		if 2*servers > len(g.Items) {
			f.Blame = BlameServer
		}
		f.Metrics = Metrics{{"segments", float64(n)}, {"targets", float64(len(targets))}, {"answered_by_rst", float64(answered)}}
		var l []string
		for k, m := range by {
			if m > 0 {
				l = append(l, fmt.Sprintf("%s: %d", oddNames[k], m))
			}
		}
		f.Explanation = fmt.Sprintf("%s sent %s that no TCP sends, to %s. %s.", g.Key, plural(n, "segment"), plural(len(targets), "port"), capital(strings.Join(l, "; ")))
		if answered > 0 {
			f.Explanation += fmt.Sprintf(" RST came back on %s: that is how closed ports answer; open ones stay silent.", plural(answered, "connection"))
		} else {
			f.Explanation += " No RST came back."
		}
		x.Raise(f)
	}
}
