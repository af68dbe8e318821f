package capture

import (
	"net/netip"
	"slices"
)

// selector decides which segments are of interest.
type selector struct {
	expr  *filter // nil: no filter expression
	hosts []netip.Addr
	nets  []netip.Prefix
	ports []uint16
	vlans []uint16
}

// newSelector returns nil if everything is selected.
func newSelector(o *Selection, expr *filter) *selector {
	if expr == nil && len(o.Hosts)+len(o.Nets)+len(o.Ports)+len(o.VLANs) == 0 {
		return nil
	}
	s := &selector{expr: expr, ports: slices.Clone(o.Ports), vlans: slices.Clone(o.VLANs)}
	for _, h := range o.Hosts {
		s.hosts = append(s.hosts, h.WithZone("")) // packets have none
	}
	for _, n := range o.Nets {
		if n.IsValid() {
			s.nets = append(s.nets, n.Masked())
		}
	}
	if len(o.Nets) > 0 && s.nets == nil {
		s.nets = []netip.Prefix{{}} // contains nothing
	}
	return s
}

// keeps reports whether all clauses hold for a segment of the frame at hand.
func (s *selector) keeps(d *decoder, g *Segment) bool {
	if s.expr != nil && !s.matches(d) {
		if d.f.ifc.noProg {
			d.skip(filterLink)
		}
		return false
	}
	return s.holds(d, g)
}

// takes reports whether the frame at hand is selected, of which these are the
// segments.
func (s *selector) takes(d *decoder, gs []Segment) bool {
	if s.expr != nil {
		if s.matches(d); !d.own {
			return false
		}
	}
	if len(s.vlans)+len(s.ports)+len(s.hosts)+len(s.nets) == 0 {
		return true
	}
	return len(gs) > 0 && s.holds(d, &gs[0])
}

// holds reports whether the clauses besides the filter expression do.
func (s *selector) holds(d *decoder, g *Segment) bool {
	if len(s.vlans) > 0 && !slices.ContainsFunc(d.tags[:d.ntags], func(t uint16) bool { return slices.Contains(s.vlans, t) }) {
		return false
	}
	if len(s.ports) > 0 && !slices.Contains(s.ports, g.Key.LoPort) && !slices.Contains(s.ports, g.Key.HiPort) {
		return false
	}
	if len(s.hosts)+len(s.nets) == 0 {
		return true
	}
	lo, hi := g.Key.End(0).Addr(), g.Key.End(1).Addr()
	if len(s.hosts) > 0 && !slices.Contains(s.hosts, lo) && !slices.Contains(s.hosts, hi) {
		return false
	}
	return len(s.nets) == 0 || slices.ContainsFunc(s.nets, func(n netip.Prefix) bool { return n.Contains(lo) || n.Contains(hi) })
}

// matches runs the filter expression on the frame at hand, once.
func (s *selector) matches(d *decoder) bool {
	if d.match < 0 {
		d.match = 0
		if p := d.program(d.f.ifc); p != nil && p.match(d.f.data, d.f.wire) {
			d.match = 1
		}
		d.own = d.match == 1
	}
	return d.match == 1
}

// program is the filter for an interface, compiled when its first frame that
// matters comes. On a link type that it does not fit, an expression selects
// nothing: on that of a file's first frame it is an error of Open, but one that
// appears later is what the file says, and no mistake of who asks.
func (d *decoder) program(i *iface) *program {
	if i.prog == nil && !i.noProg {
		p, err := d.sel.expr.program(i.link)
		if err != nil {
			i.noProg = true
			return nil
		}
		i.prog = p
	}
	return i.prog
}
