package detect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"tcpstate/capture"
	"tcpstate/reassembly"
	"tcpstate/tracker"
)

// Unreachable: somebody on the path says why nothing comes back.
var Unreachable = &Detector{
	ID:    "unreachable",
	Title: "ICMP errors say that the destination is not reached",
	Rule: "An ICMP or ICMPv6 error (host, network or port unreachable, administratively prohibited, time exceeded) quotes a SYN or a later segment " +
		"that its sender really sent: the number lies between its ISS and its SND.NXT, else the error is forged and left out. Left out, too: errors after both " +
		"FINs or a RST, those to a server about clients that sent SYNs only (spoofed addresses), and time exceeded for packets sent with a TTL below 32 (traceroute).",
	Default: Warning,
	Levels: "note where all connections went on in spite of it (the handshake completed later, or the peer was heard again), or the capture ends within 3 s. " +
		"The subject is the router if it names several servers, or a client that is not reached",
	Subject: "server A:P or router A",
	Blame:   "network, or the server if it sent the error itself",
	Example: "stream 0 10.0.0.1:40022 → 10.0.1.2:80\n#! quote 10.0.0.254 3 1\n" +
		"0 * -- SYN 0 -> *\n3.1 * -- SYN 0 quoted -> *",
	Advice: "Remove what the error names: the missing route, the dead host or the firewall rule at the router that sent it.",
	Sources: []string{"RFC 792", "RFC 4443", "RFC 1122 section 4.2.3.9", "RFC 5927 section 4.1", "RFC 5461",
		"Linux tcp_v4_err, tcp_v6_err, icmp_err_convert, icmpv6_err_convert"},
	Signs:    tracker.SignQuote,
	Swallows: []string{"syn-unanswered", "half-open"},
	New:      func(*Setup) Watcher { return &unreachable{} },
}

// probeTTL is below any TTL that a system begins with (64, 128, 255), less a
// path of 32 hops: a packet with less is to expire on the way.
const probeTTL = 32

type unreachable struct {
	bag Bag[blocked, blockage]
}

// blocked is who was not reached and who said so. No server: it is the client
// that is not reached.
type blocked struct {
	router netip.Addr
	server netip.AddrPort
}

// blockage is what is wanted of one connection.
type blockage struct {
	server   netip.AddrPort
	client   netip.Addr
	router   netip.Addr
	kind     icmpKind
	errors   int
	syn      bool // it quotes the opening SYN
	again    bool // and the SYN was repeated all the same
	hurt     bool // nothing came of the connection after it
	wentOn   bool // something did; where neither, the capture ends too soon
	toServer bool
}

func (w *unreachable) Case(c *tracker.Case) {
	t := &c.Trail
	var first *tracker.Event
	at, n := 0, 0
	last := int64(0)
	var fins [2]bool
	for i := range t.Events {
		e := &t.Events[i]
		switch {
		case e.Is(tracker.Earlier | tracker.Odd):
			continue
		case e.Fin():
			fins[e.From] = true
		}
		if e.Rst() && e.Is(tracker.Own|tracker.Took) || fins[0] && fins[1] {
			break
		}
		if !e.Is(tracker.Quoted) || !w.counts(c, i) {
			continue
		}
		if first == nil {
			first, at = e, i
		}
		last = e.Time
		n++
	}
	if first == nil {
		return
	}
	q := &t.Quotes[first.Quote]
	v := blockage{server: c.Addr(tracker.Server), client: c.Addr(tracker.Client).Addr(), router: q.From, kind: kindOf(q), errors: n,
		toServer: first.From == tracker.Server}
	v.syn = !v.toServer && first.Has(capture.SYN)
	if v.syn {
		v.wentOn = c.Has(tracker.SignDone)
		v.hurt = !v.wentOn
		v.again = v.hurt && c.Ends[tracker.Client].LastAt > first.Time
	} else {
		v.wentOn = c.Ends[first.From^1].LastAt >= first.Time
		v.hurt = !v.wentOn && c.Now-first.Time >= silentFor
	}
	key := blocked{router: q.From}
	if !v.toServer {
		key.server = v.server
	}
	w.bag.Add(key, c, first.Time, last, v, func() []Proof { return quoteProof(c, at, v.kind.String()) })
}

