package tracker_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tcpstate/report"
	"tcpstate/tracker"
)

const ms = time.Millisecond

// outcome is what is said of how a life ended.
type outcome struct {
	close    tracker.CloseKind
	by       tracker.Who
	reset    tracker.ResetClass
	timeWait tracker.Who
	half     time.Duration // between the first FIN and what came after
	rtt      time.Duration // of the handshake; -1 unknown
	roles    tracker.RoleReason
	mid      bool
}

func outcomeOf(l *tracker.Life) outcome {
	return outcome{l.Close, l.ClosedBy, l.ResetAs, l.TimeWaitBy, time.Duration(l.HalfClosedFor), time.Duration(l.HandshakeRTT), l.Roles, l.Midstream}
}

// usual is the time of the handshake with which most ladders begin: from the
// SYN to the ACK that completes it.
const usual = 20*ms + 100*time.Microsecond

// How the connections of the ladders ended, by the definitions of close.kind
// and close.reset. A file with several lives lists them in the order of their numbers.
func TestOutcomes(t *testing.T) {
	const (
		client, server, both, nobody = tracker.ByClient, tracker.ByServer, tracker.ByBoth, tracker.Nobody
		syn, synAck, port            = tracker.RoleSyn, tracker.RoleSynAck, tracker.RolePort
		none                         = tracker.NoReset
		us                           = time.Microsecond
		second                       = time.Second
		unknown                      = time.Duration(-1)
	)
	for _, tt := range []struct {
		ladder string
		want   []outcome
	}{
		{"close_client_first", []outcome{{tracker.Graceful, client, none, client, 30 * ms, usual, syn, false}}},
		{"close_server_first", []outcome{{tracker.Graceful, server, none, server, 500 * ms, usual, syn, false}}},
		{"close_three_segments", []outcome{{tracker.Graceful, client, none, client, 20 * ms, usual, syn, false}}},
		{"close_simultaneous", []outcome{{tracker.Graceful, both, none, both, 5 * ms, usual, syn, false}}},
		{"numbers_wrap", []outcome{{tracker.Graceful, client, none, client, 20 * ms, usual, syn, false}}},
		{"half_close", []outcome{{tracker.Graceful, client, none, client, 2 * second, usual, syn, false}}},
		{"self_connect", []outcome{{tracker.Graceful, client, none, client, 10 * us, 20 * us, syn, false}}},
		{"time_wait_restarted", []outcome{{tracker.Graceful, client, none, client, 20 * ms, usual, syn, false}}},

		// One FIN and nothing more: the peer never closed.
		{"half_close_by_server", []outcome{{tracker.HalfClosed, server, none, nobody, 1020 * ms, usual, syn, false}}},
		{"half_close_for_long", []outcome{{tracker.HalfClosed, client, none, nobody, 89999*second + 100*us, usual, syn, false}}},
		{"close_wait_leak", []outcome{{tracker.Reset, server, tracker.ResetLateData, nobody, 99*second + 20*ms, usual, syn, false}}},
		{"late_data_to_orphan", []outcome{{tracker.Reset, server, tracker.ResetLateData, nobody, 1020 * ms, usual, syn, false}}},

		// RSTs. Who sent it closed the connection.
		{"abort", []outcome{{tracker.Reset, client, tracker.ResetAbort, nobody, 0, usual, syn, false}}},
		{"abort_unread_data", []outcome{{tracker.Reset, server, tracker.ResetUnreadData, nobody, 0, usual, syn, false}}},
		{"abort_crossed_by_fin", []outcome{{tracker.Reset, server, tracker.ResetAbort, nobody, 5 * ms, usual, syn, false}}},
		{"reboot", []outcome{{tracker.Reset, server, tracker.ResetNoConnection, nobody, 0, usual, syn, false}}},
		{"reboot_unproven", []outcome{{tracker.Reset, server, tracker.ResetNoConnection, nobody, 0, usual, syn, false}}},
		{"reset_after_accept", []outcome{{tracker.Reset, server, tracker.ResetAfterAccept, nobody, 0, usual, syn, false}}},
		{"abort_on_overflow", []outcome{{tracker.Reset, server, tracker.ResetAfterAccept, nobody, 0, usual, syn, false}}},
		{"reset_idle", []outcome{{tracker.Reset, server, tracker.ResetIdleTimeout, nobody, 0, usual, syn, false}}},
		{"keepalive_dead", []outcome{{tracker.TimedOut, client, tracker.ResetAbort, nobody, 0, usual, syn, false}}},
		{"rst_bare", []outcome{{tracker.Reset, client, tracker.ResetAbort, nobody, 0, usual, syn, false}}},

		// RSTs that ended nothing.
		{"rst_forged", []outcome{{tracker.Open, nobody, none, nobody, 0, usual, syn, false}}},
		{"rst_inexact", []outcome{{tracker.Open, nobody, tracker.ResetInexact, nobody, 0, usual, syn, false}}},
		{"rst_out_of_window", []outcome{{tracker.Open, nobody, tracker.ResetOutOfWindow, nobody, 0, usual, syn, false}}},

		// Handshakes that came to nothing.
		{"refused", []outcome{{tracker.Refused, server, tracker.ResetRefused, nobody, 0, unknown, syn, false}}},
		{"refused_and_retried", []outcome{{tracker.Refused, server, tracker.ResetRefused, nobody, 0, unknown, syn, false}}},
		{"refused_then_accepted", []outcome{
			{tracker.Refused, server, tracker.ResetRefused, nobody, 0, unknown, syn, false},
			{tracker.Open, nobody, none, nobody, 0, usual, syn, false}}},
		{"syn_blackhole", []outcome{{tracker.Unanswered, nobody, none, nobody, 0, unknown, syn, false}}},
		{"syn_flood", []outcome{{tracker.AbortedHandshake, nobody, none, nobody, 0, unknown, syn, false}}},
		{"syn_cookie", []outcome{{tracker.AbortedHandshake, nobody, none, nobody, 0, unknown, syn, false}}},
		{"syn_scan", []outcome{{tracker.AbortedHandshake, client, tracker.ResetAbandoned, nobody, 0, unknown, syn, false}}},

		// Other beginnings.
		{"simultaneous_open", []outcome{{tracker.Open, nobody, none, nobody, 0, 20*ms + 200*us, syn, false}}}, // of the later SYN
		{"syn_ack_lost", []outcome{{tracker.Open, nobody, none, nobody, 0, usual, syn, false}}},               // from the SYN's last copy
		{"syn_missed", []outcome{{tracker.Open, nobody, none, nobody, 0, unknown, synAck, false}}},
		{"fast_open", []outcome{{tracker.Open, nobody, none, nobody, 0, 21*ms + 100*us, syn, false}}},
		{"mid_stream", []outcome{{tracker.Graceful, client, none, client, 1 * second, unknown, port, true}}},
		{"mid_stream_reset", []outcome{{tracker.Reset, server, tracker.ResetNoConnection, nobody, 0, unknown, port, true}}},
		{"odd_flags", []outcome{ // to Wireshark, SYN,FIN begins another stream
			{tracker.Open, nobody, none, nobody, 0, unknown, port, false},
			{tracker.Open, nobody, none, nobody, 0, unknown, port, false}}},

		// Several lives of one 4-tuple.
		{"time_wait_reuse", []outcome{
			{tracker.Graceful, server, none, server, 100 * us, usual, syn, false},
			{tracker.Open, nobody, none, nobody, 0, usual, syn, false}}},
		{"incarnation", []outcome{
			{tracker.Graceful, server, none, server, 100 * us, usual, syn, false},
			{tracker.Open, nobody, none, nobody, 0, usual, syn, false}}},
		{"reboot_and_redial", []outcome{
			{tracker.Open, nobody, none, nobody, 0, usual, syn, false},
			{tracker.Open, nobody, tracker.ResetStaleSyn, nobody, 0, usual, syn, false}}},
		{"syn_ack_stray", []outcome{{tracker.Open, nobody, tracker.ResetStaleSyn, nobody, 0, usual, syn, false}}},
	} {
		t.Run(tt.ladder, func(t *testing.T) {
			f := readLadder(t, tt.ladder)
			var got []outcome
			for _, l := range f.lives() {
				got = append(got, outcomeOf(&l))
			}
			if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(outcome{})); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// What is counted of one life, and how it stands among others of its 4-tuple.
func TestCounters(t *testing.T) {
	life := func(name string) tracker.Life {
		f := readLadder(t, name)
		lives := f.lives()
		return lives[len(lives)-1]
	}
	check := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, not %v", what, got, want)
		}
	}
	l := life("close_client_first")
	check("segments of the client", l.Ends[0].Packets, uint64(6))
	check("segments of the server", l.Ends[1].Packets, uint64(4))
	check("octets of the client", l.Ends[0].Bytes, uint64(100))
	check("octets of the server", l.Ends[1].Bytes, uint64(200))
	check("MSS", l.Ends[0].MSS, uint16(1460))
	check("window scale that was not offered", l.Ends[0].WScale, int8(-1))
	check("address", l.Ends[0].Addr, netip.MustParseAddrPort("10.0.0.1:40022"))
	check("frame of the first FIN", l.CloseAt, uint64(7))
	check("first frame", l.FirstFrame, uint64(1))
	check("last frame", l.LastFrame, uint64(10))
	check("TIME-WAIT begins with the last FIN", time.Duration(l.TimeWaitSince-capturedAt), 1030*ms)
	check("and lasts", time.Duration(l.TimeWaitUntil-l.TimeWaitSince), time.Minute)
	check("ended", l.Ended, true)

	l = life("time_wait_restarted")
	check("TIME-WAIT begins again with a repeated FIN", time.Duration(l.TimeWaitSince-capturedAt), 1250*ms)
	l = life("time_wait_assassination")
	check("a RST ends TIME-WAIT", time.Duration(l.TimeWaitUntil-capturedAt), 3020*ms)

	l = life("fin_copied")
	check("copies are no retransmissions", l.Ends[0].Retransmissions, uint32(0))
	l = life("fin_lost")
	check("a FIN repeated", l.Ends[0].Retransmissions, uint32(1))
	l = life("fin_before_data")
	check("out of order", l.Ends[0].OutOfOrder, uint32(1))
	l = life("keepalive_answered")
	check("keepalives", l.Ends[0].Keepalives, uint32(2))
	l = life("zero_window")
	check("the server closed its window", l.Ends[1].ZeroWindows, uint32(1))

	l = life("syn_blackhole")
	check("repeated SYNs", l.SynRetransmits, uint32(3))
	l = life("syn_flood")
	check("repeated SYN,ACKs", l.SynAckRetransmits, uint32(3))

	l = life("stale_syn")
	check("a stale SYN takes a number", l.ID, uint64(1))
	check("of a life that goes on", l.Continues, int64(0))
	check("with its roles", l.Client, uint8(0))
	l = life("incarnation")
	check("the same ISN keeps the number", l.ID, uint64(0))
	check("and is another incarnation", l.Incarnation, uint32(1))
	check("that continues nothing", l.Continues, int64(-1))
}

// What is counted over the whole capture.
func TestTotals(t *testing.T) {
	for _, tt := range []struct {
		ladder string
		reset  tracker.ResetClass
		n      uint64
	}{
		{"refused", tracker.ResetRefused, 1},
		{"syn_scan", tracker.ResetAbandoned, 1},
		{"syn_ack_stray", tracker.ResetStaleSyn, 1},
		{"reboot_and_redial", tracker.ResetStaleSyn, 1},
		{"reset_after_accept", tracker.ResetAfterAccept, 1},
		{"abort_unread_data", tracker.ResetUnreadData, 1},
		{"abort", tracker.ResetAbort, 1},
		{"reset_idle", tracker.ResetIdleTimeout, 1},
		{"reboot", tracker.ResetNoConnection, 1},
		{"late_data_to_orphan", tracker.ResetLateData, 1},
		{"reset_after_close", tracker.ResetAfterClose, 1},
		{"rst_inexact", tracker.ResetInexact, 1},
		{"rst_out_of_window", tracker.ResetOutOfWindow, 2},
		{"lone_rst", tracker.ResetStray, 1},
	} {
		if got := totals(t, tt.ladder); got.Resets[tt.reset] != tt.n {
			t.Errorf("%s: %d RSTs are %v, not %d: %v", tt.ladder, got.Resets[tt.reset], tt.reset, tt.n, got.Resets)
		}
	}
	if n := totals(t, "fin_copied").Copies; n != 6 {
		t.Errorf("%d copies, not 6", n)
	}
	if got := totals(t, "odd_flags"); got.Odd != 5 || got.Resets != [tracker.NumResetClasses]uint64{} {
		t.Errorf("%d segments with odd flags, not 5, and RSTs %v", got.Odd, got.Resets)
	}
	got := totals(t, "time_wait_reuse")
	if got.Streams != 2 || got.Lives != 2 {
		t.Errorf("%d streams and %d lives, not 2 and 2", got.Streams, got.Lives)
	}
}

func totals(t *testing.T, ladder string) tracker.Totals {
	f := readLadder(t, ladder)
	tr := tracker.New(f.config(), tracker.Observer{})
	for _, b := range f.batches() {
		tr.Process(b)
	}
	return tr.Totals()
}

// inline is a capture written in a test: ladders, mostly with * for the states.
func inline(t testing.TB, text string) ladderFile {
	t.Helper()
	ladders, err := report.ParseLadders(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return ladderFile{t.Name(), []byte(text), ladders}
}

// Who is the client, and how it is known (states.md, derived).
func TestRoles(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		client     string
		why        tracker.RoleReason
	}{
		{"the SYN tells, whatever the ports", `
			stream 0 10.0.0.2:80 → 10.0.0.1:40022
			0 * -- SYN 0 -> *`, "10.0.0.2:80", tracker.RoleSyn},
		{"of two crossing SYNs the first", `
			stream 0 10.0.0.1:5000 → 10.0.0.2:6000
			0     * -- SYN 0 -> *
			0.001 * <- SYN 0 -- *`, "10.0.0.1:5000", tracker.RoleSyn},
		{"the receiver of a SYN,ACK", `
			stream 0 10.0.0.1:80 → 10.0.0.2:40022
			0 * <- SYN,ACK 0 ack 1 -- *`, "10.0.0.1:80", tracker.RoleSynAck},
		{"a SYN after its SYN,ACK tells better", `
			stream 0 10.0.0.1:80 → 10.0.0.2:40022
			0     * <- SYN,ACK 0 ack 1 -- *
			0.001 * -- SYN 0 -> *`, "10.0.0.1:80", tracker.RoleSyn},
		{"a well-known port is the server's", `
			stream 0 10.0.0.1:1500 → 10.0.0.2:443
			0 * <- PSH,ACK 1:2(1) ack 1 -- *`, "10.0.0.1:1500", tracker.RolePort},
		{"else the higher port is the client's", `
			stream 0 10.0.0.1:40022 → 10.0.0.2:8080
			0 * <- PSH,ACK 1:2(1) ack 1 -- *`, "10.0.0.1:40022", tracker.RoleGuess},
		{"else the sender is the client", `
			stream 0 10.0.0.1:8080 → 10.0.0.2:8080
			0 * <- PSH,ACK 1:2(1) ack 1 -- *`, "10.0.0.2:8080", tracker.RoleGuess},
		{"both ports well known: the higher one is the client's", `
			stream 0 10.0.0.1:1023 → 10.0.0.2:513
			0 * <- PSH,ACK 1:2(1) ack 1 -- *`, "10.0.0.1:1023", tracker.RoleGuess},
		{"a port that answered before is the server's, though it is the higher one", `
			stream 0 10.0.0.3:5000 → 10.0.0.2:50000
			0     * -- SYN 0 -> *
			0.020 * <- SYN,ACK 0 ack 1 -- *
			stream 1 10.0.0.1:4000 → 10.0.0.2:50000
			0.100 * -- PSH,ACK 1:2(1) ack 1 -> *`, "10.0.0.1:4000", tracker.RolePort},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := inline(t, tt.text)
			lives := f.lives()
			l := lives[len(lives)-1]
			if got := l.Ends[0].Addr.String(); got != tt.client || l.Roles != tt.why {
				t.Errorf("client is %s (%v), not %s (%v)", got, l.Roles, tt.client, tt.why)
			}
			if l.Key.End(l.Client) != l.Ends[0].Addr || l.Key.End(l.Client^1) != l.Ends[1].Addr {
				t.Errorf("side %d of %v and the ends %v, %v do not agree", l.Client, l.Key, l.Ends[0].Addr, l.Ends[1].Addr)
			}
		})
	}
}

