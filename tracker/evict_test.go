package tracker

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"tcpstate/capture"
)

// crowd is a capture of many tuples, all to one server.
type crowd struct {
	p     *Parallel
	b     capture.Batch
	frame uint64
	at    int64
}

// say adds a segment of the i-th tuple.
func (c *crowd) say(i int, side, flags uint8, seq, ack, n uint32) {
	k := capture.Key{Hi: [16]byte{192, 0, 2, 1}, LoPort: 40000, HiPort: 80}
	binary.BigEndian.PutUint32(k.Lo[:], 10<<24+uint32(i))
	c.frame++
	c.b.Segments = append(c.b.Segments, capture.Segment{Time: c.at, Frame: c.frame, Key: k, Hash: k.Hash(), Side: side, Flags: flags,
		Seq: seq, Ack: ack, Len: n, Window: 60000, TTL: 64, VLAN: capture.NoVLAN, WScale: capture.NoWScale})
	if len(c.b.Segments) == 1024 {
		c.flush()
	}
}

func (c *crowd) flush() {
	b := c.b
	b.Now = c.at
	c.p.Process(&b)
	c.b = capture.Batch{}
	for c.p.Wait() != nil {
	}
}

// Config.MaxConnections holds in a flood of which some is answered, too.
func TestMaxConnectionsInAFlood(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxConnections = 1000
	c := &crowd{p: NewParallel(cfg, 1, Observer{Life: func(*Life) {}}), at: 1e18}
	tr := c.p.workers[0].Tracker
	for i := range 100_000 {
		c.at += ms / 100
		c.say(i, 0, capture.SYN, 1, 0, 0)
		if i%12 == 0 {
			c.say(i, 1, capture.SYN|capture.ACK, 9, 2, 0)
			c.say(i, 0, capture.ACK, 2, 10, 0)
		}
		if i%500 == 499 {
			c.flush()
			if n := tr.table.lives(); n > 1000 {
				t.Fatalf("%d lives after %d SYNs", n, i+1)
			}
		}
	}
	if n := tr.Totals().Evicted; n == 0 {
		t.Error("none gave way")
	}
}

// So does Config.MaxMemory where the flood ends, and what is left of it runs out at once.
func TestMaxMemoryWhenAFloodEnds(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxMemory = 256 << 20
	c := &crowd{p: NewParallel(cfg, 1, Observer{Life: func(*Life) {}}), at: 1e18}
	tr := c.p.workers[0].Tracker
	const n = 1_000_000
	for i := range n {
		c.at = 1e18 + int64(i)*(900*ms/n)
		c.say(i, 0, capture.SYN, 1, 0, 0)
	}
	for i := range 20_000 {
		c.at += 2000
		c.say(n, 0, capture.ACK|capture.PSH, uint32(1+i), 1, 1)
	}
	c.flush()
	before := tr.octets(true)
	c.at += 2 * second
	c.say(n+1, 0, capture.ACK, 1, 1, 1)
	c.flush()
	// What comes of one kind of life has its room beside that of the other.
	if after, most := tr.octets(true), tr.bound.memory/4*5; after > most || before > tr.bound.memory {
		t.Errorf("%d MiB before it ends, and %d MiB behind it, of %d", before>>20, after>>20, tr.bound.memory>>20)
	}
}

// Who gives way does not hang on the seed of the hash, nor on whether there is a second
// worker.
func TestEvictionIsTheSame(t *testing.T) {
	follow := func(seed uint64, workers int) (lives []string, evicted uint64) {
		capture.SeedHash(seed)
		cfg := DefaultConfig()
		cfg.MaxMemory, cfg.MaxConnections, cfg.Unpacked = 256<<20, 3000, 500
		c := &crowd{at: 1e18}
		c.p = NewParallel(cfg, workers, Observer{Life: func(l *Life) { lives = append(lives, fmt.Sprint(l.ID, l.Incarnation, l.LastFrame)) }})
		for round := range 3 {
			for i := range 5000 {
				c.at += ms / 100
				c.say(i, 0, capture.ACK|capture.PSH, uint32(1+100*round), 1, 100)
			}
		}
		c.flush()
		c.p.Finish()
		return lives, c.p.Totals().Evicted
	}
	defer capture.SeedHash(1)
	want, evicted := follow(1, 1)
	if evicted < 4000 {
		t.Fatalf("%d gave way", evicted)
	}
	for seed := range uint64(3) {
		for _, workers := range []int{1, 2} {
			if got, n := follow(seed, workers); n != evicted || !slices.Equal(got, want) {
				t.Errorf("seed %d, %d workers: %d gave way, not %d", seed, workers, n, evicted)
			}
		}
	}
}

// Under Config.Forget there is one worker, whatever is asked for.
func TestForgetWithWorkers(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Forget = 10 * time.Second
	c := &crowd{p: NewParallel(cfg, 4, Observer{Life: func(*Life) {}}), at: 1e18}
	for i := range 30 {
		c.at += second
		c.say(i, 0, capture.SYN, 1, 0, 0)
		c.flush()
	}
	n := 0
	for range c.p.Usage().Services {
		n++
	}
	if c.p.Finish(); n != 1 {
		t.Errorf("%d services", n)
	}
}
