package tracker

// standing is what one word says of a connection and its groups: the counts it
// stands in, the client's side of the Key, whether addresses are IPv6, and the
// service's index plus one. In a gain it says more.
type standing uint32

const (
	standSide standing = 1 << 6
	standV6   standing = 1 << 7

	serviceShift = 8
	serviceMask  = 1<<20 - 1

	gainMore    standing = 1 << 28 // it comes to count; otherwise it is counted out
	gainTimer   standing = 1 << 29 // a timer did it, no segment
	gainRenamed standing = 1 << 30 // it goes on to count as another life
)

func (s standing) in() counted     { return counted(s & inAll) }
func (s standing) side() uint8     { return uint8(s >> 6 & 1) }
func (s standing) service() uint32 { return uint32(s >> serviceShift & serviceMask) }

func (s standing) with(in counted) standing { return s&^inAll | standing(in) }

func (s standing) of(service uint32) standing {
	return s&^(serviceMask<<serviceShift) | standing(service&serviceMask)<<serviceShift
}

// gain is one connection more, or less, in some counts; or less in some and more in
// others, at the same moment.
type gain struct {
	time   int64
	where  uint64 // the frame, above the counts it leaves (see out) and the client's port
	life   uint64 // see lifeID; what is counted out needs none
	client uint32 // of the pair: see heldBrief
	what   standing
	name   uint32 // of the connection, as long as it counts
	// from is how many frames before this, less one, began what now is counted
	// (SYN, own FIN); 0 unknown. Where gainRenamed is set, the name before.
	from uint32
}

const (
	portBits = 16
	outBits  = 8 // so a frame has 40 bits, as in lifeID
)

func (g *gain) frame() uint64 { return g.where >> (portBits + outBits) }
func (g *gain) port() uint16  { return uint16(g.where) }

// in is what the gain counts in, and out what it counts out: before.
func (g *gain) in() counted {
	if g.what&gainMore == 0 {
		return 0
	}
	return g.what.in()
}

func (g *gain) out() counted {
	if g.what&(gainMore|gainRenamed) == 0 {
		return g.what.in()
	}
	return counted(g.where >> portBits)
}

// began is the frame that from tells; 0 unknown.
func (g *gain) began() uint64 {
	if g.from == 0 {
		return 0
	}
	return g.frame() + 1 - uint64(g.from)
}

// lifeID names a life by its number and its incarnation in one word. A number
// may stand for the one that is known only later (Usage.resolve).
func lifeID(id uint64, incarnation uint32) uint64 {
	return id<<incBits | uint64(min(incarnation, 1<<incBits-1))
}

const incBits = 24 // a 4-tuple that lives again every second does so for half a year

// usageLog is what a journal hands on: gains in the order of time, and the keys
// of the services and hosts that they name first. Who applied it empties it for
// the journal to go on with.
type usageLog struct {
	gains    []gain
	services []listener
	hosts    [][16]byte
	lost     uint64
}

func (l *usageLog) empty() {
	l.gains, l.services, l.hosts, l.lost = l.gains[:0], l.services[:0], l.hosts[:0], 0
}
