package report

import (
	"bufio"
	"fmt"
	"io"
	"testing"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// someLives are lives as a busy server has them: most are graceful, some are
// not, one in ten is of IPv6.
func someLives(n int) []tracker.Life {
	all := make([]tracker.Life, n)
	for i := range all {
		l := &all[i]
		start := int64(playStart + i*92_000)
		*l = tracker.Life{ID: uint64(i), Continues: -1, Roles: tracker.RoleSyn, Start: start, End: start + 1_234_567_891,
			FirstFrame: uint64(9*i + 1), LastFrame: uint64(9*i + 90), VLAN: capture.NoVLAN, Close: tracker.Graceful, ClosedBy: tracker.ByClient,
			CloseAt: uint64(9*i + 80), Ended: true, HandshakeRTT: 20_123_456 + int64(i%977)*1000, TimeWaitBy: tracker.ByClient,
			TimeWaitSince: start + 1_234_567_891, TimeWaitUntil: start + 61_234_567_891, HalfClosedFor: 1_012_345,
			ZeekState: "SF", ZeekHistory: "ShADadFf", Completeness: 31}
		l.Key = capture.Key{Lo: [16]byte{10, byte(i % 4), byte(i >> 8), byte(i)}, Hi: [16]byte{172, 16, 0, byte(i % 200)}}
		if i%10 == 9 {
			l.Key = capture.Key{Lo: [16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i)}, Hi: [16]byte{0x20, 1, 0xd, 0xb8, 14: 1, 15: byte(i % 200)}, V6: true}
		}
		l.Key.LoPort, l.Key.HiPort = uint16(32768+i%28000), 443
		l.Ends = [2]tracker.End{
			{Addr: l.Key.End(0), State: tracker.TimeWait, Certainty: tracker.Confirmed, Packets: 5, Bytes: 345, MSS: 1460, WScale: 7, TTL: 64},
			{Addr: l.Key.End(1), State: tracker.Closed, Certainty: tracker.Presumed, Packets: 4, Bytes: 12345, MSS: 1460, WScale: 9, TTL: 57},
		}
		if i%7 == 3 {
			l.Close, l.ClosedBy, l.ResetAs, l.TimeWaitBy, l.HandshakeRTT = tracker.Reset, tracker.ByServer, tracker.ResetAbort, tracker.Nobody, -1
			l.TimeWaitSince, l.TimeWaitUntil, l.ZeekState, l.End = 0, 0, "RSTR", start+int64(i)*1000
		}
	}
	return all
}

// telling is a report on its way, and what the tracker tells it of lives. Where
// known is set the capture is over and the findings are known, which is how most
// lives of a short capture are told.
func telling(format string, parts Parts, known bool) (*Report, tracker.Observer) {
	f := FindFormat(format)
	if parts == 0 {
		parts = f.Parts
	}
	r := New(Options{Style: Style{Limit: 20}, Outputs: []Output{{Format: f, Parts: parts, W: io.Discard}}})
	o := r.Observer()
	st := &capture.Stats{First: playStart, Last: playStart + 92e9}
	r.Begin(st)
	if known && o.Cases != nil {
		r.Ending(st, tracker.Totals{}, nil)
		o.Cases()
	}
	return r, o
}

// someTransitions are those of handshakes.
func someTransitions(n int) []tracker.Transition {
	all := make([]tracker.Transition, n)
	for i := range all {
		x := &all[i]
		*x = tracker.Transition{Time: playStart + int64(i)*9000, Frame: uint64(i), ID: uint64(i / 3), Side: uint8(i % 2), Client: i%2 == 0,
			From: tracker.Established, To: tracker.FinWait1, Certainty: tracker.Confirmed, Rule: tracker.RuleFin}
		x.Key.Lo, x.Key.Hi = [16]byte{10, 0, byte(i >> 8), byte(i)}, [16]byte{172, 16, 0, byte(i)}
		x.Key.LoPort, x.Key.HiPort, x.Key.V6 = uint16(i), 443, i%10 == 9
	}
	return all
}

// someRow is a row of a conn.log.
func someRow() *tracker.ZeekRow {
	l := &someLives(1)[0]
	return &tracker.ZeekRow{Start: l.Start, End: l.End, Orig: l.Ends[0].Addr, Resp: l.Ends[1].Addr, OrigBytes: 345, RespBytes: 12345, State: "SF",
		History: "ShADadFf", OrigPkts: 5, OrigIPBytes: 600, RespPkts: 4, RespIPBytes: 12600, VLAN: capture.NoVLAN, FirstFrame: 1}
}

func zeekRows() (*zeekLog, func(*tracker.ZeekRow)) {
	o := newZeekLog(&Env{W: bufio.NewWriterSize(io.Discard, outputBuffer)})
	return o, o.row
}

// What millions of connections go through allocates nothing, once the buffers and
// tables have the size that they need.
func TestNothingIsAllocatedForALife(t *testing.T) {
	lives, changes := someLives(1<<12), someTransitions(1<<12)
	pin := func(name string, n int, one func(i int)) {
		for i := range n {
			one(i) // the table of services, the lists, the first connections
		}
		i := 0
		if got := testing.AllocsPerRun(2*n, func() { one(i % n); i++ }); got != 0 {
			t.Errorf("%s: %g allocations", name, got)
		}
	}
	for _, format := range []string{"table", "ndjson", "json", "csv"} {
		for _, known := range []bool{false, true} {
			_, o := telling(format, 0, known)
			pin(fmt.Sprintf("lives as %s, findings known: %v", format, known), len(lives), func(i int) { o.Life(&lives[i]) })
		}
	}
	for _, format := range []string{"table", "ndjson", "csv"} {
		_, o := telling(format, PartTransitions, false)
		pin("transitions as "+format, len(changes), func(i int) { o.Transition(&changes[i]) })
	}
	_, row := zeekRows()
	x := someRow()
	pin("rows as zeek", 1, func(int) { row(x) })
}

func BenchmarkTransitions(b *testing.B) {
	changes := someTransitions(1 << 14)
	for _, format := range []string{"table", "ndjson", "csv"} {
		b.Run(format, func(b *testing.B) {
			_, o := telling(format, PartTransitions, false)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				o.Transition(&changes[i%len(changes)])
			}
		})
	}
}

func BenchmarkZeekRows(b *testing.B) {
	_, row := zeekRows()
	x := someRow()
	b.ReportAllocs()
	for b.Loop() {
		row(x)
	}
}

func BenchmarkLives(b *testing.B) {
	lives := someLives(1 << 14)
	for _, format := range []string{"table", "ndjson", "json", "csv"} {
		for _, known := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/known=%v", format, known), func(b *testing.B) {
				_, o := telling(format, 0, known)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					o.Life(&lives[i%len(lives)])
				}
			})
		}
	}
}
