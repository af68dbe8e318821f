package detect

import (
	"cmp"
	"fmt"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// Errors of icmp_err_convert and icmpv6_err_convert that no RST makes.
const (
	SawAccess      = "EACCES"
	SawHostDown    = "EHOSTDOWN"
	SawNoNetwork   = "ENONET"
	SawNoProtocol  = "ENOPROTOOPT"
	SawUnsupported = "EOPNOTSUPP"
)

// icmpKind is the type and code of an ICMP error.
type icmpKind struct {
	v6        bool
	typ, code uint8
}

// before is an order of kinds.
func (k icmpKind) before(o icmpKind) bool {
	return cmp.Or(cmp.Compare(k.typ, o.typ), cmp.Compare(k.code, o.code)) < 0
}

func kindOf(q *capture.Quote) icmpKind { return icmpKind{q.V6, q.Type, q.Code} }

// obstacle is what an error tells of the path.
type obstacle uint8

const (
	noRoute obstacle = iota
	noHost
	rejected
	noProtocol
	looping
	fragmentLost
	onArrival // no route or host unreachable, by that host itself
)

// obstacles says what each means, and how it is removed.
var obstacles = [...]struct{ means, advice string }{
	noRoute: {"it has no route there",
		"Look at the routing of the error's sender: a route to the destination is missing, was withdrawn, or is a reject route (ip route get there). " +
			"If the address itself is wrong, correct what the client was given."},
	noHost: {"nobody answered for that address on its last network (ARP, neighbour discovery): the host is down, gone, or was never there",
		"See whether the host is up and has that address, and whether it answers ARP or neighbour discovery on the last router's network (ip neigh there). " +
			"If it moved, correct DNS or what the client was given."},
	rejected: {"a filter rejects it; TCP itself answers a closed port with RST",
		"Find the rule at the error's sender (nft list ruleset, iptables-save, firewalld's reject, a router's access list) and allow the port, or use an address that is allowed. " +
			"If the rule is meant, have it reject with tcp-reset: clients then see ECONNREFUSED at once on every system."},
	noProtocol: {"it does not speak TCP there",
		"No host refuses TCP as such: look for a filter or a load balancer at the error's sender, and correct it."},
	looping: {"the packets went in a circle, or the path is longer than their TTL",
		"Trace the path from the sender (traceroute -T -p PORT, mtr --tcp): two routers that alternate are the loop, and their routes are to be corrected. " +
			"A TTL that is set lower than 64 is too low for some paths."},
	fragmentLost: {"fragments of it did not all arrive",
		"TCP packets need not be fragmented at all: see why path MTU discovery does not work between both (a filter that drops ICMP, a tunnel), or clamp the MSS at the tunnel."},
	onArrival: {"the packet did reach that address: a filter there rejects it, or it is passed on to a host behind it (a backend, a container) that is down",
		"On that host, look for a rule that rejects with this ICMP type (nft list ruleset, iptables-save) and for one that forwards the port (dnat, docker-proxy) to a host that no longer answers. " +
			"Allow the port, or bring the host behind it up."},
}

// icmpWord is an error's name, what it tells, and what connect() makes of it
// on Linux (icmp_err_convert, icmpv6_err_convert).
type icmpWord struct {
	name string
	is   obstacle
	saw  string
}

var unreachables4 = map[uint8]icmpWord{ // RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1
	0:  {"network unreachable", noRoute, SawNetUnreach},
	1:  {"host unreachable", noHost, SawHostUnreach},
	2:  {"protocol unreachable", noProtocol, SawNoProtocol},
	3:  {"port unreachable", rejected, SawRefused},
	5:  {"source route failed", noRoute, SawUnsupported},
	6:  {"destination network unknown", noRoute, SawNetUnreach},
	7:  {"destination host unknown", noHost, SawHostDown},
	8:  {"source host isolated", noRoute, SawNoNetwork},
	9:  {"network administratively prohibited", rejected, SawNetUnreach},
	10: {"host administratively prohibited", rejected, SawHostUnreach},
	11: {"network unreachable for this type of service", noRoute, SawNetUnreach},
	12: {"host unreachable for this type of service", noRoute, SawHostUnreach},
	13: {"communication administratively prohibited", rejected, SawHostUnreach},
	14: {"host precedence violation", rejected, SawHostUnreach},
	15: {"precedence cutoff in effect", rejected, SawHostUnreach},
}

var unreachables6 = map[uint8]icmpWord{ // RFC 4443 section 3.1
	0: {"no route to destination", noRoute, SawNetUnreach},
	1: {"administratively prohibited", rejected, SawAccess},
	2: {"beyond scope of source address", noRoute, SawHostUnreach},
	3: {"address unreachable", noHost, SawHostUnreach},
	4: {"port unreachable", rejected, SawRefused},
	5: {"source address failed ingress/egress policy", rejected, SawAccess},
	6: {"reject route to destination", noRoute, SawAccess},
}

// word explains the error; false if it does not say that the destination was
// not reached.
func (k icmpKind) word() (w icmpWord, ok bool) {
	unreachable, exceeded := uint8(3), uint8(11)
	if k.v6 {
		unreachable, exceeded = 1, 3
	}
	switch {
	case k.typ == exceeded && k.code == 1:
		return icmpWord{"fragment reassembly time exceeded", fragmentLost, SawHostUnreach}, true
	case k.typ == exceeded && k.v6:
		return icmpWord{"hop limit exceeded in transit", looping, SawHostUnreach}, true
	case k.typ == exceeded:
		return icmpWord{"time to live exceeded in transit", looping, SawHostUnreach}, true
	case k.typ != unreachable:
		return w, false
	case k.v6:
		w, ok = unreachables6[k.code]
	default:
		w, ok = unreachables4[k.code]
	}
	return w, ok
}

// String is the error's name and number.
func (k icmpKind) String() string {
	name := "ICMP"
	if k.v6 {
		name = "ICMPv6"
	}
	w, _ := k.word()
	return fmt.Sprintf("%s (%s type %d code %d)", w.name, name, k.typ, k.code)
}

// quotedSegment is the segment that the quote i shows, where the trail has it:
// the latest with its number that its sender had sent.
func quotedSegment(t *tracker.Trail, i int) *tracker.Event {
	q := &t.Events[i]
	for j := i - 1; j >= 0; j-- {
		e := &t.Events[j]
		if e.From == q.From && !e.Is(tracker.Quoted|tracker.Odd|tracker.Earlier) && e.Seq == q.Seq && !e.Rst() {
			return e
		}
	}
	return nil
}

// sameQuote reports whether the quote i is a copy of one before.
func sameQuote(t *tracker.Trail, i int) bool {
	e := &t.Events[i]
	for j := i - 1; j >= 0 && e.Time-t.Events[j].Time < copiedWithin; j-- {
		o := &t.Events[j]
		if o.Is(tracker.Quoted) && o.From == e.From && o.Seq == e.Seq && t.Quotes[o.Quote] == t.Quotes[e.Quote] {
			return true
		}
	}
	return false
}
