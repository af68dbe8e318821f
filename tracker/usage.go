package tracker

import "net/netip"

// Usage counts, exactly and at every moment, what hosts and services hold: the
// ports that a client's connections to one server occupy, the TIME-WAITs of
// either end, the attempts that a listener has not got done with.
//
// Only connections count of which a SYN or SYN,ACK told who the client is, and
// only confirmed TIME-WAIT. A state that is taken back, or elapses, is counted
// out again.
//
// Each change of a connection becomes a gain in the journal of the worker that
// follows it (usagefollow.go). Usage applies the gains of one journal or of
// several in the order of (time, frame), and nothing else changes a count: the
// peaks do not depend on how many workers there are.
type Usage struct {
	sources  []source
	servers  index[listener]
	hosts    index[[16]byte]
	services slab[service] // by the index of servers
	pairs    pairs
	peaks    slab[peak]
	summits  slab[summit] // by the index of peaks
	samples  slab[sample]
	climbs   slab[climb]
	resolve  func(uint64) uint64
	touched  uint32        // for pairs.touch to have a result
	forgets  *usageForgets // nil where nothing is
	current  bool          // see Current
	// Lost counts connections that belong to groups which had no room: their
	// counts are missing.
	Lost uint64
}

// Pair is a client host towards a listening endpoint. Its connections share
// the client's range of ports.
type Pair struct {
	Client      netip.Addr
	Server      netip.AddrPort
	Opened      int    // handshakes that completed
	First, Last int64  // when, ns
	LowPort     uint16 // the client's ports lie between these
	HighPort    uint16
	Used        Peak // client's ends that are not CLOSED, since their handshake completed
	UsedWaiting int  // of these, in TIME-WAIT at Used.At
	TimeWait    Peak // client's ends confirmed in TIME-WAIT
}

// Service is a listening endpoint.
type Service struct {
	Server   netip.AddrPort
	TimeWait Peak // server's ends confirmed in TIME-WAIT
	// Attempts: a SYN was seen, and the handshake was neither completed, refused
	// nor given up yet.
	Attempts Peak
	// Answered: of the attempts, those with the server in SYN-RECEIVED, where
	// only the client's ACK is missing.
	Answered Peak
}

// counted says in which counts of its groups a connection stands.
type counted uint8

const (
	inUsed     counted = 1 << iota // Pair.Used
	inWait                         // Pair.TimeWait
	inHeld                         // Service.TimeWait
	inAttempts                     // Service.Attempts
	inAnswered                     // Service.Answered
	inOpened                       // Pair.Opened; a life is never counted out of it

	inAll     = 1<<6 - 1
	inPair    = inUsed | inWait | inOpened
	inService = inHeld | inAttempts | inAnswered
)

// Few is how many of Pair.Used, Service.Attempts and Service.Answered
// there have to be before their Peak tells more than Now and Max. Nobody asks it
// of few ports, or of few attempts; most groups never have more.
const Few = 8

// Pairs yields the pairs, in the order in which they were first counted: all of
// them, unless there were more than maxExact; of what came then, those that had
// more than one connection. Of such a pair the first is no sample and may make
// First later than it was, and what it held long before the second may be
// forgotten.
func (u *Usage) Pairs(yield func(*Pair) bool) {
	servers, hosts := u.keys()
	for i := range u.pairs.full.n {
		g := u.pairs.full.at(i + 1)
		if g.who == 0 {
			continue // it was given up
		}
		p := Pair{Server: servers[g.who.service()-1].end(), Opened: int(g.opened),
			First: g.first, Last: g.last, LowPort: g.lowPort, HighPort: g.highPort,
			Used: u.peak(&g.used), TimeWait: u.peak(&g.wait)}
		if c := g.client; g.who&standV6 != 0 {
			p.Client = netip.AddrFrom16(hosts[c-1])
		} else {
			p.Client = netip.AddrFrom4([4]byte{byte(c >> 24), byte(c >> 16), byte(c >> 8), byte(c)})
		}
		if d := g.used.peak; d != 0 {
			p.UsedWaiting = int(u.summits.at(d).beside)
		}
		if u.current {
			p.UsedWaiting = p.TimeWait.Now
		}
		if !yield(&p) {
			return
		}
	}
}

// Services yields all services, in the order in which they were first counted.
func (u *Usage) Services(yield func(*Service) bool) {
	servers, _ := u.keys()
	for i := range u.services.n {
		g := u.services.at(i + 1)
		if !g.used {
			continue // only pairs of it were counted
		}
		s := Service{Server: servers[i].end(), TimeWait: u.peak(&g.held), Attempts: u.peak(&g.attempts), Answered: u.peak(&g.answered)}
		if !yield(&s) {
			return
		}
	}
}

// Usage tells what was counted. It is valid between batches, and after Finish.
func (t *Tracker) Usage() *Usage {
	if t.log == nil {
		t.count()
	}
	return &t.counts
}
