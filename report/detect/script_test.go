package detect_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
)

// script is a ladder file, read to be played. The format is described in
// ladders_test.go.
type script struct {
	expect    []string
	values    detect.Values
	os        detect.OS
	timeWait  time.Duration
	end       time.Duration // 0 with the last segment
	fileOrder bool
	stats     capture.Stats
	segments  []capture.Segment
	quotes    []capture.Quote // Len of the quoted segments is their index
}

// playStart is when a played capture begins: 2026-01-02 03:04:05 UTC.
const playStart = 1767323045_000000000

// timeWaits are the TIME-WAITs of --os.
var timeWaits = map[string]time.Duration{"linux": 60 * time.Second, "windows": 120 * time.Second, "macos": 30 * time.Second,
	"freebsd": 60 * time.Second, "rfc": 240 * time.Second}

// block is one ladder of the file with the directives before it.
type block struct {
	head    []string // stream N CLIENT → SERVER
	isn     [2]uint64
	lines   []string
	quotes  []capture.Quote // of its quoted rows, in order
	at      time.Duration
	times   int
	every   time.Duration
	growing []string
}

// reader reads the lines of a file.
type reader struct {
	s     *script
	at    block // directives for the next block
	all   []*block
	quote *capture.Quote
}

func parseScript(text string) (*script, error) {
	r := &reader{s: &script{values: detect.Values{}, os: detect.OSes["linux"], timeWait: timeWaits["linux"]}, at: block{times: 1}}
	plain := strings.Split(text, "\n")
	for i, line := range plain {
		var err error
		if plain[i], err = r.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if _, err := report.ParseLadders(strings.NewReader(strings.Join(plain, "\n"))); err != nil {
		return nil, err // with the file's own line
	}
	for _, b := range r.all {
		if err := r.s.add(b); err != nil {
			return nil, err
		}
	}
	if len(r.s.segments) == 0 {
		return nil, errors.New("no segments")
	}
	r.s.number()
	return r.s, nil
}

// line takes note of a line and returns it in the ladders' own grammar.
func (r *reader) line(line string) (string, error) {
	if d, ok := strings.CutPrefix(line, "#!"); ok {
		return "", r.directive(strings.Fields(d))
	}
	line, _, _ = strings.Cut(line, " #")
	w := strings.Fields(line)
	if len(w) == 0 || strings.HasPrefix(w[0], "#") {
		return "", nil
	}
	switch w[0] {
	case "stream":
		b := r.at
		b.head = w
		r.at = block{times: 1}
		r.all = append(r.all, &b)
		return line, nil
	case "config":
		return "", errors.New("config: say #! time-wait DURATION")
	case "frame":
		return line, nil
	}
	if len(r.all) == 0 {
		return line, nil // the ladders' parser knows the words for it
	}
	b := r.all[len(r.all)-1]
	if w[0] == "isn" && len(w) == 3 {
		for i := range b.isn {
			b.isn[i], _ = strconv.ParseUint(w[1+i], 10, 32)
		}
		return line, nil
	}
	if len(w) > 3 && strings.Trim(w[1], "─-◀<") == "" {
		line = w[0] + " * " + strings.Join(w[1:], " ") + " *"
	}
	if slices.Contains(w, "quoted") {
		if r.quote == nil {
			return "", errors.New("a quoted row needs #! quote ROUTER TYPE CODE before it")
		}
		b.quotes = append(b.quotes, *r.quote)
	}
	b.lines = append(b.lines, line)
	return line, nil
}

func (r *reader) directive(w []string) (err error) {
	if len(w) == 0 {
		return errors.New("#! stands before a directive")
	}
	s := r.s
	arg := strings.Join(w[1:], " ")
	switch w[0] {
	case "expect":
		s.expect = append(s.expect, arg)
	case "set":
		return s.values.Set(arg)
	case "os":
		var ok bool
		if s.os, ok = detect.OSes[arg]; !ok {
			return fmt.Errorf("os %q", arg)
		}
		s.timeWait = timeWaits[arg]
	case "time-wait":
		s.timeWait, err = time.ParseDuration(arg)
	case "at":
		r.at.at, err = time.ParseDuration(arg)
	case "end":
		s.end, err = time.ParseDuration(arg)
	case "file-order":
		s.fileOrder = true
	case "repeat":
		if len(w) < 4 || w[2] != "every" {
			return errors.New("it is: repeat N every DURATION [WHAT...]")
		}
		if r.at.times, err = strconv.Atoi(w[1]); err == nil {
			r.at.every, err = time.ParseDuration(w[3])
		}
		if r.at.growing = w[4:]; len(r.at.growing) == 0 {
			r.at.growing = []string{"port"}
		}
	case "quote":
		r.quote, err = readQuote(w[1:])
	case "stats":
		return s.readStats(w[1:])
	default:
		return fmt.Errorf("#! %s is no directive", w[0])
	}
	return err
}

// readQuote reads ROUTER TYPE CODE [MTU].
func readQuote(w []string) (*capture.Quote, error) {
	if len(w) != 3 && len(w) != 4 {
		return nil, errors.New("it is: quote ROUTER TYPE CODE [MTU]")
	}
	from, err := netip.ParseAddr(w[0])
	if err != nil {
		return nil, err
	}
	var n [3]uint64
	for i, x := range w[1:] {
		if n[i], err = strconv.ParseUint(x, 10, []int{8, 8, 32}[i]); err != nil {
			return nil, err
		}
	}
	return &capture.Quote{From: from, V6: from.Is6(), Type: uint8(n[0]), Code: uint8(n[1]), MTU: uint32(n[2])}, nil
}

func (s *script) readStats(w []string) error {
	for _, kv := range w {
		k, v, _ := strings.Cut(kv, "=")
		n, err := strconv.ParseUint(v, 10, 32)
		if err != nil {
			return fmt.Errorf("stats: %q is not KEY=N", kv)
		}
		switch k {
		case "dropped":
			s.stats.Dropped = n
		case "if-dropped":
			s.stats.IfDropped = n
		case "snaplen":
			s.stats.Files = []capture.FileStats{{Name: "ladder.pcap", Format: "pcap", SnapLen: uint32(n)}}
		case "damage", "cut":
			s.stats.Damage = append(s.stats.Damage, capture.Damage{File: "ladder.pcap",
				Reason: map[string]string{"damage": "block-too-large", "cut": "cut-short"}[k], N: n, Cut: k == "cut"})
		default:
			return fmt.Errorf("stats: there is no %q", k)
		}
	}
	return nil
}

// add plays a block as often as it is to be.
func (s *script) add(b *block) error {
	client, err1 := netip.ParseAddrPort(b.head[2])
	server, err2 := netip.ParseAddrPort(b.head[4])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	var text strings.Builder
	for range b.times {
		fmt.Fprintf(&text, "stream 0 %s → %s\nisn %d %d\n%s\n", client, server, b.isn[0], b.isn[1], strings.Join(b.lines, "\n"))
		for _, what := range b.growing {
			switch what {
			case "port":
				client = netip.AddrPortFrom(client.Addr(), client.Port()+1)
			case "addr":
				client = netip.AddrPortFrom(client.Addr().Next(), client.Port())
			case "server-port":
				server = netip.AddrPortFrom(server.Addr(), server.Port()+1)
			case "server-addr":
				server = netip.AddrPortFrom(server.Addr().Next(), server.Port())
			case "same":
				b.isn[0], b.isn[1] = (b.isn[0]+1e6)&0xffffffff, (b.isn[1]+1e6)&0xffffffff
			default:
				return fmt.Errorf("repeat: %q does not count up", what)
			}
		}
		if client.Port() == 0 || server.Port() == 0 {
			return errors.New("repeat: the port went past 65535")
		}
	}
	all, err := report.ParseLadders(strings.NewReader(text.String()))
	if err != nil {
		return err
	}
	for i, l := range all {
		n := 0
		for _, seg := range l.Segments(playStart + int64(b.at) + int64(i)*int64(b.every)) {
			if seg.Mark&capture.Quoted != 0 {
				seg.Len = uint32(len(s.quotes))
				s.quotes = append(s.quotes, b.quotes[n])
				n++
			}
			s.segments = append(s.segments, seg)
		}
	}
	return nil
}

// number puts the segments in order and gives them their frames.
func (s *script) number() {
	if !s.fileOrder {
		slices.SortStableFunc(s.segments, func(a, b capture.Segment) int { return int(max(-1, min(1, a.Time-b.Time))) })
	}
	for i := range s.segments {
		x := &s.segments[i]
		x.Frame, x.Hash = uint64(i+1), x.Key.Hash()
		if i > 0 && x.Time < s.segments[i-1].Time {
			x.Mark |= capture.TimeBack
		}
	}
}
