package main

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// servers are so many connections of one client to as many servers' ports, refused if asked.
func servers(n int, refused bool) []byte {
	b := pcapHeader(0xa1b2c3d4, 65535, 101)
	for i := range n {
		p := packet4(6, header(5))
		p[17], p[18], p[19] = byte(i>>16), byte(i>>8), byte(i)
		sec := uint32(1_700_000_000 + i/1000)
		b = pcapRecord(b, sec, uint32(len(p)), uint32(len(p)), p)
		if !refused {
			continue
		}
		r := slices.Clone(p)
		copy(r[12:16], p[16:20])
		copy(r[16:20], p[12:16])
		tcp := r[20:]
		copy(tcp[0:2], p[22:24])
		copy(tcp[2:4], p[20:22])
		binary.BigEndian.PutUint32(tcp[4:], 0)
		binary.BigEndian.PutUint32(tcp[8:], 2)
		tcp[13] = 0x14 // RST, ACK
		b = pcapRecord(b, sec, uint32(len(r)), uint32(len(r)), r)
	}
	return b
}

// manySYNs is a pcap file of so many connections of which nothing but the SYN is there.
func manySYNs(n int) []byte {
	b := pcapHeader(0xa1b2c3d4, 65535, 101)
	for i := range n {
		p := packet4(6, header(5))
		p[13], p[14], p[15] = byte(i>>16), byte(i>>8), byte(i)
		b = pcapRecord(b, uint32(1_700_000_000+i/1000), uint32(len(p)), uint32(len(p)), p)
	}
	return b
}

// firstFragments are so many datagrams of which nothing but a beginning comes.
func firstFragments(n int) []byte {
	b := pcapHeader(0xa1b2c3d4, 65535, 101)
	for i := range n {
		p := packet4(6, append(header(5), make([]byte, 12)...))
		binary.BigEndian.PutUint16(p[4:], uint16(i))
		p[6] = 0x20 // more fragments
		b = pcapRecord(b, 1_700_000_000, uint32(len(p)), uint32(len(p)), p)
	}
	return b
}

// octets are a SYN and so many segments of one octet, of which each has the number that seq says.
func octets(n int, seq func(i int) uint32) []byte {
	frames := [][]byte{packet4(6, header(5))}
	for i := range n {
		h := append(header(5), 'x')
		binary.BigEndian.PutUint32(h[4:], seq(i))
		h[13] = 0x10 // ACK
		p := packet4(6, h)
		binary.BigEndian.PutUint16(p[4:], uint16(i)) // no copy of another
		frames = append(frames, p)
	}
	return framesOf(101, frames...)
}

// icmpErrors are a SYN and so many errors that quote it, each of another router.
func icmpErrors(n int) []byte {
	syn := packet4(6, header(5))
	frames := [][]byte{syn}
	for i := range n {
		e := append([]byte{3, 1, 0, 0, 0, 0, 0, 0}, syn[:28]...) // host unreachable
		binary.BigEndian.PutUint16(e[2:], checksum(e))
		p := packet4(1, e)
		copy(p[12:16], []byte{10, 9, 9, byte(i)})
		copy(p[16:20], syn[12:16])
		frames = append(frames, p)
	}
	return framesOf(101, frames...)
}

// tagged is a SYN behind so many VLAN tags, the innermost of number 7.
func tagged(n int) []byte {
	p := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	for i := range n {
		p = append(p, 0x81, 0, 0, byte(n-i+6))
	}
	return framesOf(1, append(append(p, 8, 0), packet4(6, header(5))...))
}