// What was not selected, is damaged, or is only quoted by an ICMP error is no
// segment: it uses up numbers at most, and nobody's state moves.
func TestSegmentsThatAreNone(t *testing.T) {
	for _, mark := range []string{"unselected", "badsum", "quoted", "quoted short"} {
		t.Run(mark, func(t *testing.T) {
			f := inline(t, `
				stream 0 10.0.0.1:40022 → 10.0.0.2:80
				0      SYN-SENT     -- SYN 0 ->           LISTEN?
				0.020  ESTABLISHED? <- SYN,ACK 0 ack 1 -- SYN-RECEIVED?
				0.0201 ESTABLISHED  -- ACK 1 ack 1 ->     ESTABLISHED?
				1      *            -- RST,ACK 1 ack 1 `+mark+` -> *
				2      ESTABLISHED  -- PSH,ACK 1:2(1) ack 1 -> ESTABLISHED?`)
			got := f.replay()[ladderKey(f.ladders[0])].steps
			if len(got) != 4 {
				t.Fatalf("%d steps, not 4", len(got))
			}
			end := tracker.EndState{State: tracker.Established, Certainty: tracker.Confirmed}
			if s := got[3].After[0]; s != end {
				t.Errorf("the client is in %v %v", s.Certainty, s.State)
			}
			// A connection of nothing else has no life, but it has a number.
			f = inline(t, `
				stream 0 10.0.0.1:40022 → 10.0.0.2:80
				0 * -- SYN 0 `+mark+` -> *
				stream 1 10.0.0.3:40022 → 10.0.0.2:80
				1 * -- SYN 0 -> *`)
			lives := f.lives()
			if len(lives) != 1 {
				t.Fatalf("%d lives, not 1", len(lives))
			}
			id := uint64(1)
			if mark == "quoted short" {
				id = 0 // too little of a header for a number (RFC 792)
			}
			if lives[0].ID != id {
				t.Errorf("its number is %d, not %d", lives[0].ID, id)
			}
		})
	}
}
