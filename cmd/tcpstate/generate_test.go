package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"compress/gzip"
	"github.com/google/gopacket/layers"
	"github.com/klauspost/compress/zstd"
)

const (
	pcaps   = "../../testdata/pcaps"
	damaged = "../../testdata/damaged" // what the program reports as damaged
)

const (
	alice, bob   = "10.0.0.1:40000", "10.0.0.2:80"
	alice6, bob6 = "[2001:db8::1]:40000", "[2001:db8::2]:80"
)

var isns = [2]uint32{1_000_000, 2_000_000}

// ordinary is a connection that its client closes first.
const ordinary = `
0     > S  0
0.1   < SA 0   1
0.2   > A  1   1
1     > PA 1   1   len=100
1.1   < A  1   101
2     < PA 1   101 len=300
2.1   > A  101 301
3     > FA 101 301
3.1   < A  301 102
4     < FA 301 102
4.1   > A  102 302
`

func plain() []crafted { return talk(alice, bob, isns, ordinary) }

// dressed is the ordinary connection in a coat, in a pcap file.
func dressed(link layers.LinkType, c coat) func() []byte {
	return func() []byte { return pcapFile(link, wear(c, plain())) }
}

// spoken is a conversation of alice and bob on Ethernet.
func spoken(text string) func() []byte {
	return func() []byte {
		return pcapFile(layers.LinkTypeEthernet, wear(inEthernet, talk(alice, bob, isns, text)))
	}
}

// longDownload is a connection on which the client sends 3 GB, of which one segment in
// 200 MB was captured: its numbers come to lie where they look older than its SYN.
func longDownload() string {
	var b strings.Builder
	b.WriteString("0 > S 0\n0.1 < SA 0 1\n0.2 > A 1 1\n")
	const step = 200_000_000
	at, seq := 1, 1
	for range 15 {
		fmt.Fprintf(&b, "%d > PA %d 1 len=100\n%d.1 < A 1 %d\n", at, seq, at, seq+100)
		at, seq = at+1, seq+step
	}
	seq -= step - 100
	fmt.Fprintf(&b, "%d > FA %d 1\n%d.1 < A 1 %d\n%d.2 < FA 1 %d\n%d.3 > A %d 2\n", at, seq, at, seq+1, at, seq+1, at, seq+1)
	return b.String()
}

// A recipe makes one capture of testdata/pcaps or testdata/damaged.
type recipe struct {
	file string
	make func() []byte
	// want is what the program says of the capture, a line for each
	// connection: number, kind of close, who closed, and the states of client
	// and server.
	want string
	exit int
	says string // part of standard error
}

// dir is where the capture lies: all of testdata/pcaps can be read whole.
func (r *recipe) dir() string {
	if r.exit == exitDamaged {
		return damaged
	}
	return pcaps
}

const asOrdinary = "0 graceful client TIME-WAIT CLOSED?"

