package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/tracker"
)

// Every situation that the state inference tells apart has a ladder that shows it: see
// testdata/ladders/README.md, which lists them in the words of those who see them.

const (
	ladderDir = "../../testdata/ladders"
	written   = "../../tracker/testdata/ladders"
)

// situation is a line of the list.
type situation struct {
	what, source string
	ladders      []string
}

// origin is what a ladder is drawn from: a capture and the number of a stream in it, or a
// ladder that was written by hand.
type origin struct {
	file   string
	stream uint64
}

var (
	situationLine = regexp.MustCompile("^\\| (.+) \\| (.+) \\| ((?:`[a-z0-9-]+`(?:, )?)+) \\|$")
	originLine    = regexp.MustCompile("^\\| `([a-z0-9-]+)` \\| `([a-z0-9_.-]+)`(?: ([0-9]+))? \\|$")
)

// situations reads the list.
func situations(t *testing.T) (all []situation, from map[string]origin) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(ladderDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	from = map[string]origin{}
	for n, line := range strings.Split(string(text), "\n") {
		head := strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| situation |") || strings.HasPrefix(line, "| ladder |")
		switch m, o := situationLine.FindStringSubmatch(line), originLine.FindStringSubmatch(line); {
		case !strings.HasPrefix(line, "|") || head:
		case o != nil:
			stream, _ := strconv.ParseUint(o[3], 10, 64)
			if _, twice := from[o[1]]; twice {
				t.Errorf("line %d: %s twice", n+1, o[1])
			}
			from[o[1]] = origin{o[2], stream}
		case m != nil:
			s := situation{what: m[1], source: m[2]}
			for _, name := range strings.Split(m[3], ", ") {
				s.ladders = append(s.ladders, strings.Trim(name, "`"))
			}
			all = append(all, s)
		default:
			t.Errorf("line %d is neither a situation with source and ladders nor the origin of a ladder: %s", n+1, line)
		}
	}
	return all, from
}

func goldenPath(name string) string { return filepath.Join(ladderDir, name+".ladder") }

func readGolden(t *testing.T, name string) []*report.Ladder {
	t.Helper()
	text, err := os.ReadFile(goldenPath(name))
	if err != nil {
		t.Fatalf("%v (go test ./cmd/tcpstate -run TestSituationsAreDrawn -update makes it)", err)
	}
	return readLadders(t, text)
}

func readLadders(t *testing.T, text []byte) []*report.Ladder {
	t.Helper()
	all, err := report.ParseLadders(bytes.NewReader(text))
	if err != nil || len(all) == 0 {
		t.Fatalf("%d ladders, %v:\n%s", len(all), err, text)
	}
	return all
}

// The ladders are what is drawn of the captures, octet by octet; read back and replayed,
// they have the same states and rules; and those that were written by hand say so too.
func TestSituationsAreDrawn(t *testing.T) {
	_, from := situations(t)
	for name, o := range from {
		t.Run(name, func(t *testing.T) {
			file, hand := filepath.Join(pcaps, o.file), []*report.Ladder(nil)
			if filepath.Ext(o.file) == ".ladder" {
				text, err := os.ReadFile(filepath.Join(written, o.file))
				if err != nil {
					t.Fatal(err)
				}
				hand = readLadders(t, text)
				file = filepath.Join(t.TempDir(), "made.pcap")
				must(os.WriteFile(file, ladderPcap(hand), 0o666))
			}
			got := drawn(t, file, configOf(hand), &o.stream)
			if *update {
				must(os.WriteFile(goldenPath(name), got, 0o666))
			}
			want, err := os.ReadFile(goldenPath(name))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("it is drawn otherwise; -update rewrites it:\n%s", firstDifference(string(got), string(want)))
			}
			replays(t, readLadders(t, got), configOf(hand))
			if hand != nil {
				sameAsWritten(t, hand, readLadders(t, got))
			}
		})
	}
}

