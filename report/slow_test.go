package report

import (
	"bytes"
	"encoding/csv"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// The records of millions of connections are written straight from their lives.
// Here they are written slowly, from the fields of Record by name and with the
// standard library's forms of times and numbers; both must be the same octets.

// slowJSON is AppendConnection.
func slowJSON(l *tracker.Life, findings []string) string {
	var r Record
	r.Fill(l)
	r.Findings = findings
	b := []byte(`{"type":"connection","schema":"` + Schema + `",`)
	return string(append(r.appendFields(b), '}'))
}

// slowCSV is appendCSVConnection.
func slowCSV(l *tracker.Life, findings []string) string {
	var r Record
	r.Fill(l)
	r.Findings = findings
	v := reflect.ValueOf(&r).Elem()
	var cells []string
	walkFields(v.Type(), "", func(_ string, path []int, _ reflect.Type) {
		cells = append(cells, string(appendCell(nil, v.FieldByIndex(path))))
	})
	return csvLine(cells)
}

func csvLine(cells []string) string {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Write(cells)
	w.Flush()
	return out.String()
}

// anyLife is a life with values of every kind, the edges of each among them.
func anyLife(rng *rand.Rand) tracker.Life {
	pick := func(all ...int64) int64 { return all[rng.IntN(len(all))] }
	count := func() uint32 { return uint32(pick(0, 0, 1, 9, 10, 99, 100, rng.Int64N(1<<32))) }
	moment := func() int64 {
		return pick(0, -1, 1, 999_999_999, -1_000_000_000, playStart, playStart+rng.Int64N(1e18), rng.Int64(), -rng.Int64(), math.MinInt64, math.MaxInt64,
			time.Date(2000+rng.IntN(200), time.Month(1+rng.IntN(12)), 1+rng.IntN(31), 23, 59, 59, 999999999, time.UTC).UnixNano())
	}
	span := func() int64 {
		return pick(0, 1, 10, 999_999_999, 1e9, 1e9+1, 1_500_000_000, rng.Int64N(1e6), rng.Int64N(1e12), rng.Int64N(exactSpan), exactSpan-1, exactSpan,
			exactSpan+rng.Int64N(1e18))
	}
	l := tracker.Life{
		ID: uint64(pick(0, 7, rng.Int64N(1<<40))), Incarnation: count(), Continues: pick(-1, 0, rng.Int64N(1<<40)),
		Roles: tracker.RoleReason(rng.IntN(4)), Start: moment(), FirstFrame: uint64(rng.Int64N(1 << 40)), LastFrame: uint64(rng.Int64N(1 << 40)),
		VLAN: uint16(pick(0, 1, 4095, 4096, int64(capture.NoVLAN))), Close: tracker.CloseKind(rng.IntN(int(tracker.NumCloseKinds))),
		ClosedBy: tracker.Who(rng.IntN(4)), CloseAt: uint64(pick(0, 1, rng.Int64N(1<<40))), ResetAs: tracker.ResetClass(rng.IntN(int(tracker.NumResetClasses))),
		Midstream: rng.IntN(2) == 0, HandshakeRTT: pick(-1, span()), SynRetransmits: count(), SynAckRetransmits: count(),
		TimeWaitBy: tracker.Who(rng.IntN(4)), TimeWaitSince: moment(), TimeWaitUntil: moment(), HalfClosedFor: pick(-1, span()),
		ZeekState: []string{"SF", "OTH", "RSTOS0"}[rng.IntN(3)], ZeekHistory: []string{"", "^ShADadFf", "S"}[rng.IntN(3)], Completeness: uint8(rng.IntN(256)),
	}
	l.End = l.Start + span() // it may wrap: time runs back then
	for i := range l.Ends {
		var ip [16]byte
		for j := range ip {
			ip[j] = byte(pick(0, 0, 1, 255, rng.Int64N(256)))
		}
		a := netip.AddrFrom16(ip)
		switch rng.IntN(3) {
		case 0:
			a = netip.AddrFrom4([4]byte(ip[:4]))
		case 1:
			a = netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff, 12: ip[0], 15: ip[1]}) // an IPv4 address in IPv6
		}
		l.Ends[i] = tracker.End{Addr: netip.AddrPortFrom(a, uint16(pick(0, 80, 65535))), State: tracker.State(rng.IntN(int(tracker.NumStates))),
			Certainty: tracker.Certainty(rng.IntN(3)), Packets: uint64(count()), Bytes: uint64(pick(0, 1, rng.Int64N(1<<45))), Retransmissions: count(),
			OutOfOrder: count(), Keepalives: count(), ZeroWindows: count(), MSS: uint16(pick(0, 536, 1460, 65535)), WScale: int8(pick(-1, 0, 14)), TTL: uint8(pick(0, 64, 255))}
	}
	return l
}