// quoteProof shows the quote i and what it quotes.
func quoteProof(c *tracker.Case, i int, name string) []Proof {
	e := &c.Trail.Events[i]
	from := c.Trail.Quotes[e.Quote].From
	who := sideNames[e.From]
	s := quotedSegment(&c.Trail, i)
	switch {
	case s == nil:
		return []Proof{{e.Frame, fmt.Sprintf("%s tells the %s: %s, quoting a segment of it", from, who, name)}}
	case s.Syn():
		return []Proof{{s.Frame, "SYN"}, {e.Frame, fmt.Sprintf("%s tells the client: %s, quoting the SYN", from, name)}}
	case s.Len > 0:
		return []Proof{{s.Frame, fmt.Sprintf("%s of the %s", plural(int(s.Len), "octet"), who)}, {e.Frame, fmt.Sprintf("%s tells the %s: %s, quoting them", from, who, name)}}
	}
	return []Proof{{s.Frame, "a segment of the " + who}, {e.Frame, fmt.Sprintf("%s tells the %s: %s, quoting it", from, who, name)}}
}

// counts reports whether the quote i is a genuine error of the kind that is
// told of.
func (w *unreachable) counts(c *tracker.Case, i int) bool {
	t := &c.Trail
	e := &t.Events[i]
	word, ok := kindOf(&t.Quotes[e.Quote]).word()
	if !ok || sameQuote(t, i) || !spaceBefore(t, i, e.From).has(reassembly.Seq(e.Seq)) {
		return false
	}
	if e.From == tracker.Server && !c.Ends[tracker.Client].Spoke {
		return false
	}
	if word.is == looping {
		ttl := c.Life.Ends[e.From].TTL
		if s := quotedSegment(t, i); s != nil {
			ttl = s.TTL
		}
		return ttl >= probeTTL
	}
	return true
}

func (w *unreachable) Findings(x *Context) {
	groups := w.bag.Groups(x)
	names := map[netip.Addr]int{} // how many servers a router names
	for _, g := range groups {
		names[g.Key.router]++
		if !g.Key.server.IsValid() {
			names[g.Key.router]++ // clients: the router is the subject
		}
	}
	// Of a router that names several, one finding; of a server that several
	// name, one.
	merged := map[blocked]*Group[blocked, blockage]{}
	var order []*Group[blocked, blockage]
	for _, g := range groups {
		key := blocked{server: g.Key.server}
		if names[g.Key.router] > 1 {
			key = blocked{router: g.Key.router}
		}
		m := merged[key]
		if m == nil {
			m = &Group[blocked, blockage]{Key: key, bag: g.bag}
			merged[key] = m
			order = append(order, m)
		}
		m.Items = append(m.Items, g.Items...)
		m.More += g.More
	}
	for _, g := range order {
		g.byTime()
		x.Raise(w.finding(g))
	}
}

// blockages sums up what several connections met.
type blockages struct {
	kinds               map[icmpKind]int
	routers, clients    map[netip.Addr]bool
	servers             map[netip.AddrPort]bool
	errors, syns, later int
	hurt, wentOn        int
	failed, again       int // of the SYNs: not connected later; repeated all the same
	clientsLost         int // to servers, about clients
}

func sumUp(items []Item[blockage]) blockages {
	s := blockages{kinds: map[icmpKind]int{}, routers: map[netip.Addr]bool{}, clients: map[netip.Addr]bool{}, servers: map[netip.AddrPort]bool{}}
	for i := range items {
		v := &items[i].V
		s.kinds[v.kind]++
		s.routers[v.router], s.clients[v.client], s.servers[v.server] = true, true, true
		s.errors += v.errors
		if v.syn {
			s.syns++
			s.failed += one(v.hurt)
			s.again += one(v.again)
		} else {
			s.later++
		}
		s.hurt += one(v.hurt)
		s.wentOn += one(v.wentOn)
		s.clientsLost += one(v.toServer)
	}
	return s
}