var recipes = []recipe{
	// The same connection in other files and on other links.
	{file: "ordinary.pcap", make: dressed(layers.LinkTypeEthernet, inEthernet), want: asOrdinary},
	{file: "ordinary.pcap.gz", make: func() []byte { return gzipped(dressed(layers.LinkTypeEthernet, inEthernet)()) }, want: asOrdinary},
	{file: "ordinary.pcap.zst", make: func() []byte { return zstded(dressed(layers.LinkTypeEthernet, inEthernet)()) }, want: asOrdinary},
	{file: "nanoseconds-big-endian.pcap", make: func() []byte { return bigEndianNanos(1, wear(inEthernet, plain())) }, want: asOrdinary},
	{file: "pcapng-sections.pcapng", make: sections, want: asOrdinary, says: "the capture lost 2 frames, and its interface 3"},
	{file: "vlan.pcap", make: dressed(layers.LinkTypeEthernet, inVLAN), want: asOrdinary},
	{file: "qinq.pcap", make: dressed(layers.LinkTypeEthernet, inQinQ), want: asOrdinary},
	{file: "pppoe.pcap", make: dressed(layers.LinkTypeEthernet, inPPPoE), want: asOrdinary},
	{file: "mpls.pcap", make: dressed(layers.LinkTypeEthernet, inMPLS), want: asOrdinary},
	{file: "gre.pcap", make: dressed(layers.LinkTypeEthernet, inGRE), want: asOrdinary},
	{file: "vxlan.pcap", make: dressed(layers.LinkTypeEthernet, inVXLAN), want: asOrdinary},
	{file: "cooked-v1.pcap", make: dressed(layers.LinkTypeLinuxSLL, inCooked), want: asOrdinary},
	{file: "null-loopback.pcap", make: dressed(layers.LinkTypeNull, inNull), want: asOrdinary},
	{file: "openbsd-loopback.pcap", make: dressed(layers.LinkTypeLoop, inLoop), want: asOrdinary},
	{file: "infiniband.pcap", make: dressed(linkIPoIB, inIPoIB), want: asOrdinary},
	{file: "raw-ip.pcap", make: func() []byte { return pcapFile(layers.LinkTypeRaw, plain()) }, want: asOrdinary},
	{file: "ipv6-extension-headers.pcap", make: func() []byte {
		return pcapFile(layers.LinkTypeEthernet, wear(inEthernet, wear(extended, talk(alice6, bob6, isns, ordinary))))
	}, want: asOrdinary},
	{file: "ipv4-fragments.pcap", make: func() []byte {
		return pcapFile(layers.LinkTypeEthernet, wear(inEthernet, fragments(plain())))
	}, want: asOrdinary},
	{file: "ipv6-fragments.pcap", make: func() []byte {
		return pcapFile(layers.LinkTypeEthernet, wear(inEthernet, fragments(talk(alice6, bob6, isns, ordinary))))
	}, want: asOrdinary},
	{file: "mirror-port.pcap", make: func() []byte {
		return pcapFile(layers.LinkTypeEthernet, wear(inEthernet, mirrored(plain())))
	}, want: asOrdinary},
	{file: "sequence-wrap.pcap", make: func() []byte {
		return pcapFile(layers.LinkTypeEthernet, wear(inEthernet, talk(alice, bob, [2]uint32{1<<32 - 50, 1<<32 - 1}, ordinary)))
	}, want: asOrdinary},

	{file: "long-download.pcap", make: func() []byte { return spoken(longDownload())() }, want: asOrdinary},

	// Situations that the kernel's captures do not have.
	{file: "deferred-accept.pcap", make: spoken(`
0       > S  0
0.1     < SA 0  1
0.2     > A  1  1
1000.3  < SA 0  1
1000.4  > A  1  1
2500    > PA 1  1  len=50
2500.1  < A  1  51
2501    < PA 1  51 len=20
2501.1  > A  51 21
2502    > FA 51 21
2502.1  < FA 21 52
2502.2  > A  52 22
`), want: "0 graceful client TIME-WAIT CLOSED?"},
	{file: "stale-syn-challenged.pcap", make: spoken(`
0     > S  0
0.1   < SA 0   1
0.2   > A  1   1
1     > PA 1   1   len=100
1.1   < A  1   101
50    > S  -700000
50.1  < A  1   101
80    > PA 101 1   len=100
80.1  < A  1   201
90    > FA 201 1
90.1  < FA 1   202
90.2  > A  202 2
`), want: "0 open  ESTABLISHED ESTABLISHED\n1 graceful client TIME-WAIT CLOSED?"},
	{file: "client-rebooted.pcap", make: spoken(`
0       > S  0
0.1     < SA 0   1
0.2     > A  1   1
1       > PA 1   1 len=100
1.1     < A  1   101
9000    > S  0   isn=700000000
9000.1  < A  1   -698999899
9000.2  > R  -698999899
10000   > S  0
10000.1 < SA 0   1 isn=900000000
10000.2 > A  1   1
10001   > PA 1   1 len=10
10001.1 < A  1   11
`), want: "0 open  ESTABLISHED ESTABLISHED\n1 open  ESTABLISHED ESTABLISHED"},
	{file: "same-isn-reuse.pcap", make: spoken(`
0      > S  0
0.1    < SA 0   1
0.2    > A  1   1
1      > PA 1   1  len=10
1.1    < A  1   11
2      > RA 11  1
5000   > S  0
5000.1 < SA 0   1  isn=2500000
5000.2 > A  1   1
5001   > FA 1   1
5001.1 < FA 1   2
5001.2 > A  2   2
`), want: "0 reset client CLOSED CLOSED?\n0.1 graceful client TIME-WAIT CLOSED?"},
	{file: "forged-resets.pcap", make: spoken(`
0     > S  0
0.1   < SA 0   1
0.2   > A  1   1
1     > PA 1   1   len=100
1.1   < A  1   101
20    > R  9000
20.1  < A  1   101
40    > R  900000
60    > PA 101 1   len=10
60.1  < A  1   111
90    > FA 111 1
90.1  < FA 1   112
90.2  > A  112 2
`), want: "0 graceful client TIME-WAIT CLOSED?"},
	{file: "fin-lost-on-path.pcap", make: spoken(`
0     > S  0
0.1   < SA 0   1
0.2   > A  1   1
1     > PA 1   1   len=100
1.1   < A  1   101
2     < PA 1   101 len=300
2.1   > A  101 301
60    < FA 301 101
60.1  > A  102 302
260   > FA 101 302
260.1 < A  302 102
`), want: "0 graceful server TIME-WAIT? TIME-WAIT"},
	{file: "fin-before-data.pcap", make: spoken(`
0      > S  0
0.1    < SA 0   1
0.2    > A  1   1
1      > PA 1   1   len=100
1.1    < A  1   101
2      > FPA 201 1  len=100
2.1    < A  1   101
210    > PA 101 1   len=100
210.1  < A  1   302
211    < FA 1   302
211.1  > A  302 2
`), want: "0 graceful client TIME-WAIT CLOSED?"},
	{file: "fin-repeated.pcap", make: spoken(`
0      > S  0
0.1    < SA 0   1
0.2    > A  1   1
1      > PA 1   1   len=100
1.1    < A  1   101
2      > FA 101 1
203    > FA 101 1
610    > FA 101 1
610.1  < A  1   102
700    < FA 1   102
700.1  > A  102 2
`), want: "0 graceful client TIME-WAIT CLOSED?"},
	{file: "late-data-after-close.pcap", make: spoken(`
0      > S  0
0.1    < SA 0   1
0.2    > A  1   1
1      > FA 1   1
1.1    < A  1   2
500    < PA 1   2   len=100
500.1  > R  2
`), want: "0 reset client CLOSED CLOSED?"},
	{file: "ecn-setup.pcap", make: spoken(`
0     > SEC 0
0.1   < SAE 0  1
0.2   > A   1  1
1     > PAC 1  1  len=10
1.1   < A   1  11
`), want: "0 open  ESTABLISHED ESTABLISHED"},
	{file: "icmp-unreachable.pcap", make: func() []byte {
		lost := talk(alice, bob, isns, "0 > S 0\n1000 > S 0")
		unseen := talk("10.0.0.1:40001", bob, isns, "500 > S 0")
		frames := merge(lost, []crafted{unreachable(lost[0], time.Millisecond, 8), unreachable(unseen[0], time.Millisecond, 20), unreachable(lost[1], time.Millisecond, 40)})
		after := talk("10.0.0.1:40002", bob, isns, "2000 > S 0\n2000.1 < RA 0 1 isn=0")
		return pcapFile(layers.LinkTypeEthernet, wear(inEthernet, merge(frames, after)))
	}, want: "0 unanswered  CLOSED? CLOSED?\n2 refused server CLOSED? CLOSED?"},
	{file: "icmpv6-unreachable.pcap", make: func() []byte {
		lost := talk(alice6, bob6, isns, "0 > S 0\n1000 > S 0")
		return pcapFile(layers.LinkTypeEthernet, wear(inEthernet, merge(lost, []crafted{unreachable(lost[0], time.Millisecond, 40)})))
	}, want: "0 unanswered  SYN-SENT CLOSED?"},
	{file: "only-syn-fin-rst.pcap", make: func() []byte {
		var all [][]crafted
		for i := range 25 {
			text := ordinary
			if i%5 == 4 {
				text = "0 > S 0\n0.1 < SA 0 1\n0.2 > A 1 1\n1 > PA 1 1 len=10\n1.1 < A 1 11\n2 > RA 11 1"
			}
			t := talk(fmt.Sprintf("10.0.0.1:%d", 40000+i), bob, isns, text)
			for j := range t {
				t[j].at += int64(i) * int64(100*time.Millisecond)
			}
			all = append(all, only(0x07, t))
		}
		return pcapFile(layers.LinkTypeEthernet, wear(inEthernet, merge(all...)))
	}, want: twentyFive()},
	{file: "no-tcp.pcap", make: func() []byte {
		arp := append(slices.Concat([]byte{255, 255, 255, 255, 255, 255}, macs[0], []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1}), make([]byte, 20)...)
		return pcapFile(layers.LinkTypeEthernet, []crafted{{epoch, arp, false}})
	}, says: "no TCP segment among the frames (1)"},
	{file: "empty.pcap", make: func() []byte { return pcapFile(layers.LinkTypeEthernet, nil) }},

	// Damaged files, and files made to hurt.
	{file: "cut-short.pcap", make: func() []byte {
		b := dressed(layers.LinkTypeEthernet, inEthernet)()
		return b[:len(b)-30]
	}, want: "0 graceful client TIME-WAIT? LAST-ACK", exit: exitDamaged, says: "cut short"},
	{file: "hostile-resolution.pcapng", make: func() []byte {
		w := &ngWriter{order: binary.LittleEndian}
		w.section()
		w.iface(1, ngOption{9, []byte{0xc0}}) // 2^-64 s
		for i, f := range wear(inEthernet, plain()) {
			w.packet(0, uint64(i)<<60, f.data)
		}
		return w.b
	}, want: asOrdinary},
	{file: "hostile-block-length.pcapng", make: func() []byte {
		w := &ngWriter{order: binary.LittleEndian}
		w.section()
		w.iface(1)
		for _, f := range wear(inEthernet, plain()[:3]) {
			w.packet(0, uint64(f.at/1000), f.data)
		}
		w.b = append(w.b, w.u32s(6, 1<<31, 0, 0)...)
		return w.b
	}, want: "0 open  ESTABLISHED ESTABLISHED?", exit: exitDamaged, says: "byte "},
	{file: "hostile-snap-length-zero.pcap", make: func() []byte {
		b := dressed(layers.LinkTypeEthernet, inEthernet)()
		copy(b[16:20], []byte{0, 0, 0, 0})
		return b
	}, want: asOrdinary},
	{file: "hostile-record-beyond-file.pcap", make: func() []byte { return claiming(100_000) }, want: "0 open  ESTABLISHED ESTABLISHED?", exit: exitDamaged, says: "cut short"},
	{file: "hostile-record-length.pcap", make: func() []byte { return claiming(0xfffffff0) }, want: "0 open  ESTABLISHED ESTABLISHED?", exit: exitDamaged, says: "byte "},
}

