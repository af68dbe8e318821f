package tracker

// Current is the usage as it stands: of each count Max is what Now is, At when the latest
// was counted in, and Samples are those that are counted still. It is valid as long as u, and
// nothing is counted in it.
func (u *Usage) Current() *Usage {
	v := *u
	v.current = true
	return &v
}

// currently turns a peak into what holds now.
func (p *Peak) currently(d *peak) {
	if p.Now < p.Max {
		p.marks = nil // of a peak that is behind
	}
	p.Max = p.Now
	if d != nil {
		p.At = p.Last
		p.gone = d.gone
	}
}
