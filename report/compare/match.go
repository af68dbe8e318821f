package compare

import (
	"net/netip"
	"strconv"
	"strings"

	"tcpstate/report/detect"
)

// pairing says which service of the one side is which of the other.
//
// A service is the same at the same address and port. Where containers or DHCP gave out
// other addresses, it is the same as the one service on its port, if neither side knows
// the other's address and each has no more than one such service on that port.
type pairing struct {
	to, from map[netip.AddrPort]netip.AddrPort // services that both have: of the old by the new, and back
	host     map[netip.Addr]netip.Addr         // addresses of the old side that are others on the new one
	moved    map[netip.Addr]bool               // those others
	old, new terrain
}

// terrain is what a side knows of addresses.
type terrain struct {
	addrs    map[netip.Addr]bool // of servers, and those that findings are about
	services map[netip.AddrPort]bool
}

func newTerrain(s *Side) terrain {
	t := terrain{addrs: map[netip.Addr]bool{}, services: map[netip.AddrPort]bool{}}
	for i := range s.Services {
		if p := s.Services[i].place(); p.IsValid() {
			t.services[p] = true
			t.addrs[p.Addr()] = true
		}
	}
	for i := range s.Findings {
		for _, w := range strings.Fields(s.Findings[i].Subject) {
			if a, _, ok := address(w); ok {
				t.addrs[a.Addr()] = true
			}
		}
	}
	return t
}

func pair(old, new *Side) *pairing {
	p := &pairing{to: map[netip.AddrPort]netip.AddrPort{}, from: map[netip.AddrPort]netip.AddrPort{},
		host: map[netip.Addr]netip.Addr{}, moved: map[netip.Addr]bool{}, old: newTerrain(old), new: newTerrain(new)}
	for at := range p.old.services {
		if p.new.services[at] {
			p.to[at], p.from[at] = at, at
		}
	}
	there := alone(&p.new, &p.old)
	for port, from := range alone(&p.old, &p.new) {
		if to := there[port]; from.IsValid() && to.IsValid() {
			p.to[from], p.from[to] = to, from
		}
	}
	p.hosts()
	return p
}

// alone are the services of a side by port whose address the other side does not know;
// no place where there are several.
func alone(t, other *terrain) map[uint16]netip.AddrPort {
	m := map[uint16]netip.AddrPort{}
	for at := range t.services {
		if other.addrs[at.Addr()] {
			continue
		}
		port := at.Port()
		if _, several := m[port]; several {
			at = netip.AddrPort{}
		}
		m[port] = at
	}
	return m
}

// hosts finds the addresses that moved as a whole: all services of the one that were found
// again are at the other, and no others there.
func (p *pairing) hosts() {
	there, back := map[netip.Addr]netip.Addr{}, map[netip.Addr]netip.Addr{}
	note := func(m map[netip.Addr]netip.Addr, from, to netip.Addr) {
		if was, ok := m[from]; ok && was != to {
			to = netip.Addr{}
		}
		m[from] = to
	}
	for from, to := range p.to {
		note(there, from.Addr(), to.Addr())
		note(back, to.Addr(), from.Addr())
	}
	for from, to := range there {
		if from != to && to.IsValid() && back[to] == from {
			p.host[from], p.moved[to] = to, true
		}
	}
}

// address reads an address of a subject, with or without a port. A comma may follow.
func address(w string) (at netip.AddrPort, port, ok bool) {
	w = strings.TrimSuffix(w, ",")
	if at, err := netip.ParseAddrPort(w); err == nil {
		return at, true, true
	}
	a, err := netip.ParseAddr(w)
	return netip.AddrPortFrom(a, 0), false, err == nil
}

// name is the subject of a finding without what has no meaning on the other side, so that
// two names are equal where the subjects are the same thing:
//
//   - the number of a connection is *;
//   - the port of an endpoint that is no service, a client's, is *;
//   - the place of a service is that of the service it is paired with;
//   - the address of a host is that of the host that its services moved to, itself where
//     the other side knows it too, and otherwise *.
func (p *pairing) name(f *detect.Finding, isOld bool) string {
	words := strings.Fields(f.Subject)
	if len(words) == 0 {
		return f.Subject
	}
	kind := words[0]
	for i, w := range words[1:] {
		if kind == "connection" {
			words[i+1] = "*"
			continue
		}
		at, port, ok := address(w)
		if !ok {
			continue
		}
		text := p.addr(at.Addr(), isOld)
		if port {
			text = p.place(at, kind == "endpoint", isOld)
		}
		if strings.HasSuffix(w, ",") {
			text += ","
		}
		words[i+1] = text
	}
	return strings.Join(words, " ")
}

func (p *pairing) place(at netip.AddrPort, endpoint, isOld bool) string {
	if to, ok := p.to[at]; ok && isOld {
		return to.String()
	}
	if _, ok := p.from[at]; ok && !isOld {
		return at.String()
	}
	addr, port := p.addr(at.Addr(), isOld), strconv.Itoa(int(at.Port()))
	if strings.Contains(addr, ":") {
		addr = "[" + addr + "]"
	}
	if endpoint && !p.old.services[at] && !p.new.services[at] {
		port = "*"
	}
	return addr + ":" + port
}

func (p *pairing) addr(a netip.Addr, isOld bool) string {
	to, known := a, p.old.addrs[a] || p.moved[a]
	if isOld {
		known = p.new.addrs[a]
		if there, ok := p.host[a]; ok {
			to, known = there, true
		}
	}
	if !known {
		return "*"
	}
	return to.String()
}