// claiming is three packets and the header of a record of n octets.
func claiming(n uint32) []byte {
	le := binary.LittleEndian
	b := pcapFile(layers.LinkTypeEthernet, wear(inEthernet, plain()[:3]))
	b = le.AppendUint32(le.AppendUint32(b, epoch/1e9), 900)
	b = le.AppendUint32(le.AppendUint32(b, n), n)
	return append(b, "a few octets only"...)
}

// sections is the ordinary connection in two sections of different byte
// order. The first has two interfaces with different links and resolutions,
// and blocks that nobody knows; the second counts time from an offset.
func sections() []byte {
	frames := plain()
	w := &ngWriter{order: binary.LittleEndian}
	w.section()
	w.iface(uint16(layers.LinkTypeEthernet))
	w.iface(uint16(layers.LinkTypeRaw), ngOption{2, []byte("tun0")}, ngOption{9, []byte{9}})
	w.block(0x0fff, []byte("nobody knows this block"))
	for i, f := range frames[:6] {
		if i%2 == 0 {
			w.packet(0, uint64(f.at/1000), inEthernet(f.data, f.back))
		} else {
			w.packet(1, uint64(f.at), f.data, ngOption{1, []byte("a comment")})
		}
	}
	w.stats(0, uint64(frames[5].at/1000), ngOption{4, w.u64(9)}, ngOption{5, w.u64(3)}, ngOption{7, w.u64(2)})

	big := &ngWriter{order: binary.BigEndian}
	big.section()
	big.iface(uint16(layers.LinkTypeEthernet), ngOption{9, []byte{0x80 | 20}}, ngOption{14, big.u64(epoch / 1e9)})
	big.block(0x80000001, nil)
	for _, f := range frames[6:] {
		big.packet(0, uint64(f.at-epoch)<<20/1e9, inEthernet(f.data, f.back))
	}
	return append(w.b, big.b...)
}