// The list is whole: a ladder for each situation, a situation for each ladder, and a ladder
// in which each rule applies.
func TestSituationsHaveLadders(t *testing.T) {
	all, from := situations(t)
	if len(all) < 90 {
		t.Errorf("only %d situations", len(all))
	}
	shown := map[string]bool{}
	for _, s := range all {
		if !strings.Contains(s.source, "RFC ") && !strings.Contains(s.source, "Linux `") && !strings.Contains(s.source, "NDSS") {
			t.Errorf("%s: known from %q?", s.what, s.source)
		}
		for _, name := range s.ladders {
			shown[name] = true
			if _, ok := from[name]; !ok {
				t.Errorf("%s: it is not said where %s is from", s.what, name)
			}
		}
	}
	rules := map[string]string{}
	for name := range from {
		if !shown[name] {
			t.Errorf("%s shows no situation", name)
		}
		for _, l := range readGolden(t, name) {
			for _, r := range l.Rows {
				for _, rule := range r.Rules {
					rules[rule] = name
				}
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(ladderDir, "*.ladder"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".ladder"); !shown[name] {
			t.Errorf("%s is in no list", f)
		}
	}
	for r := tracker.RuleNone + 1; r < tracker.NumRules; r++ {
		if rules[r.Name()] == "" {
			t.Errorf("the rule %s applies in no ladder", r.Name())
		}
	}
}

// All connections of every capture can be printed plainly, read back, and replayed with the
// same states and rules.
func TestLaddersReplay(t *testing.T) {
	for _, file := range captureFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if text := drawn(t, file, tracker.DefaultConfig(), nil); len(text) > 0 {
				replays(t, readLadders(t, text), tracker.DefaultConfig())
			}
		})
	}
}

// configOf are the timers that ladders ask for.
func configOf(ladders []*report.Ladder) tracker.Config {
	cfg := tracker.DefaultConfig()
	for _, l := range ladders {
		if l.TimeWait >= 0 {
			cfg.TimeWait = l.TimeWait
		}
		if l.FinTimeout >= 0 {
			cfg.FinTimeout = l.FinTimeout
		}
	}
	return cfg
}

// drawn is what explain --plain prints of all lives of a capture; or of those of one
// 4-tuple, that of the stream.
func drawn(t *testing.T, file string, cfg tracker.Config, stream *uint64) []byte {
	t.Helper()
	var lives []*tracker.Life
	var key capture.Key
	tr := tracker.New(cfg, tracker.Observer{Life: func(l *tracker.Life) {
		x := *l
		lives = append(lives, &x)
		if stream != nil && l.ID == *stream {
			key = l.Key
		}
	}})
	eachBatch(t, file, tr.Process)
	tr.Finish()
	if stream != nil {
		lives = slices.DeleteFunc(lives, func(l *tracker.Life) bool { return l.Key != key })
	}
	var streams []string
	for _, l := range lives {
		if id := strconv.FormatUint(l.ID, 10); !slices.Contains(streams, id) {
			streams = append(streams, id)
		}
	}
	if streams == nil {
		return nil
	}
	return output(t, exitOf(file), nil, "explain", "--plain", "--stream", strings.Join(streams, ","),
		"--time-wait", cfg.TimeWait.String(), "--fin-timeout", cfg.FinTimeout.String(), file)
}

// replays sends ladders through a tracker, those of a 4-tuple together.
func replays(t *testing.T, all []*report.Ladder, cfg tracker.Config) {
	t.Helper()
	type ends struct{ a, b string }
	tuples := map[ends][]*report.Ladder{}
	for _, l := range all {
		a, b := l.Left.String(), l.Right.String()
		k := ends{min(a, b), max(a, b)}
		tuples[k] = append(tuples[k], l)
	}
	for _, ladders := range tuples {
		for i, got := range report.ReplayLadders(ladders, cfg) {
			if want, got := plainText(ladders[i]), plainText(got); got != want {
				t.Errorf("stream %d is otherwise when it is replayed:\n%s", ladders[i].Stream, firstDifference(got, want))
			}
		}
	}
}