func TestRecordsAreWrittenAsTheSlowWayDoes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20000 {
		l := anyLife(rng)
		findings := [][]string{nil, {"refused"}, {"slow-connect", "refused"}}[rng.IntN(3)]
		if got, want := string(AppendConnection(nil, &l, findings)), slowJSON(&l, findings); got != want {
			t.Fatalf("JSON of %+v\n%s\nnot\n%s", l, got, want)
		}
		if got, want := string(appendCSVConnection(nil, &l, findings)), slowCSV(&l, findings); got != want {
			t.Fatalf("CSV of %+v\n%s\nnot\n%s", l, got, want)
		}
	}
}

// Every day that 64 bits of nanoseconds reach has the date that package time
// gives it.
func TestInstants(t *testing.T) {
	const day = 24 * 3600 * int64(1e9)
	check := func(ns int64) {
		if got, want := string(appendInstant(nil, ns)), time.Unix(0, ns).UTC().Format(rfc3339nano); got != want {
			t.Fatalf("%d: %s, not %s", ns, got, want)
		}
	}
	for ns := math.MinInt64 + day; ns < math.MaxInt64-day; ns += day {
		check(ns)
		check(ns - ns%day - 1)
		check(ns - ns%day)
	}
	check(math.MinInt64)
	check(math.MaxInt64)
}

func TestSpans(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	check := func(ns int64) {
		if got, want := string(appendSpan(nil, ns)), string(appendSeconds(nil, seconds(ns))); got != want {
			t.Fatalf("%d ns: %s, not %s", ns, got, want)
		}
	}
	for i := range 200000 {
		check(rng.Int64N(1 << (1 + i%62)))
		check(exactSpan - 1 - rng.Int64N(1e12))
	}
	for _, ns := range []int64{0, 1, 5, 1e9, exactSpan - 1, exactSpan, exactSpan + 1, math.MaxInt64, -1, -1e9, math.MinInt64} {
		check(ns)
	}
}

func TestCSVTransitionsAreWrittenAsTheSlowWayDoes(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 2000 {
		x := tracker.Transition{Time: rng.Int64() - rng.Int64(), Frame: uint64(rng.IntN(1000)), ID: uint64(rng.IntN(1000)), Side: uint8(rng.IntN(2)), Client: rng.IntN(2) == 0,
			From: tracker.State(rng.IntN(int(tracker.NumStates))), To: tracker.State(rng.IntN(int(tracker.NumStates))),
			Certainty: tracker.Certainty(rng.IntN(4)), Rule: tracker.Rule(1 + rng.IntN(int(tracker.NumRules)-1))}
		x.Key.Lo, x.Key.Hi[15], x.Key.LoPort, x.Key.V6 = [16]byte{10, 0, 0, 1}, 1, uint16(rng.IntN(65536)), rng.IntN(2) == 0
		want := csvLine([]string{
			string(appendEpoch(nil, x.Time)), strconv.FormatUint(x.Frame, 10), strconv.FormatUint(x.ID, 10), role(x.Client),
			x.Key.End(x.Side).String(), x.Key.End(x.Side ^ 1).String(), x.From.String(), x.To.String(), x.Certainty.String(), x.Rule.Name(),
		})
		if got := string(appendCSVTransition(nil, &x)); got != want {
			t.Fatalf("%q, not %q", got, want)
		}
	}
}

// appendCell appends a field of a record. None holds a character that CSV
// would have to quote: they are numbers, times, addresses and this program's
// own words.
func appendCell(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.String:
		return append(b, v.String()...)
	case reflect.Int:
		return strconv.AppendInt(b, v.Int(), 10)
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case reflect.Float64:
		return append(b, csvSeconds(v.Float())...)
	}
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		if x.IsZero() {
			return b
		}
		return x.UTC().AppendFormat(b, rfc3339nano)
	case *[]string:
		return append(b, strings.Join(*x, " ")...)
	}
	return b
}

