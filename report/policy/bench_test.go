package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// fifty is a policy of fifty assertions of the shapes that people write.
func fifty() string {
	var b strings.Builder
	b.WriteString("version: 1\nfail_on: never\nassert:\n")
	n := 0
	each := func(where, expect string) {
		n++
		fmt.Fprintf(&b, "  - name: each %d\n    each: connections\n", n)
		if where != "" {
			fmt.Fprintf(&b, "    where: '%s'\n", where)
		}
		fmt.Fprintf(&b, "    expect: '%s'\n    at_least: 0\n", expect)
	}
	whole := func(expect string) {
		n++
		fmt.Fprintf(&b, "  - name: whole %d\n    expect: '%s'\n", n, expect)
	}
	for i, port := range []int{80, 443, 8080, 5432, 6379, 9092, 3306, 22, 25, 11211} {
		each(fmt.Sprintf("server.port == %d", port), `close.kind == "graceful"`)
		if i < 8 {
			each(fmt.Sprintf("server.port == %d && not midstream", port), `close.kind in ["graceful", "open", "half-closed"]`)
		}
		if i < 6 {
			each(fmt.Sprintf(`server.port == %d and close.by == "server"`, port), "duration < 60 or half_closed_for > 1")
			whole(fmt.Sprintf("quantile(0.99, map(filter(connections, .server.port == %d), .handshake.rtt)) < 0.05", port))
			whole(fmt.Sprintf(`count(connections, .server.port == %d and .close.kind == "reset") < 100000`, port))
		}
	}
	each("", `client.state != "CLOSE-WAIT" and server.state != "CLOSE-WAIT"`)
	each("", "handshake.syn_retransmissions == 0 && handshake.syn_ack_retransmissions == 0")
	each("close.reset != nil", `close.reset in ["abort", "idle-timeout"]`)
	each(`client.addr startsWith "10."`, "client.retransmissions + server.retransmissions < 5")
	each("client.bytes > 1000", "server.bytes > 0")
	each("", `zeek.conn_state != "S0"`)
	whole("quantile(0.5, map(connections, .duration)) < 100")
	whole("max(map(connections, .client.retransmissions)) < 10")
	whole(`len(filter(connections, .close.kind == "refused")) == 0`)
	whole("mean(map(connections, .server.bytes)) > 0")
	whole("all(connections, .client.port > 0)")
	whole(`none(connections, .close.kind == "timed-out")`)
	whole("sum(map(connections, .client.bytes)) > 0")
	whole("capture.quality.dropped == 0")
	return b.String()
}

// BenchmarkFifty is what a policy of fifty assertions costs for each connection, beside
// what its analysis costs (tracker and report/detect have benchmarks of that).
func BenchmarkFifty(b *testing.B) {
	p, err := Parse("fifty.yaml", []byte(fifty()))
	if err != nil {
		b.Fatal(err)
	}
	lives := make([]tracker.Life, 1000)
	for i := range lives {
		l := &lives[i]
		*l = tracker.Life{ID: uint64(i), Continues: -1, VLAN: capture.NoVLAN, Start: int64(i) * 1e6, End: int64(i)*1e6 + 5e7, HandshakeRTT: int64(i) * 1000,
			ZeekState: "SF", ZeekHistory: "ShADadFf"}
		l.Ends[0].Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), uint16(1024+i))
		l.Ends[1].Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), []uint16{80, 443, 8080, 5432}[i%4])
	}
	b.ReportAllocs()
	r := p.NewRun(&Terms{}, 1)
	var c report.Conn
	for i := 0; b.Loop(); i++ {
		c.Life = &lives[i%len(lives)]
		r.Connection(&c)
	}
	if _, err := r.End(&report.Final{Capture: &report.Capture{}, Summary: &report.Summary{}, Findings: []detect.Finding{}}); err != nil {
		b.Fatal(err)
	}
}
