package tracker

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"tcpstate/capture"
)

// zeekPlay turns a script into segments between a client (ISN 1000) and a
// server (ISN 5000). A word is a direction, flags and modifiers:
//
//	>S         the client's SYN
//	<SA        the server's SYN,ACK, numbers as they come
//	>A:10      10 octets of payload
//	>F         FIN,ACK; >f FIN alone; <R RST,ACK; <r RST alone; _ no flag
//	/seq=7     7 past the sender's ISN, /seq=+10 past its next number; /ack=
//	/win=0     zero window; /bad checksum; /cut header
//	+5s        time passes
func zeekPlay(t *testing.T, serverPort, clientPort uint16, script string) []capture.Segment {
	t.Helper()
	client := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), clientPort)
	server := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), serverPort)
	isn, next := [2]uint32{1000, 5000}, [2]uint32{1000, 5000}
	now := int64(1e18)
	var segs []capture.Segment
	for _, word := range strings.Fields(script) {
		if word[0] == '+' {
			d, err := time.ParseDuration(word[1:])
			if err != nil {
				t.Fatal(err)
			}
			now += int64(d)
			continue
		}
		parts := strings.Split(word, "/")
		from := 0
		src, dst := client, server
		if word[0] == '<' {
			from, src, dst = 1, server, client
		}
		seg := capture.Segment{HdrLen: 40, Time: now, Frame: uint64(len(segs) + 1), Seq: next[from], Ack: next[1-from],
			Window: 1000, VLAN: capture.NoVLAN, WScale: capture.NoWScale}
		seg.Key, seg.Side = keyOf(src, dst)
		flags, length, _ := strings.Cut(parts[0][1:], ":")
		if length != "" {
			n, err := strconv.Atoi(length)
			if err != nil {
				t.Fatal(err)
			}
			seg.Len = uint32(n)
		}
		for _, c := range flags {
			seg.Flags |= map[rune]uint8{'S': capture.SYN, 'A': capture.ACK, 'F': capture.FIN | capture.ACK, 'f': capture.FIN,
				'R': capture.RST | capture.ACK, 'r': capture.RST, '_': 0}[c]
		}
		for _, mod := range parts[1:] {
			name, value, _ := strings.Cut(mod, "=")
			n, _ := strconv.Atoi(value)
			at := func(end int) uint32 {
				if value[0] == '+' {
					return next[end] + uint32(n)
				}
				return isn[end] + uint32(n)
			}
			switch name {
			case "seq":
				seg.Seq = at(from)
			case "ack":
				seg.Ack = at(1 - from)
			case "win":
				seg.Window = uint16(n)
			case "bad":
				seg.Mark |= capture.BadChecksum
			case "cut":
				seg.Mark |= capture.Cut
			default:
				t.Fatalf("modifier %q", mod)
			}
		}
		if end := seg.Seq + seg.SeqLen(); int32(end-next[from]) > 0 {
			next[from] = end
		}
		segs = append(segs, seg)
		now += int64(time.Millisecond)
	}
	return segs
}

func zeekRows(segs []capture.Segment) []*ZeekRow {
	var rows []*ZeekRow
	k := NewZeek(func(r *ZeekRow) { rows = append(rows, r) })
	k.Process(&capture.Batch{Segments: segs})
	k.Finish()
	return rows
}