func (r *Record) appendFields(b []byte) []byte {
	b = append(b, `"id":`...)
	b = strconv.AppendInt(b, int64(r.ID), 10)
	b = append(b, `,"incarnation":`...)
	b = strconv.AppendInt(b, int64(r.Incarnation), 10)
	b = append(b, `,"continues":`...)
	b = appendNumber(b, r.Continues)
	b = append(b, `,"start":`...)
	b = appendTime(b, r.Start)
	b = append(b, `,"end":`...)
	b = appendTime(b, r.End)
	b = append(b, `,"duration":`...)
	b = appendSeconds(b, r.Duration)
	b = append(b, `,"first_frame":`...)
	b = strconv.AppendInt(b, int64(r.FirstFrame), 10)
	b = append(b, `,"last_frame":`...)
	b = strconv.AppendInt(b, int64(r.LastFrame), 10)
	b = append(b, `,"vlan":`...)
	b = appendNumber(b, r.VLAN)
	b = append(b, `,"client":`...)
	b = r.Client.appendJSON(b)
	b = append(b, `,"server":`...)
	b = r.Server.appendJSON(b)
	b = append(b, `,"roles":`...)
	b = appendPlain(b, r.Roles)
	b = append(b, `,"close":{"kind":`...)
	b = appendPlain(b, r.Close.Kind)
	b = append(b, `,"by":`...)
	b = appendWord(b, r.Close.By)
	b = append(b, `,"frame":`...)
	b = appendNumber(b, r.Close.Frame)
	b = append(b, `,"reset":`...)
	b = appendWord(b, r.Close.Reset)
	b = append(b, `},"midstream":`...)
	b = strconv.AppendBool(b, r.Midstream)
	b = append(b, `,"handshake":{"rtt":`...)
	b = appendSeconds(b, r.Handshake.RTT)
	b = append(b, `,"syn_retransmissions":`...)
	b = strconv.AppendInt(b, int64(r.Handshake.SynRetransmissions), 10)
	b = append(b, `,"syn_ack_retransmissions":`...)
	b = strconv.AppendInt(b, int64(r.Handshake.SynAckRetransmissions), 10)
	b = append(b, `},"time_wait":`...)
	b = r.TimeWait.appendJSON(b)
	b = append(b, `,"half_closed_for":`...)
	b = appendSeconds(b, r.HalfClosedFor)
	b = append(b, `,"zeek":{"conn_state":`...)
	b = appendString(b, r.Zeek.ConnState)
	b = append(b, `,"history":`...)
	b = appendString(b, r.Zeek.History)
	b = append(b, `},"completeness":`...)
	b = strconv.AppendInt(b, int64(r.Completeness), 10)
	b = append(b, `,"findings":[`...)
	for i, f := range r.Findings {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendPlain(b, f)
	}
	return append(b, ']')
}

func (r *EndRecord) appendJSON(b []byte) []byte {
	b = append(b, `{"addr":`...)
	b = appendString(b, r.Addr) // an IPv6 zone could hold anything
	b = append(b, `,"port":`...)
	b = strconv.AppendInt(b, int64(r.Port), 10)
	b = append(b, `,"state":`...)
	b = appendPlain(b, r.State)
	b = append(b, `,"certainty":`...)
	b = appendPlain(b, r.Certainty)
	b = append(b, `,"packets":`...)
	b = strconv.AppendInt(b, int64(r.Packets), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, int64(r.Bytes), 10)
	b = append(b, `,"mss":`...)
	b = appendNumber(b, r.MSS)
	b = append(b, `,"wscale":`...)
	b = appendNumber(b, r.WScale)
	b = append(b, `,"retransmissions":`...)
	b = strconv.AppendInt(b, int64(r.Retransmissions), 10)
	b = append(b, `,"out_of_order":`...)
	b = strconv.AppendInt(b, int64(r.OutOfOrder), 10)
	b = append(b, `,"keepalives":`...)
	b = strconv.AppendInt(b, int64(r.Keepalives), 10)
	b = append(b, `,"zero_windows":`...)
	b = strconv.AppendInt(b, int64(r.ZeroWindows), 10)
	b = append(b, `,"ttl":`...)
	b = appendNumber(b, r.TTL)
	return append(b, '}')
}

func (r *TimeWaitRecord) appendJSON(b []byte) []byte {
	if r.Endpoint == "" {
		return append(b, "null"...)
	}
	b = append(b, `{"endpoint":`...)
	b = appendPlain(b, r.Endpoint)
	b = append(b, `,"since":`...)
	b = appendTime(b, r.Since)
	b = append(b, `,"until":`...)
	b = appendTime(b, r.Until)
	return append(b, '}')
}

// appendNumber appends a whole number that may be absent.
func appendNumber(b []byte, f float64) []byte {
	if math.IsNaN(f) {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, int64(f), 10)
}