// Where a bound bites, the output says so in these words.
func TestBoundsAreSaid(t *testing.T) {
	leaking := func() []byte {
		b := output(t, exitOK, nil, "-w", "-", leak)
		return b
	}
	for _, x := range []struct {
		name string
		args []string
		file func() []byte
		exit int
		says string
	}{
		{"packets inside packets", []string{"-o", "json"}, func() []byte {
			return framesOf(101, nested(4000, packet4(6, header(5)), func(p []byte) []byte { return packet4(4, p) }))
		}, exitOK, `"tunnel-depth":1`},
		{"IPv6 headers", []string{"-o", "json"}, func() []byte {
			return framesOf(101, packet6(0, bytes.Repeat([]byte{60, 0, 1, 4, 0, 0, 0, 0}, 100)))
		}, exitOK, `"too-many-headers":1`},
		{"datagrams in fragments", []string{"-o", "json"}, func() []byte { return firstFragments(5000) }, exitOK, `"fragment-limit":904`},
		{"fragments that never end", []string{"-o", "json"}, func() []byte { return firstFragments(7) }, exitOK, `"fragment-incomplete":7`},
		{"interfaces", []string{"-o", "json"}, func() []byte {
			return sectionOf(func(w *ngWriter) {
				w.iface(1)
				one := slices.Clone(w.b[28:])
				w.b = append(w.b, bytes.Repeat(one, 70_000)...)
			})
		}, exitDamaged, "too-many-interfaces"},
		{"records", []string{"-o", "json"}, func() []byte { return pcapRecord(pcapHeader(0xa1b2c3d4, 65535, 1), 0, 1<<30, 66, nil) }, exitDamaged, "record-too-large"},
		{"blocks", []string{"-o", "json"}, func() []byte {
			return sectionOf(func(w *ngWriter) { w.b = append(w.b, rawBlock(99, 1<<30, 0, nil)...) })
		}, exitDamaged, "bad-block-length"},
		{"connections", []string{"--max-connections", "10"}, leaking, exitOK, "evicted: "},
		{"memory", []string{"--max-memory", "32MiB", "--workers", "1", "-o", "json", "--show", "summary"}, func() []byte { return manySYNs(1_000_000) }, exitOK, `"evicted":[1-9]`},
		{"holes", []string{"-o", "json", "--show", "summary"}, func() []byte { return octets(5, func(i int) uint32 { return uint32(i+1) * 100 }) }, exitOK, `"joined":2,`},
		{"holes, for people", nil, func() []byte { return octets(5, func(i int) uint32 { return uint32(i+1) * 100 }) }, exitOK, "hidden: 2 holes"},
		{"segments of one connection", []string{"-o", "json", "--show", "summary"}, func() []byte { return octets(300, func(int) uint32 { return 2 }) }, exitOK, `"untold":[1-9]`},
		{"segments of one connection, for people", nil, func() []byte { return octets(300, func(int) uint32 { return 2 }) }, exitOK, "not kept: [1-9][0-9]* segments"},
		{"segments of one connection that is evidence", []string{"-o", "json", "--show", "findings"}, func() []byte { return octets(300, func(int) uint32 { return 2 }) }, exitOK,
			`"untold":[1-9]`},
		{"ICMP errors of one connection", []string{"-o", "json", "--show", "summary"}, func() []byte { return icmpErrors(11) }, exitOK, `"untold":3\b`},
		{"zstd window", []string{"-o", "json"}, func() []byte {
			// One raw block of one octet, in a frame that wants 256 MiB (RFC 8878 section 3.1.1.1.2).
			return []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 18 << 3, 9, 0, 0, 0xd4}
		}, exitDamaged, "zstd data: damaged|damaged-compression"},
		{"VLAN tags", []string{"-o", "json", "--show", "summary", "--vlan", "7"}, func() []byte { return tagged(12) }, exitOK, `"connections":1\b`},
		{"VLAN tags that do not count", []string{"-o", "json", "--show", "summary", "--vlan", "8"}, func() []byte { return tagged(12) }, exitOK,
			`"connections":0\b`},
		{"rows", []string{"--show", "connections", "--limit", "3"}, leaking, exitOK, " more"},
		{"evidence", []string{"--show", "findings"}, leaking, exitOK, " more"},
		{"servers that findings are judged by", []string{"-o", "json", "--show", "findings"}, func() []byte { return servers(33_000, true) }, exitOK,
			"32768 servers' ports are as many as findings are judged by: 232 connections were to others."},
		{"services", []string{"-o", "json", "--show", "services"}, func() []byte { return servers(66_000, true) }, exitOK, `"others"`},
	} {
		var stdout, stderr bytes.Buffer
		code := run(append(slices.Clone(x.args), "-"), bytes.NewReader(x.file()), &stdout, &stderr)
		said := strings.Join(strings.Fields(stdout.String()+stderr.String()), " ")
		if code != x.exit || !regexp.MustCompile(strings.TrimSpace(x.says)).MatchString(said) {
			t.Errorf("%s: exit status %d, and no %q:\n%.3000s", x.name, code, x.says, said)
		}
	}
}
