package main

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// floodOver writes a pcap file of so many SYNs that nobody answers, 100 000 a second, and of a
// connection that is opened, used and closed after every so many of them.
func floodOver(t *testing.T, file string, syns, every int) (good int) {
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := pcapHeader(0xa1b2c3d4, 65535, 101)
	p := packet4(6, header(5))
	add := func(i, client int, server byte, port uint16, up bool, seq, ack uint32, flags byte) {
		src, dst := p[12:16], p[16:20]
		a, z := uint16(1024+client%60000), port
		if !up {
			src, dst, a, z = dst, src, z, a
		}
		src[0], src[1], src[2], src[3] = 11, byte(client>>16), byte(client>>8), byte(client)
		dst[0], dst[1], dst[2], dst[3] = 10, 0, 0, server
		tcp := p[20:]
		binary.BigEndian.PutUint16(tcp, a)
		binary.BigEndian.PutUint16(tcp[2:], z)
		binary.BigEndian.PutUint32(tcp[4:], seq)
		binary.BigEndian.PutUint32(tcp[8:], ack)
		tcp[13] = flags
		at := len(b)
		b = pcapRecord(b, uint32(1_700_000_000+i/100_000), uint32(len(p)), uint32(len(p)), p)
		binary.LittleEndian.PutUint32(b[at+4:], uint32(i%100_000*10))
	}
	for i := range syns {
		if len(b) > 1<<16 {
			if _, err := f.Write(b); err != nil {
				t.Fatal(err)
			}
			b = b[:0]
		}
		add(i, i, 1, 80, true, uint32(i), 0, 0x02)
		if i%every == 0 {
			good++
			add(i, i, 2, 443, true, 7, 0, 0x02)
			add(i, i, 2, 443, false, 70, 8, 0x12)
			add(i, i, 2, 443, true, 8, 71, 0x10)
			add(i, i, 2, 443, true, 8, 71, 0x11)
			add(i, i, 2, 443, false, 71, 9, 0x11)
			add(i, i, 2, 443, true, 9, 72, 0x10)
		}
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	return good
}

// Under --max-memory the process as a whole stays within it, as the kernel counts that, and
// a flood of SYNs costs the connections beside it nothing.
func TestFloodStaysWithinTheBound(t *testing.T) {
	if raced {
		t.Skip("the race detector needs memory of its own")
	}
	if !inOwnProcess(t) { // what a process runs begins with the most that it had itself
		return
	}
	exe := program(t, "tcpstate")
	const syns, bound = 3_000_000, 192
	file := filepath.Join(t.TempDir(), "flood.pcap")
	good := floodOver(t, file, syns, 1000)
	for _, workers := range []string{"1", "2", "3"} {
		c := exec.Command(exe, "--max-memory", "192MiB", "--workers", workers, "-o", "json", "--show", "summary", file)
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		var r struct {
			Summary struct {
				Connections, Evicted int
				Close                map[string]int
			}
		}
		if err := json.Unmarshal(out, &r); err != nil {
			t.Fatal(err)
		}
		s := &r.Summary
		if s.Connections != syns+good || s.Close["unanswered"] != syns || s.Close["graceful"] != good {
			t.Errorf("%s workers: %d connections, closed %v; there are %d, and %d of them were answered", workers, s.Connections, s.Close, syns+good, good)
		}
		if s.Evicted == 0 {
			t.Errorf("%s workers: nothing gave way: nothing was tried", workers)
		}
		if most := c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss; most > bound<<10 {
			t.Errorf("%s workers: %d KiB were resident, of %d MiB", workers, most, bound)
		} else {
			t.Logf("%s workers: %d KiB were resident, of %d MiB; %d gave way", workers, most, bound, s.Evicted)
		}
	}
}
