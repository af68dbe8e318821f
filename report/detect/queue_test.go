package detect

import (
	"net/netip"
	"testing"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// recorder notes which lives it gets, and how.
type recorder struct {
	ids   []uint64
	whole int // by Case
	ends  []int64
	trail int // events
	met   []uint32
	*shared
}

func (w *recorder) Case(c *tracker.Case) {
	w.ids, w.ends = append(w.ids, c.Life.ID), append(w.ends, c.Life.End)
	w.whole++
	w.trail += len(c.Trail.Events)
	for i := range c.Trail.Events {
		if c.Trail.Events[i].Frame != c.Life.ID {
			w.trail = -1 << 30 // another's
		}
	}
	w.met = append(w.met, w.server)
}

func (w *recorder) slips(lives []slip) {
	for i := range lives {
		w.ids, w.ends = append(w.ids, lives[i].ID), append(w.ends, lives[i].end)
		w.met = append(w.met, lives[i].server)
	}
}

func (w *recorder) Findings(*Context) {}

// plainLife is a case of which a slip says all.
func plainLife(id uint64) *tracker.Case {
	c := life(id, tracker.SignSyn|tracker.SignDone|tracker.SignFin)
	c.Life.Ends[tracker.Server].Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 2}), uint16(80+id%7))
	c.Ends[tracker.Client].Segments, c.Ends[tracker.Server].Segments = 5, 5
	return c
}

// However lives of both kinds follow each other, a detector gets each once, in their
// order and with what belongs to it, although what the cases point to is used again.
func TestQueueKeepsOrder(t *testing.T) {
	for _, every := range []int{1, 2, 3, 7, 127, 128, 129, 1000} {
		for _, n := range []int{0, 1, 127, 128, 129, 700} {
			w := &recorder{}
			was := Catalogue
			Catalogue = []*Detector{{ID: "recorder", Signs: tracker.SignLife, New: func(s *Setup) Watcher { w.shared = s.shared; return w }}, CaptureQuality}
			g := New(Options{})
			Catalogue = was
			var reused tracker.Case
			var life tracker.Life
			trail := make([]tracker.Event, 2)
			events, whole := 0, 0
			for i := range n {
				c := plainLife(uint64(i))
				if i%every == every-1 {
					c.Signs |= tracker.SignRst
					whole++
					c.Trail.Events = trail[:i%3]
					events += i % 3
					for k := range c.Trail.Events {
						c.Trail.Events[k].Frame = uint64(i)
					}
				}
				reused, life = *c, *c.Life
				reused.Life = &life
				g.Case(&reused)
				life = tracker.Life{}
				clear(trail)
			}
			g.flush()
			if len(w.ids) != n || w.whole != whole || w.trail != events {
				t.Fatalf("every %d of %d: got %d, %d of them whole and not %d, with %d events and not %d", every, n, len(w.ids), w.whole, whole, w.trail, events)
			}
			for i, id := range w.ids {
				if id != uint64(i) || w.ends[i] != plainLife(id).Life.End || w.met[i] != uint32(1+i%7) {
					t.Fatalf("every %d of %d: life %d is number %d, of service %d", every, n, id, i, w.met[i])
				}
			}
		}
	}
}

// Who does not know slips gets all lives as cases.
func TestQueueWithoutSlips(t *testing.T) {
	all := []*Detector{fake("one", tracker.SignFin, Note)}
	_, _, short := found(t, Options{}, capture.Stats{}, all, plainLife(0), plainLife(1))
	same(t, short, "note one 1", "note one 1") // of two servers
}

// A slip does not say all of a life that shows anything else.
func TestPlain(t *testing.T) {
	if !plain(plainLife(0)) {
		t.Fatal("an ordinary life is not plain")
	}
	open := plainLife(0)
	open.Signs |= tracker.SignOpen
	if !plain(open) {
		t.Error("one in TIME-WAIT is not plain")
	}
	for name, change := range map[string]func(c *tracker.Case){
		"a RST":           func(c *tracker.Case) { c.Signs |= tracker.SignRst },
		"open":            func(c *tracker.Case) { c.Signs = c.Signs&^tracker.SignFin | tracker.SignOpen },
		"midstream":       func(c *tracker.Case) { c.Life.Midstream = true },
		"a repeated SYN":  func(c *tracker.Case) { c.Life.SynRetransmits = 1 },
		"a silent server": func(c *tracker.Case) { c.Ends[tracker.Server].Segments = 1 },
		"out of order":    func(c *tracker.Case) { c.Ends[tracker.Client].OutOfOrder = 1 },
		"needless":        func(c *tracker.Case) { c.Ends[tracker.Server].Spurious = 1 },
		"lost":            func(c *tracker.Case) { c.Ends[tracker.Server].Lost = 1 },
		"unseen":          func(c *tracker.Case) { c.Ends[tracker.Client].Unseen = 1 },
		"very long":       func(c *tracker.Case) { c.Ends[tracker.Client].DataSegments = 1 << 40 },
	} {
		c := plainLife(0)
		change(c)
		if plain(c) {
			t.Errorf("%s: it is plain", name)
		}
	}
}
