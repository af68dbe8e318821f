package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// gate is an output that takes a write when it is let.
type gate struct {
	let  chan bool
	open chan bool // closed: from now on it takes all
	got  bytes.Buffer
}

func newGate() *gate { return &gate{let: make(chan bool), open: make(chan bool)} }

func (g *gate) Write(p []byte) (int, error) {
	select {
	case <-g.let:
	case <-g.open:
	}
	return g.got.Write(p)
}

// numbered is a line that begins with its number and is so long.
func numbered(i, octets int) string {
	s := fmt.Sprintf("%d:", i)
	return s + strings.Repeat("x", max(octets-len(s)-1, 0)) + "\n"
}

// Whatever is written in whatever pieces, and however the reader dawdles: it gets
// whole lines in their order, and the others are counted.
func TestLossyKeepsLines(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := lossyCase{
			limit:  rapid.IntRange(1, 300).Draw(rt, "limit"),
			pieces: rapid.SliceOfN(rapid.IntRange(1, 200), 1, 30).Draw(rt, "pieces"),
			reads:  rapid.SliceOfN(rapid.Bool(), 1, 30).Draw(rt, "reads"),
		}
		for i, n := range rapid.SliceOfN(rapid.IntRange(2, 80), 1, 60).Draw(rt, "lengths") {
			c.lines = append(c.lines, numbered(i, n))
		}
		c.free = rapid.IntRange(0, len(c.lines)).Draw(rt, "lines before it waits")
		wrong := ""
		synctest.Test(t, func(*testing.T) { wrong = c.play() })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// lossyCase is what is written, and how it is read.
type lossyCase struct {
	limit  int
	lines  []string
	free   int    // so many lines do not wait
	pieces []int  // octets of each write, in turn
	reads  []bool // whether the reader takes something after it, in turn
}

// play returns what is wrong.
func (c *lossyCase) play() (wrong string) {
	g := newGate()
	l := newLossy(g, c.limit)
	defer l.close()
	write := func(s string) {
		for turn := 0; len(s) > 0; turn++ {
			n := min(len(s), c.pieces[turn%len(c.pieces)])
			if k, err := io.WriteString(l, s[:n]); k != n || err != nil {
				wrong = fmt.Sprintf("%d of %d, %v", k, n, err)
			}
			s = s[n:]
			if c.reads[turn%len(c.reads)] {
				select {
				case g.let <- true:
				default:
				}
			}
			synctest.Wait()
			l.mu.Lock()
			if kept := l.size + len(l.part); kept > c.limit {
				wrong = fmt.Sprintf("%d octets are kept", kept)
			}
			l.mu.Unlock()
		}
	}
	before, after := strings.Join(c.lines[:c.free], ""), strings.Join(c.lines[c.free:], "")
	cut := min(len(after), c.pieces[0]) // it comes to wait within a line
	write(before + after[:cut])
	close(g.open)
	l.blocking(time.Minute)
	write(after[cut:])
	if err := l.drain(time.Minute); err != nil {
		return err.Error()
	}
	got := strings.SplitAfter(g.got.String(), "\n")
	if got = got[:len(got)-1]; int(l.lost())+len(got) != len(c.lines) {
		return fmt.Sprintf("%d lines of %d, %d lost", len(got), len(c.lines), l.lost())
	}
	if n := len(c.lines) - strings.Count(before+after[:cut], "\n") - 1; n > 0 && !strings.HasSuffix(g.got.String(), strings.Join(c.lines[len(c.lines)-n:], "")) {
		return "what waited is lost"
	}
	i := 0
	for _, line := range got {
		for i < len(c.lines) && c.lines[i] != line {
			i++
		}
		if i == len(c.lines) {
			return fmt.Sprintf("%q is none of the lines, or out of order", line)
		}
		i++
	}
	return wrong
}

// A reader that is stuck costs what the queue holds, no time, and at the end the
// time that is allowed.
func TestLossyStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		l := newLossy(g, 1000)
		start := time.Now()
		for i := range 100 {
			if _, err := io.WriteString(l, numbered(i, 100)); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d != 0 || l.lost() != 90 {
			t.Errorf("%v, %d lost", d, l.lost())
		}
		if err := l.drain(3 * time.Second); err != errUnread || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		l.blocking(10 * time.Second)
		if _, err := io.WriteString(l, numbered(100, 100)); err != errUnread || time.Since(start) != 13*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if _, err := io.WriteString(l, "more\n"); err != errUnread || l.drain(time.Hour) != errUnread || time.Since(start) != 13*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		close(g.open)
		l.close()
	})
}

// Room comes back block by block.
func TestLossyBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		l := newLossy(g, 200_000)
		defer l.close()
		lines := strings.Repeat(numbered(1, 100), 10_000)
		io.WriteString(l, lines)
		synctest.Wait()
		g.let <- true
		synctest.Wait()
		io.WriteString(l, lines)
		close(g.open)
		const fit = 200_000/100 + lossyBlock/100
		if err := l.drain(time.Minute); err != nil || g.got.Len() != fit*100 || l.lost() != 20_000-fit {
			t.Errorf("%v, %d octets, %d lost", err, g.got.Len(), l.lost())
		}
	})
}

// A slow reader gets the final report whole, once it is waited for.
func TestLossySlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow dawdler
		l := newLossy(&slow, 1000)
		defer l.close()
		for i := range 100 {
			io.WriteString(l, numbered(i, 100))
		}
		l.blocking(time.Minute)
		report := strings.Repeat(numbered(7, 70), 200)
		if _, err := io.WriteString(l, report); err != nil {
			t.Fatal(err)
		}
		if err := l.drain(time.Minute); err != nil || !strings.HasSuffix(slow.String(), report) || l.lost() != 90 {
			t.Errorf("%v, %d octets, %d lost", err, slow.Len(), l.lost())
		}
	})
}

// dawdler takes its time for each write.
type dawdler struct{ bytes.Buffer }

func (d *dawdler) Write(p []byte) (int, error) {
	time.Sleep(100 * time.Millisecond)
	return d.Buffer.Write(p)
}

// The first error of the output is that of all later writes.
func TestLossyError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLossy(closedPipe{}, 1000)
		defer l.close()
		if _, err := io.WriteString(l, "one\n"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		for range 2 {
			if n, err := io.WriteString(l, "two\n"); n != 0 || !errors.Is(err, syscall.EPIPE) {
				t.Errorf("%d, %v", n, err)
			}
		}
		if err := l.drain(time.Hour); !errors.Is(err, syscall.EPIPE) || l.lost() != 0 {
			t.Errorf("%v, %d lost", err, l.lost())
		}
		l.blocking(time.Hour)
		if _, err := io.WriteString(l, "three\n"); !errors.Is(err, syscall.EPIPE) {
			t.Error(err)
		}
	})
}
