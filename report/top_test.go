package report

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// wantTop is the list as it is meant: all connections sorted, the first n.
func wantTop(lives []tracker.Life, found []detect.Finding, of func(detect.Ref) []string, n int) (ids []uint64) {
	order := []string{"timed-out", "half-closed", "reset", "aborted-handshake", "refused", "unanswered", "open", "graceful"}
	worst := func(l *tracker.Life) (w int) {
		for _, id := range of(refOf(l)) {
			for i := range found {
				if found[i].ID == id {
					w = max(w, 1+int(found[i].Severity))
				}
			}
		}
		return w
	}
	all := slices.Clone(lives)
	slices.SortFunc(all, func(a, b tracker.Life) int {
		return cmp.Or(cmp.Compare(worst(&b), worst(&a)), cmp.Compare(len(of(refOf(&b))), len(of(refOf(&a)))),
			cmp.Compare(slices.Index(order, a.Close.String()), slices.Index(order, b.Close.String())),
			cmp.Compare(b.End-b.Start, a.End-a.Start), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Incarnation, b.Incarnation))
	})
	for i := range all[:min(n, len(all))] {
		ids = append(ids, all[i].ID<<8|uint64(all[i].Incarnation))
	}
	return ids
}

func refOf(l *tracker.Life) detect.Ref { return detect.Ref{ID: l.ID, Incarnation: l.Incarnation} }

// The list is that of all connections sorted, in whatever order they come and
// whenever their findings become known.
func TestTopIsThatOfAll(t *testing.T) {
	found := []detect.Finding{{ID: "bad", Severity: detect.Error}, {ID: "poor", Severity: detect.Warning}, {ID: "fair"}, {ID: "poor"}}
	rng := rand.New(rand.NewPCG(11, 12))
	for round := range 60 {
		lives := make([]tracker.Life, rng.IntN(5000))
		findings := map[detect.Ref][]string{}
		rare := 1 + rng.IntN(500)
		for i := range lives {
			start := rng.Int64N(1e9)
			lives[i] = tracker.Life{ID: uint64(i / 2), Incarnation: uint32(i % 2), Start: start, End: start + rng.Int64N(50)*1e9,
				Close: tracker.CloseKind(rng.IntN(int(tracker.NumCloseKinds)))}
			for j, id := range []string{"bad", "poor", "fair"} {
				if rng.IntN(rare*(3-j)) == 0 {
					findings[refOf(&lives[i])] = append(findings[refOf(&lives[i])], id)
				}
			}
		}
		rng.Shuffle(len(lives), func(i, j int) { lives[i], lives[j] = lives[j], lives[i] })
		of := func(r detect.Ref) []string { return findings[r] }
		n := []int{0, 1, 20, 3000}[round%4]
		list, w, early := newTop(n), worstByID(found), rng.IntN(len(lives)+1)
		for i := range lives {
			c := &Conn{Life: &lives[i]}
			if i >= early {
				c.Known, c.Findings = true, of(c.Ref())
				c.Worst = w.of(c.Findings)
			}
			list.offer(c)
		}
		var got []uint64
		for _, r := range list.sorted(&Final{Findings: found, Of: of}) {
			got = append(got, r.id<<8|uint64(r.incarnation))
		}
		if want := wantTop(lives, found, of, n); !slices.Equal(got, want) {
			t.Fatalf("%d of %d lives, %d of them early:\n%v\nnot\n%v", n, len(lives), early, got, want)
		}
	}
}

// Among more connections than may wait, those with signs of trouble wait, however
// short they are, and those that come first without any finding.
func TestTopKeepsTheTroubled(t *testing.T) {
	list := newTop(3)
	var l tracker.Life
	for i := range 3 * earlyKept {
		l = tracker.Life{ID: uint64(i), End: int64(1+i) * 1e9, Close: tracker.Graceful}
		list.offer(&Conn{Life: &l, Signs: tracker.SignLife | tracker.SignSyn | tracker.SignDone | tracker.SignFin})
		l = tracker.Life{ID: uint64(i), End: int64(1+i) * 1e9, Close: tracker.Unanswered}
		if i > 0 && i%(3*earlyKept/1000) == 0 {
			l.Close = tracker.Graceful
			l.ID, l.End = l.ID+1<<32, 1
			list.offer(&Conn{Life: &l, Signs: tracker.SignLife | tracker.SignZero})
			continue
		}
		list.offer(&Conn{Life: &l, Signs: tracker.SignLife | tracker.SignSyn})
	}
	waiting := 0
	for i := range list.early {
		waiting += len(list.early[i].all)
	}
	if waiting > 2*earlyKept {
		t.Errorf("%d connections wait for their findings", waiting)
	}
	bad := map[detect.Ref][]string{{ID: 1<<32 + 24}: {"stalled"}}
	rows := list.sorted(&Final{Findings: []detect.Finding{{ID: "stalled", Severity: detect.Error}}, Of: func(r detect.Ref) []string { return bad[r] }})
	last := uint64(3*earlyKept - 1)
	for i, want := range []uint64{1<<32 + 24, last, last - 1} {
		if len(rows) != 3 || rows[i].id != want {
			t.Errorf("place %d has connection %d, not %d", i, rows[i].id, want)
		}
	}
}
