package reassembly

// Compact is all that a Space knows, for who keeps it in another form.
type Compact struct {
	ISS, Nxt, Una, Edge, Fin, Wnd         Seq
	Known, HasISS, HasFin, HasUna, HasWnd bool
	Approx, Far                           bool
	Islands                               uint8 // of Isles, in use
	Isles                                 [maxIsles][2]Seq
}

// Compact tells all of the space; Space makes it again.
func (s *Space) Compact() Compact {
	c := Compact{ISS: s.ISS, Nxt: s.Nxt, Una: s.Una, Edge: s.Edge, Fin: s.Fin, Wnd: s.Wnd,
		Known: s.Known, HasISS: s.HasISS, HasFin: s.HasFin, HasUna: s.HasUna, HasWnd: s.HasWnd, Approx: s.approx, Far: s.far, Islands: s.n}
	for i, p := range s.isles[:s.n] {
		c.Isles[i] = [2]Seq{p.lo, p.hi}
	}
	return c
}

// Space is the counterpart of Space.Compact.
func (c *Compact) Space() Space {
	s := Space{ISS: c.ISS, Nxt: c.Nxt, Una: c.Una, Edge: c.Edge, Fin: c.Fin, Wnd: c.Wnd,
		Known: c.Known, HasISS: c.HasISS, HasFin: c.HasFin, HasUna: c.HasUna, HasWnd: c.HasWnd, approx: c.Approx, far: c.Far, n: c.Islands}
	for i, p := range c.Isles[:c.Islands] {
		s.isles[i] = span{p[0], p[1]}
	}
	return s
}