// TestZeekRules: a script or more for every rule, and what conn.log says. The
// rows of a script are joined with commas.
func TestZeekRules(t *testing.T) {
	const up = ">S <SA >A "
	tests := []struct {
		rule   string
		port   uint16 // of the server; 0 is one that Zeek does not know
		client uint16 // 0 is 40000
		script string
		want   string
	}{
		{"SF", 0, 0, up + ">A:10 <A <A:20 >A >F <F >A", "SF ShADadFf"},
		{"S0", 0, 0, ">S >S/seq=0 >S/seq=0", "S0 S"},
		{"S1 needs no third ACK", 0, 0, ">S <SA", "S1 Sh"},
		{"S2", 0, 0, up + ">F", "S2 ShAF"},
		{"S3", 0, 0, up + "<F", "S3 ShAf"},
		{"REJ", 0, 0, ">S <R", "REJ Sr"},
		{"REJ of a SYN,ACK probe", 0, 0, "<SA >r", "REJ Hr"},
		{"REJ: both reset and nothing sent", 0, 0, ">S <SA >R <R", "REJ ShRr"},
		{"RSTR: both reset", 0, 0, up + ">A:5 >R <R", "RSTR ShADRr"},
		{"RSTR", 0, 0, up + "<R", "RSTR ShAr"},
		{"RSTO", 0, 0, up + ">R", "RSTO ShAR"},
		{"RSTOS0", 0, 0, ">S >r", "RSTOS0 SR"},
		{"RSTOS0: only the originator's letters count", 0, 0, ">S <A/ack=7 >r", "RSTOS0 SaR"},
		{"no RSTOS0 after an ACK", 0, 0, ">S >A >r", "OTH SAR"},
		{"RSTRH", 80, 0, "<SA <R", "RSTRH ^hr"},
		{"SH", 0, 0, ">S >F", "SH SF"},
		{"SH midstream", 0, 0, ">A:5 >A >F", "SH DAF"},
		{"SHR", 80, 0, "<SA <A <A:5 <F", "SHR ^hadf"},
		{"OTH midstream", 0, 0, ">A:5 <A:5", "OTH Dd"},
		{"SF midstream", 0, 0, ">A:5 <A:5 >F <F", "SF DdFf"},
		{"OTH of nothing", 0, 0, ">_", "OTH "},
		{"SYN lost", 80, 0, "<SA >A >A:5", "S1 ^hAD"},
		{"SYN after its SYN,ACK, server known", 80, 0, "<SA/ack=1 >S/seq=0 >A", "OTH ^hSA"},
		{"SYN after its SYN,ACK", 0, 0, "<SA/ack=1 >S/seq=0 >A", "S1 Hs^A"},
		{"SYN of another number after a SYN,ACK", 0, 0, "<SA/ack=9 >S", "OTH H,S0 S"},
		{"crossed SYNs", 0, 0, ">S <S >SA/seq=0 <SA/seq=0", "S0 S,S1 Sh"},

		{"an early ACK leaves the responder inactive", 0, 0, ">S <A <SA >A", "S1 SahA"},
		{"early data does not", 0, 0, ">S <A:5", "OTH Sd"},
		{"SYN_SENT ignores data", 0, 0, ">S >A:5 >A:5", "S0 SD"},
		{"a lone partial becomes an attempt", 0, 0, ">A/seq=1 >S/seq=0", "S0 AS"},
		{"FIN, RST, FIN is orderly", 0, 0, up + ">F >R <F", "SF ShAFRf"},
		{"RST, FIN is not", 0, 0, up + ">R <F", "RSTO ShARf"},
		{"a SYN in a partial connection", 0, 0, ">A:5/seq=1 <A:5 >S/seq=0 <R", "RSTRH DdSr"},
		{"REJ: a FIN is no payload", 0, 0, up + ">F >R <R", "REJ ShAFRr"},
		{"FIN, FIN, RST is orderly", 0, 0, up + ">F <F >R", "SF ShAFfR"},
		{"FIN, RST of one side", 0, 0, up + ">F >R", "RSTO ShAFR"},
		{"reset is final", 0, 0, up + "<R <A:3 <F", "RSTR ShArdf"},
		{"a RST out of window counts", 0, 0, up + "<R/seq=99999", "RSTR ShAr"},

		{"once: a d", 0, 0, up + ">A >A >A:1 >A:1 <A <A", "S1 ShADa"},
		{"FIN+RST and SYN+FIN", 0, 0, ">fr >fr", "OTH I"},
		{"SYN+FIN closes", 0, 0, ">Sf >Sf/seq=0", "SH Q,SH Q"},
		{"SYN,ACK of another number again", 0, 0, ">S <SA <SA/seq=9", "S1 Sh"},
		{"F again with another number", 0, 0, up + ">F >F/seq=1 >F/seq=9", "S2 ShAFF"},
		{"F counts its payload", 0, 0, up + ">F:5 >F/seq=6", "S2 ShAF"},
		{"R again with another number", 0, 0, up + ">R >R/seq=1 >R/seq=5", "RSTO ShARR"},
		{"no d for payload on SYN, FIN, RST", 0, 0, ">S <SA:3 >A >F:9", "S2 ShtAF"},
		{"payload on a SYN is a retransmission", 0, 0, ">S:5 <SA", "S1 STh"},
		{"t at 1 and 10", 0, 0, up + ">A:5" + strings.Repeat(" >A:5/seq=1", 12), "S1 ShADTT"},
		{"keep-alive without payload is no t", 0, 0, up + ">A:5 >A/seq=5", "S1 ShAD"},
		{"w", 0, 0, up + "<A/win=0 <A/win=0", "S1 ShAaw"},
		{"no w on RST", 0, 0, up + "<R/win=0", "RSTR ShAr"},
		{"no w once the peer sent FIN", 0, 0, up + ">F <A/win=0", "S2 ShAFa"},
		{"w after the own FIN", 0, 0, up + ">F/win=0 >F/seq=1/win=0", "S2 ShAFW"},
		{"g", 0, 0, up + ">A:10/seq=11 <A", "S1 ShADaG"},
		{"no g where the hole was filled", 0, 0, up + ">A:10/seq=11 >A:10/seq=1 <A", "S1 ShADTa"},
		{"g for the first octet", 0, 0, up + ">A:1/seq=2 <A/ack=2", "S1 ShADaG"},
		{"no g midstream", 0, 0, ">A:10/seq=1 <A >A:10/seq=31 <A", "OTH Da"},
		{"c, and nothing else of that packet", 0, 0, ">S <SA >A:5/bad >A", "S1 ShCA"},
		{"a cut header only makes the record", 0, 0, ">S/cut", "OTH "},

		{"flip: the source is a server", 80, 0, "<A:5 >A", "OTH ^dA"},
		{"flip: both are, the lower one", 80, 443, "<A:5", "OTH ^d"},
		{"flip: both are, SYN,ACK", 80, 443, "<SA", "OTH H"},
		{"no flip with SYN", 80, 0, "<S", "S0 S"},
		{"no flip: both are, the higher one", 443, 80, "<A:5", "OTH D"},
		{"flip on the ACK after a SYN,ACK", 0, 0, "<SA >A", "OTH ^hA"},
		{"flip on the sender's own ACK", 0, 0, "<SA <A <F", "SHR ^haf"},
		{"flip on data", 0, 0, "<SA >A:5 <A >F <F", "SF ^hDaFf"},
		{"no flip on RST", 0, 0, "<SA <R", "OTH HR"},
		{"no flip on a segment without flags", 0, 0, "<SA >_ >A", "OTH ^hA"},

		{"unanswered SYN after 5 s", 0, 0, ">S +4s >S/seq=0 +2s >S/seq=0", "S0 S,S0 S"},
		{"unanswered SYN,ACK after 5 s", 0, 0, "<SA +6s <SA", "OTH H,OTH H"},
		{"5 s after both FINs, not renewed", 0, 0, up + ">F <F +3s >A +3s >A", "SF ShAFf,OTH A"},
		{"5 s after a RST", 80, 0, up + "<R +6s <R", "RSTR ShAr,RSTRH ^r"},
		{"the other side's RST renews", 0, 0, up + "<R +4s >R +4s >R", "REJ ShArR"},
		{"a FIN with a silent peer", 0, 0, ">S >F +5500ms <SA", "SH SF,OTH H"},
		{"FIN, then RST of the same side", 0, 0, up + ">F +1s >R +16s >R", "RSTO ShAFR,OTH R"},
		{"... looked at 6 s after the FIN", 0, 0, up + "+2s >F +10ms >R +7s >R", "RSTO ShAFR,OTH R"},
		{"... or 5, 11, 17 s after the start", 0, 0, up + ">F +1s >R +9500ms >R", "RSTO ShAFR"},
		{"half closed stays", 0, 0, up + ">F +200s <A:5 +200s <A:5", "S2 ShAFd"},
		{"5 min idle", 0, 0, up + "+299s >A +301s >A", "S1 ShA,OTH A"},
		{"1 h idle for ssh", 22, 0, up + "+3599s >A +3601s >A", "S1 ShA,OTH A"},
		{"a close waits for payload", 0, 0, up + ">F/seq=+10 +20s <F/ack=1 +20s <A:5/ack=1", "SF ShAFfd"},
		{"... and comes with its acknowledgement", 0, 0, up + ">F/seq=+10 +1s <F +6s >A", "SF ShAFfG,OTH A"},
		{"a close waits for the other's payload to be acknowledged", 0, 0, up + ">A:100 <f >F +6s >A", "SF ShADfF"},
		{"... but not if nobody acknowledges", 0, 0, up + strings.Repeat(">A:1400 ", 15) + "<f >F +6s >A", "SF ShADfF,OTH A"},
		{"SYN with another number", 0, 0, ">S >S/seq=7", "S0 S,S0 S"},
		{"SYN in a connection, same number", 0, 0, up + ">S/seq=0", "S1 ShA"},
		{"SYN after a close, same number", 0, 0, up + ">F <F >S/seq=0", "SF ShAFf,S0 S"},
		{"SYN after one FIN, same number", 0, 0, up + ">F >S/seq=0", "S2 ShAF,S0 S"},
		{"SYN,ACK does not start one", 0, 0, up + "<SA/seq=77", "S1 ShA"},
		{"SYN,ACK again after half a connection", 80, 0, "<SA <SA/seq=0", "OTH ^h"},
		{"SYN,ACK after half a connection", 80, 0, "<SA <SA/seq=7", "OTH ^h,OTH ^h"},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			port, client := test.port, test.client
			if port == 0 {
				port = 9000
			}
			if client == 0 {
				client = 40000
			}
			segs := zeekPlay(t, port, client, test.script)
			var got []string
			for _, r := range zeekRows(segs) {
				got = append(got, r.State+" "+r.History)
			}
			if s := strings.Join(got, ","); s != test.want {
				t.Errorf("%s\n got %s\nwant %s", test.script, s, test.want)
			}
			if len(got) != 1 {
				return
			}
			var z zeekConn
			for i := range segs {
				z.apply(&segs[i], nil)
			}
			if s := z.state(nil) + " " + z.hist(nil); s != test.want {
				t.Errorf("%s\n zeekConn %s\n     want %s", test.script, s, test.want)
			}
		})
	}
}

