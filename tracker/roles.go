package tracker

import "tcpstate/capture"

// answering remembers which (address, port) answered a SYN, to tell the roles
// of connections that begin in mid-stream. It is bounded: beyond that the
// ports alone decide.
type answering struct {
	all   map[portKey]struct{}
	known [64]portKey // of late, by the port: the same ones answer again and again
}

const maxAnswering = 1 << 16

type portKey struct {
	addr [16]byte
	port uint16
	v6   bool
}

func portOf(k *capture.Key, side uint8) portKey {
	if side == 0 {
		return portKey{k.Lo, k.LoPort, k.V6}
	}
	return portKey{k.Hi, k.HiPort, k.V6}
}

func (a *answering) add(s *capture.Segment) {
	p := portOf(&s.Key, s.Side)
	late := &a.known[(p.port^uint16(p.addr[3])^uint16(p.addr[15]))%uint16(len(a.known))]
	if *late == p || len(a.all) == maxAnswering {
		return
	}
	*late = p
	if a.all == nil {
		a.all = map[portKey]struct{}{}
	}
	a.all[p] = struct{}{}
}

func (a *answering) has(k *capture.Key, side uint8) bool {
	_, ok := a.all[portOf(k, side)]
	return ok
}

// guessRoles takes one end for the client where no SYN tells: a port that
// answered before or is well known (below 1024) is the server's, else the
// higher port is the client's, else the sender is.
func (c *Conn) guessRoles(s *capture.Segment, lo, hi bool) {
	k := &s.Key
	if lo == hi {
		lo, hi = k.LoPort < 1024, k.HiPort < 1024
	}
	switch {
	case lo && !hi:
		c.client, c.roles = 1, RolePort
	case hi && !lo:
		c.client, c.roles = 0, RolePort
	case k.LoPort > k.HiPort:
		c.client = 0
	case k.HiPort > k.LoPort:
		c.client = 1
	default:
		c.client = s.Side
	}
}
