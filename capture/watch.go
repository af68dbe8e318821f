//go:build cgo && !nolibpcap

package capture

// wrapping is a count that a library keeps in 32 bits and that goes round in
// captures of days: what it has grown by is added up in 64.
type wrapping struct {
	last  uint32
	total uint64
}

func (w *wrapping) read(now uint32) {
	w.total += uint64(now - w.last)
	w.last = now
}

// growing is a count of the system's that starts again at 0 when a driver is
// reset: what it has grown by is added up.
type growing struct {
	last  uint64
	total uint64
	begun bool
}

func (g *growing) read(now uint64) {
	switch {
	case !g.begun:
		g.begun = true
	case now < g.last:
		g.total += now
	default:
		g.total += now - g.last
	}
	g.last = now
}

// seen takes what the interface was found to be, at a time in ns. That it could
// not be found out is no news.
func (l *Link) seen(is LinkState, at int64) {
	if is == l.State || is == LinkUnknown {
		return
	}
	if l.State != LinkUnknown {
		l.Changes++
	}
	l.State, l.Since = is, at
}