func TestZeekRowNumbers(t *testing.T) {
	segs := zeekPlay(t, 80, 40000, ">S <SA >A >A:10 <A <A:20 >A >A:30/seq=21 <A >F <F +2s >A")
	rows := zeekRows(segs)
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	got := *rows[0]
	want := ZeekRow{
		Start: segs[0].Time, End: segs[10].Time, // the ACK after both FINs does not prolong
		Orig: netip.MustParseAddrPort("10.0.0.1:40000"), Resp: netip.MustParseAddrPort("10.0.0.2:80"),
		OrigBytes: 50, RespBytes: 20, State: "SF", History: "ShADadGFf", MissedBytes: 10,
		OrigPkts: 7, OrigIPBytes: 7*40 + 40, RespPkts: 5, RespIPBytes: 5*40 + 20,
		VLAN: capture.NoVLAN, FirstFrame: 1,
	}
	if got != want {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

// TestZeekBytes: payload by sequence numbers, and what of it was not seen.
func TestZeekBytes(t *testing.T) {
	const up = ">S <SA >A "
	for _, test := range []struct {
		rule, script       string
		orig, resp, missed uint64
	}{
		{"sum", up + ">A:10 >A:10 <A:7 >F <F", 20, 7, 0},
		{"retransmissions once", up + ">A:10 >A:10/seq=1 <A", 10, 0, 0},
		{"known by acknowledgement only", up + "<A/ack=101", 100, 0, 100},
		{"two holes", up + ">A:10/seq=11 >A/seq=31 <A/ack=31", 30, 0, 20},
		{"a RST far off is not trusted", up + ">R/seq=+2000000", 0, 0, 0},
		{"a RST nearby is", up + ">R/seq=+2000", 2000, 0, 0},
		{"payload of a RST", up + ">R:50", 0, 0, 0},
		{"nothing after a RST", up + ">A:5 >R >A:50/seq=500", 5, 0, 0},
		{"acknowledgement of a RST", up + "<R/ack=500", 0, 0, 0},
		{"acknowledgement of 0", ">S <SA <A/ack=-1000", 0, 0, 0},
		{"a discovered half-open connection", ">S <A/ack=90 >r/seq=90", 0, 0, 0},
		{"only SYN and FIN seen", ">S >F/seq=3000000000", 2999999999, 0, 0},
		{"midstream", ">A:10 <A:5 >A:10 <A", 20, 5, 0},
	} {
		rows := zeekRows(zeekPlay(t, 9000, 40000, test.script))
		if r := rows[0]; len(rows) != 1 || r.OrigBytes != test.orig || r.RespBytes != test.resp || r.MissedBytes != test.missed {
			t.Errorf("%s: %s\n got %d, %d, missed %d in %d rows\nwant %d, %d, missed %d", test.rule, test.script,
				r.OrigBytes, r.RespBytes, r.MissedBytes, len(rows), test.orig, test.resp, test.missed)
		}
	}
}

// TestZeekOrder: rows come by the time of their removal, then by start.
func TestZeekOrder(t *testing.T) {
	var segs []capture.Segment
	for i := range uint16(4) {
		segs = append(segs, zeekPlay(t, 80, 40000+i, ">S")...)
	}
	segs = append(segs, zeekPlay(t, 80, 50000, ">S <R")...)
	for i := range segs {
		segs[i].Time = 1e18 + int64(i)*1e6
	}
	segs = append(segs, zeekPlay(t, 80, 60000, "+1h >S")...)
	var got []string
	for _, r := range zeekRows(segs) {
		got = append(got, fmt.Sprint(r.Orig.Port(), r.State))
	}
	if s := strings.Join(got, " "); s != "40000S0 40001S0 40002S0 40003S0 50000REJ 60000S0" {
		t.Error(s)
	}
}

// TestZeekBound: a full table gives up the record that would go first.
func TestZeekBound(t *testing.T) {
	var got []string
	k := NewZeek(func(r *ZeekRow) { got = append(got, fmt.Sprint(r.Orig.Port(), r.State)) })
	k.most = 2
	for i, script := range []string{">S <SA >A", ">S", ">S", ">S"} {
		k.Process(&capture.Batch{Segments: zeekPlay(t, 80, 40000+uint16(i), script)})
	}
	if s := strings.Join(got, " "); s != "40001S0 40002S0" || k.Evicted() != 2 {
		t.Errorf("%s, %d evicted", s, k.Evicted())
	}
	k.Finish()
	if s := strings.Join(got[2:], " "); s != "40000S1 40003S0" {
		t.Error(s)
	}
}

// TestZeekBigStream: sequence numbers that wrap still give payload sizes.
func TestZeekBigStream(t *testing.T) {
	segs := zeekPlay(t, 80, 40000, ">S <SA >A")
	seg, ack := segs[2], segs[1]
	ack.Flags, seg.Len = capture.ACK, 1<<20
	const total = 9 << 30
	for n := uint64(0); n < total; n += 1 << 20 {
		seg.Seq = uint32(1001 + n)
		ack.Ack, ack.Seq = seg.Seq+seg.Len, 5001
		segs = append(segs, seg, ack)
	}
	// A retransmission from before the wrap is none after it, and no gap.
	seg.Seq -= 1 << 30
	segs = append(segs, seg)
	rows := zeekRows(segs)
	if len(rows) != 1 || rows[0].OrigBytes != total || rows[0].MissedBytes != 0 || rows[0].History != "ShADaT" {
		t.Errorf("%d rows, first %+v", len(rows), rows[0])
	}
}

// TestZeekLongHistory: what does not fit inline goes to the spill and comes
// back whole; without a spill it ends.
func TestZeekLongHistory(t *testing.T) {
	script := ">S <SA >A >R"
	want := "ShAR"
	for i := range 40 {
		script += fmt.Sprintf(" >R/seq=%d", 100+i)
		want += "R"
	}
	segs := zeekPlay(t, 9000, 40000, script)
	var spill zeekSpill
	for range 2 { // the second time in the place that the first gave back
		var a, b zeekConn
		for i := range segs {
			a.apply(&segs[i], &spill)
			b.apply(&segs[i], nil)
		}
		if got := a.hist(&spill); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got := b.hist(nil); got != want[:zeekInline] {
			t.Errorf("without spill: %s", got)
		}
		a.release(&spill)
	}
	if len(spill.rows) != 1 {
		t.Errorf("%d rows in the spill", len(spill.rows))
	}
	if rows := zeekRows(segs); rows[0].History != want {
		t.Error(rows[0].History)
	}
}

func TestZeekSizes(t *testing.T) {
	for name, size := range map[string][2]uintptr{
		"StreamBase":   {unsafe.Sizeof(StreamBase{}), 12},
		"Completeness": {unsafe.Sizeof(Completeness{}), 2},
		"zeekConn":     {unsafe.Sizeof(zeekConn{}), 80},
	} {
		if size[0] > size[1] {
			t.Errorf("%s has %d octets, meant to have %d", name, size[0], size[1])
		}
	}
}

// FuzzZeek: no script breaks the machines, rows never overlap in one pair, and
// the small machine writes the same history as the large one wherever there is
// one row, but for gaps, of which it may miss some.
func FuzzZeek(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x12\x01\x00\x00\x10\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, _ := keyOf(netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("10.0.0.2:2"))
		var segs []capture.Segment
		now := int64(1e18)
		for ; len(data) >= 4; data = data[4:] {
			now += int64(data[1]>>4) * int64(data[1]>>4) * 1e8
			segs = append(segs, capture.Segment{Time: now, Frame: uint64(len(segs) + 1), Key: key, Side: data[1] & 1, Flags: data[0],
				Seq: 0xfffffff0 + uint32(data[2]&63), Ack: 0xfffffff0 + uint32(data[3]&63), Len: uint32(data[2] >> 6), Window: uint16(data[3] >> 6)})
		}
		rows := zeekRows(segs)
		var spill zeekSpill
		var z zeekConn
		for i := range segs {
			z.apply(&segs[i], &spill)
		}
		if len(rows) == 0 {
			return
		}
		end := int64(0)
		for _, r := range rows {
			if r.Start < end || r.End < r.Start {
				t.Fatalf("row from %d to %d after %d", r.Start, r.End, end)
			}
			end = r.End
		}
		if len(rows) > 1 {
			return
		}
		bare := strings.NewReplacer("g", "", "G", "")
		if small, large := z.hist(&spill), rows[0].History; bare.Replace(small) != bare.Replace(large) {
			t.Fatalf("history %s, in the row %s", small, large)
		} else if strings.Count(strings.ToLower(small), "g") > strings.Count(strings.ToLower(large), "g") {
			t.Fatalf("gaps of %s, in the row %s", small, large)
		}
	})
}

func BenchmarkZeekConn(b *testing.B) {
	segs := zeekPlay(&testing.T{}, 80, 40000, ">S <SA >A >A:100 <A"+strings.Repeat(" <A:1000 >A", 1000))
	var z zeekConn
	b.ReportAllocs()
	for i := range b.N {
		z.apply(&segs[i%len(segs)], nil)
	}
}