// main is the kind that most connections met.
func (s *blockages) main() (k icmpKind) {
	n := 0
	for kind, m := range s.kinds {
		if m > n || m == n && kind.before(k) {
			k, n = kind, m
		}
	}
	return k
}

// saws names what connect() fails with.
func (s *blockages) saws() string {
	var l []string
	for k := range s.kinds {
		if w, _ := k.word(); !slices.Contains(l, w.saw) {
			l = append(l, w.saw)
		}
	}
	slices.Sort(l)
	return strings.Join(l, " or ")
}

// finding tells of one server, or of one router.
func (w *unreachable) finding(g *Group[blocked, blockage]) Finding {
	s := sumUp(g.Items)
	kind := s.main()
	word, _ := kind.word()
	f := g.Finding(Server(g.Key.server))
	who, says := fmt.Sprint(g.Items[0].V.router), "says"
	switch {
	case g.Key.router.IsValid():
		f.Subject = Router(g.Key.router)
	case len(s.routers) > 1:
		who, says = fmt.Sprintf("%s and %s", who, plural(len(s.routers)-1, "other router")), "say"
	}
	f.Severity, f.Blame = Note, BlameNetwork
	if s.hurt > 0 {
		f.Severity = Warning
	}
	if g.Items[0].V.router == g.Items[0].V.server.Addr() && len(s.routers) == 1 && s.clientsLost == 0 {
		f.Blame = BlameServer
		if word.is == noRoute || word.is == noHost {
			word.is = onArrival
		}
	}
	f.Advice = obstacles[word.is].advice
	f.Metrics = Metrics{{"errors", float64(s.errors)}, {"at_connect", float64(s.syns)}, {"later", float64(s.later)},
		{"went_on", float64(s.wentOn)}, {"servers", float64(len(s.servers))}, {"clients", float64(len(s.clients))},
		{"routers", float64(len(s.routers))}}
	about := g.Items[0].V.server.String()
	switch {
	case s.clientsLost == len(g.Items) && len(s.clients) == 1:
		about = "client " + g.Items[0].V.client.String()
	case s.clientsLost == len(g.Items):
		about = plural(len(s.clients), "client")
	case len(s.servers) > 1:
		about = plural(len(s.servers), "server")
	}
	f.Explanation = fmt.Sprintf("%s %s of %s: %s, that is, %s.", who, says, about, kind, obstacles[word.is].means)
	if n := len(s.kinds) - 1; n > 0 {
		f.Explanation += fmt.Sprintf(" %s of error came, too.", plural(n, "other kind"))
	}
	if s.failed > 0 {
		f.SeenBy.Client = word.saw
		f.Explanation += fmt.Sprintf(" %s met it in SYN-SENT: connect() fails with %s on Linux at once, on other systems often after a timeout.",
			plural(s.failed, "connection"), s.saws())
	}
	if s.again > 0 {
		f.Explanation += fmt.Sprintf(" %s repeated the SYN all the same.", plural(s.again, "client socket"))
	}
	if s.later > 0 {
		f.Explanation += fmt.Sprintf(" %s met it when established: TCP keeps the error in mind and goes on until its own timeouts run out.", plural(s.later, "connection"))
	}
	if n := len(g.Items) - s.hurt - s.wentOn; n > 0 {
		f.Explanation += fmt.Sprintf(" What became of %s is not known: the capture ends within %s.", plural(n, "connection"), span(silentFor))
	}
	if s.wentOn > 0 {
		f.Explanation += fmt.Sprintf(" %s went on in spite of it.", plural(s.wentOn, "connection"))
	}
	return f
}
