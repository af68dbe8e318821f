package tracker

import "tcpstate/capture"

// answering remembers which (address, port) answered a SYN, to tell the roles
// of connections that begin in mid-stream. It is bounded: beyond that the
// ports alone decide.
type answering map[portKey]struct{}

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

func (a answering) add(s *capture.Segment) {
	if len(a) < maxAnswering {
		a[portOf(&s.Key, s.Side)] = struct{}{}
	}
}

func (a answering) has(k *capture.Key, side uint8) bool {
	_, ok := a[portOf(k, side)]
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