// sameAsWritten compares row by row what was written with what is drawn of the capture that
// was made of it.
func sameAsWritten(t *testing.T, hand, got []*report.Ladder) {
	t.Helper()
	var rows []report.LadderRow
	for _, l := range got {
		for _, r := range l.Rows {
			r.Segment.Time += l.Start - got[0].Start
			if l.Left != hand[0].Left {
				r.States[0], r.States[1] = r.States[1], r.States[0]
			}
			rows = append(rows, r)
		}
	}
	want := slices.Clone(hand[0].Rows)
	if len(want) != len(rows) {
		t.Errorf("%d rows were written, %d are drawn", len(want), len(rows))
		return
	}
	for i := range want {
		w, g := &want[i], &rows[i]
		same := w.Segment.Time-want[0].Segment.Time == g.Segment.Time && w.Timer() == g.Timer()
		for j := range w.States {
			same = same && (w.States[j].Any || w.States[j] == g.States[j])
		}
		if !same || w.Rules != nil && (!slices.Equal(w.Rules, g.Rules) || w.Revoked != g.Revoked) {
			t.Errorf("row %d: written as %v %v, drawn as %v %v", i+1, w.States, w.Rules, g.States, g.Rules)
		}
	}
}

// ladderPcap is a capture of a ladder's segments. It ends with a datagram at the time of
// the last timer, which runs out by it.
func ladderPcap(ladders []*report.Ladder) []byte {
	var b bytes.Buffer
	w := pcapgo.NewWriterNanos(&b)
	must(w.WriteFileHeader(math.MaxUint16, layers.LinkTypeRaw))
	l := ladders[0]
	for i := range l.Rows {
		r := &l.Rows[i]
		var data []byte
		switch {
		case !r.Timer():
			data = ladderPacket(&r.Segment)
		case i == len(l.Rows)-1:
			ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: []byte{10, 9, 9, 9}, DstIP: []byte{10, 9, 9, 8}}
			udp := &layers.UDP{SrcPort: 5000, DstPort: 5001}
			must(udp.SetNetworkLayerForChecksum(ip))
			data = pack(ip, udp)
		default:
			continue
		}
		must(w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(0, epoch+r.Segment.Time), CaptureLength: len(data), Length: len(data)}, data))
	}
	return b.Bytes()
}

// ladderPacket is the packet of a segment, with all that a ladder says of it.
func ladderPacket(s *capture.Segment) []byte {
	src, dst := s.Key.End(s.Side), s.Key.End(s.Side^1)
	has := func(bit uint8) bool { return s.Flags&bit != 0 }
	tcp := &layers.TCP{
		SrcPort: layers.TCPPort(src.Port()), DstPort: layers.TCPPort(dst.Port()), Seq: s.Seq, Ack: s.Ack, Window: s.Window,
		SYN: has(capture.SYN), ACK: has(capture.ACK), FIN: has(capture.FIN), RST: has(capture.RST), PSH: has(capture.PSH), URG: has(capture.URG),
		ECE: has(capture.ECE), CWR: has(capture.CWR),
	}
	option := func(bit uint8, kind layers.TCPOptionKind, data ...byte) {
		if s.Opts&bit != 0 {
			tcp.Options = append(tcp.Options, layers.TCPOption{OptionType: kind, OptionLength: uint8(2 + len(data)), OptionData: data})
		}
	}
	be := func(v ...uint32) (b []byte) {
		for _, v := range v {
			b = append(b, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
		}
		return b
	}
	option(capture.OptMSS, layers.TCPOptionKindMSS, byte(s.MSS>>8), byte(s.MSS))
	option(capture.OptWScale, layers.TCPOptionKindWindowScale, s.WScale)
	option(capture.OptSACKOK, layers.TCPOptionKindSACKPermitted)
	option(capture.OptTS, layers.TCPOptionKindTimestamps, be(s.TSVal, s.TSEcr)...)
	option(capture.OptTFO, 34)
	switch {
	case s.Opts&capture.OptDSACK != 0:
		option(capture.OptSACK, layers.TCPOptionKindSACK, be(s.Ack-2, s.Ack-1)...)
	default:
		option(capture.OptSACK, layers.TCPOptionKindSACK, be(s.Ack+1, s.Ack+2)...)
	}
	data := packet(src.Addr(), dst.Addr(), s.IPID, tcp, bytes.Repeat([]byte("x"), int(s.Len)))
	if ttl := 8; !s.Key.V6 {
		data[ttl] = s.TTL
		data[10], data[11] = 0, 0
		sum := checksum(data[:20])
		data[10], data[11] = byte(sum>>8), byte(sum)
	} else {
		data[7] = s.TTL
	}
	return data
}