// twentyFive connections lost their plain ACKs and data to a filter. That the
// fifth of each five was established is told by the number of its RST, which
// lies beyond all that remains.
func twentyFive() string {
	var lines []string
	for i := range 25 {
		what := "graceful client TIME-WAIT? LAST-ACK"
		if i%5 == 4 {
			what = "reset client CLOSED? CLOSED?"
		}
		lines = append(lines, fmt.Sprint(i, " ", what))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestMadeCaptures keeps the captures that are made by code as the recipes
// make them; with -update it writes them.
func TestMadeCaptures(t *testing.T) {
	for _, r := range recipes {
		t.Run(r.file, func(t *testing.T) {
			name := filepath.Join(r.dir(), r.file)
			b := r.make()
			if *update {
				if err := os.WriteFile(name, b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			have, err := os.ReadFile(name)
			if err != nil {
				t.Fatalf("%v (go test ./cmd/tcpstate -run TestMadeCaptures -update makes it)", err)
			}
			// Compression may differ from one version of its library to the next.
			if !bytes.Equal(expand(t, r.file, have), expand(t, r.file, b)) {
				t.Error("the file is not what its recipe makes; -update rewrites it")
			}
			var stdout, stderr bytes.Buffer
			if code := run([]string{"-o", "ndjson", "--show", "connections", name}, nil, &stdout, &stderr); code != r.exit {
				t.Errorf("exit status %d, not %d", code, r.exit)
			}
			if r.says == "" && stderr.Len() > 0 || !strings.Contains(stderr.String(), r.says) {
				t.Errorf("standard error %q lacks %q", &stderr, r.says)
			}
			if n := strings.Count(stderr.String(), "\n"); n > 1 {
				t.Errorf("%d lines on standard error: %s", n, &stderr)
			}
			if got, want := outline(t, stdout.Bytes()), strings.TrimSpace(r.want); got != want {
				t.Errorf("the program says\n%s\nnot\n%s", got, want)
			}
		})
	}
}

// expand undoes the compression that a file's name tells.
func expand(t *testing.T, file string, b []byte) []byte {
	t.Helper()
	switch filepath.Ext(file) {
	case ".gz":
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		b, err = io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
	case ".zst":
		r, err := zstd.NewReader(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if b, err = r.DecodeAll(b, nil); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// outline puts the connections of an NDJSON report in the shape of recipe.want.
func outline(t *testing.T, report []byte) string {
	t.Helper()
	type end struct{ State, Certainty string }
	mark := func(e end) string {
		switch e.Certainty {
		case "presumed":
			return e.State + "?"
		case "elapsed":
			return e.State + "~"
		}
		return e.State
	}
	var out []string
	for line := range bytes.Lines(report) {
		var c struct {
			Type           string
			ID             uint64
			Incarnation    int
			Client, Server end
			Close          struct{ Kind, By string }
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if c.Type != "connection" {
			continue
		}
		id := fmt.Sprint(c.ID)
		if c.Incarnation > 0 {
			id += fmt.Sprintf(".%d", c.Incarnation)
		}
		out = append(out, strings.Join([]string{id, c.Close.Kind, c.Close.By, mark(c.Client), mark(c.Server)}, " "))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}
