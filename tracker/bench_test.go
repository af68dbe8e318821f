package tracker

import (
	"slices"
	"testing"
	"unsafe"

	"tcpstate/capture"
)

// How large the things are of which there is one per connection. They grow by
// decision only: a million connections take a million times as much.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		name       string
		size, want uintptr
	}{
		{"Conn", unsafe.Sizeof(Conn{}), 736}, {"entry", unsafe.Sizeof(entry{}), entryOctets},
		{"residue", unsafe.Sizeof(residue{}), residueOctets}, {"stub", unsafe.Sizeof(stub{}), stubOctets},
		{"embryo", unsafe.Sizeof(embryo{}), embryoOctets}, {"addrs", unsafe.Sizeof(addrs{}), addrsOctets},
		{"chunk", unsafe.Sizeof(chunk{}), chunkOctets}, {"bucket", unsafe.Sizeof(bucket{}), bucketOctets}, {"agenda", unsafe.Sizeof(agenda{}), agendaOctets}, {"litter", unsafe.Sizeof(litter{}), litterOctets},
		{"notebook", unsafe.Sizeof(notebook{}), notebookOctets}, {"dossier", unsafe.Sizeof(dossier{}), dossierOctets},
		{"alarm", unsafe.Sizeof(alarm{}), alarmOctets}, {"age", unsafe.Sizeof(age(0)), ageOctets}, {"rare", unsafe.Sizeof([2]rare{}), rareOctets}, {"leaf", unsafe.Sizeof(leaf{}), leafOctets},
		{"sketch", unsafe.Sizeof(sketch{}), sketchOctets}, {"strokes", unsafe.Sizeof(strokes{}), strokesOctets},
	} {
		if c.size != c.want {
			t.Errorf("%s has %d octets, not %d", c.name, c.size, c.want)
		}
	}
}

// talk is what n connections say, a round at a time so that they interleave:
// a handshake, requests with answers, a close that the client begins.
func talk(n, requests int) []capture.Segment {
	type part struct {
		side  uint8
		flags uint8
		len   uint32
	}
	parts := []part{{0, capture.SYN, 0}, {1, capture.SYN | capture.ACK, 0}, {0, capture.ACK, 0}}
	for range requests {
		parts = append(parts, part{0, capture.PSH | capture.ACK, 200}, part{1, capture.ACK, 0},
			part{1, capture.PSH | capture.ACK, 1400}, part{0, capture.ACK, 0})
	}
	parts = append(parts, part{0, capture.FIN | capture.ACK, 0}, part{1, capture.FIN | capture.ACK, 0}, part{0, capture.ACK, 0})
	next := make([][2]uint32, n)
	segs := make([]capture.Segment, 0, n*len(parts))
	now := int64(1e18)
	for _, p := range parts {
		for i := range n {
			now += 1000
			k := capture.Key{Lo: [16]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}, Hi: [16]byte{11, 0, 0, 1}, LoPort: 40000, HiPort: 443}
			s := capture.Segment{Time: now, Frame: uint64(len(segs) + 1), Key: k, Side: p.side, Hash: k.Hash(), Flags: p.flags,
				Seq: next[i][p.side], Ack: next[i][p.side^1], Len: p.len, Window: 502, TTL: 64, VLAN: capture.NoVLAN, WScale: capture.NoWScale}
			next[i][p.side] += s.SeqLen()
			segs = append(segs, s)
		}
	}
	return segs
}

func batches(segs []capture.Segment) []*capture.Batch {
	var all []*capture.Batch
	for b := range slices.Chunk(segs, capture.BatchSize) {
		all = append(all, &capture.Batch{Segments: b})
	}
	return all
}

// Connections that go on cost no memory: nobody's garbage collector has work
// while segments pass.
func TestProcessAllocates(t *testing.T) {
	const conns, requests = 50, 200
	segs := talk(conns, requests)
	tr := New(DefaultConfig(), Observer{})
	warm := len(segs) / 4
	tr.Process(&capture.Batch{Segments: segs[:warm]})
	rest := segs[warm : len(segs)-3*conns] // up to the FINs
	const runs = 20
	n := len(rest) / (runs + 1)
	at := 0
	if got := testing.AllocsPerRun(runs, func() {
		tr.Process(&capture.Batch{Segments: rest[at : at+n]})
		at += n
	}); got != 0 {
		t.Errorf("%v allocations for %d segments", got, n)
	}
}

// BenchmarkApply is one connection by itself, with a Step made for each segment.
func BenchmarkApply(b *testing.B) {
	segs := talk(1, 1000)
	b.ReportAllocs()
	for i := 0; i < b.N; {
		var c Conn
		for j := range segs {
			c.Apply(&segs[j])
			i++
		}
	}
}

// BenchmarkApplyBare is the inference alone: nobody asks what happened.
func BenchmarkApplyBare(b *testing.B) {
	segs := talk(1, 1000)
	cfg := DefaultConfig()
	b.ReportAllocs()
	for i := 0; i < b.N; {
		c := Conn{Key: segs[0].Key}
		k := sink{cfg: &cfg}
		for j := range segs {
			c.apply(&k, &segs[j])
			i++
		}
	}
}

// BenchmarkLookup finds connections in tables that fit the caches and ones
// that do not, in an order that prefetching cannot guess.
func BenchmarkLookup(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"1k", 1 << 10}, {"64k", 1 << 16}, {"512k", 1 << 19}} {
		b.Run(size.name, func(b *testing.B) {
			var tab table
			keys := make([]capture.Key, size.n)
			hashes := make([]uint32, size.n)
			for i := range keys {
				j := i * 7919 % size.n // a stride that meets every one
				keys[j] = capture.Key{Lo: [16]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}, Hi: [16]byte{11}, LoPort: 40000, HiPort: 443}
				hashes[j] = keys[j].Hash()
				tab.add(&keys[j], hashes[j])
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if tab.find(&keys[i&(size.n-1)], hashes[i&(size.n-1)]) == 0 {
					b.Fatal("not found")
				}
			}
		})
	}
}

// BenchmarkProcess sends whole captures through a tracker: short connections
// and long ones, few at a time and many. An op is a segment.
func BenchmarkProcess(b *testing.B) {
	for _, bb := range []struct {
		name            string
		conns, requests int
	}{{"10 long", 10, 1000}, {"1k short", 1000, 2}, {"100k short", 100_000, 1}} {
		all := batches(talk(bb.conns, bb.requests))
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; {
				tr := New(DefaultConfig(), Observer{})
				for _, batch := range all {
					tr.Process(batch)
					i += len(batch.Segments)
				}
				tr.Finish()
			}
		})
	}
}
