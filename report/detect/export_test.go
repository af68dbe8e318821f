package detect

// OneByOne makes the engine hand on each life when it is told of, with all that
// belongs to it, ordinary ones too.
func (g *Engine) OneByOne() { g.slips, g.most = false, 1 }

// Told are the Findings in words.
func (g *Engine) Told(e Ending) []Finding {
	all := g.Findings(e)
	for _, l := range [][]Finding{all, g.hidden} {
		for i := range l {
			l[i] = *l[i].Worded()
		}
	}
	return all
}

// Slips reports whether slips of ordinary lives are enough for all detectors.
func (g *Engine) Slips() bool { return g.slips }

// Kept is what the detectors keep of ordinary lives, by a name.
func (g *Engine) Kept() map[string]any {
	g.flush()
	q := &g.quality
	kept := map[string]any{"services": g.shared.services,
		"quality": []any{q.plain, q.lives, q.opened, q.talking, q.seen, q.unseen, q.payload, q.oversized, q.flawed}}
	l := &g.shared.tries
	kept["tries"] = []any{l.by, l.all, l.v6, l.room, l.full}
	for i := range g.at {
		switch w := g.at[i].w.(type) {
		case *packetLoss:
			kept["packet-loss"] = w.sent
		case *hostSweep:
			kept["host-sweep"] = w.used
		case *flood:
			all := []any{w.ends}
			for _, g := range w.bag.all {
				all = append(all, g.Key, g.Items, g.More)
			}
			kept["syn-flood"] = all
		case *churn:
			kept["connection-churn"] = w.delay
		case *middleboxStateExpired:
			kept["middlebox-state-expired"] = w.revivals
		case *cookies:
			kept["syncookies-active"] = w.carried
		case *synUnanswered:
			kept["syn-unanswered"] = []any{w.answers, w.once, w.again}
		case *synQueue:
			kept["syn-queue-overflow"] = w.stamps
		}
	}
	return kept
}
