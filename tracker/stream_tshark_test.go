package tracker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"tcpstate/capture"
)

// Stream numbers and completeness are Wireshark's by definition, so tshark is
// the judge here: synthetic captures are written to a file for tshark and as
// Segments for us.

// wireSeg is one segment of a synthetic capture.
type wireSeg struct {
	src, dst netip.AddrPort
	flags    uint8
	seq, ack uint32
	len      int
	quote    int // octets of TCP header that an ICMP error quotes; 0: the segment itself
}

func keyOf(src, dst netip.AddrPort) (k capture.Key, side uint8) {
	lo, hi := src, dst
	if c := lo.Addr().Compare(hi.Addr()); c > 0 || c == 0 && lo.Port() > hi.Port() {
		lo, hi, side = hi, lo, 1
	}
	put := func(to *[16]byte, a netip.Addr) { copy(to[:], a.AsSlice()) }
	put(&k.Lo, lo.Addr())
	put(&k.Hi, hi.Addr())
	k.LoPort, k.HiPort, k.V6 = lo.Port(), hi.Port(), lo.Addr().Is6()
	return k, side
}

func (w *wireSeg) segment(frame int) capture.Segment {
	s := capture.Segment{Frame: uint64(frame), Time: int64(frame) * 1e6, Flags: w.flags, Seq: w.seq, Ack: w.ack,
		Len: uint32(w.len), VLAN: capture.NoVLAN, WScale: capture.NoWScale, Window: 1000}
	s.Key, s.Side = keyOf(w.src, w.dst)
	if w.quote > 0 {
		s.Mark, s.Len = capture.Quoted, uint32(frame) // an index, no length
		if w.quote < 16 {
			s.Mark |= capture.ShortQuote
			s.Flags, s.Ack, s.Window = 0, 0, 0
		}
	}
	return s
}

// packet is the segment as a raw IP packet.
func (w *wireSeg) packet(t *testing.T) []byte {
	t.Helper()
	tcp := &layers.TCP{SrcPort: layers.TCPPort(w.src.Port()), DstPort: layers.TCPPort(w.dst.Port()), Seq: w.seq, Ack: w.ack, Window: 1000,
		FIN: w.flags&capture.FIN != 0, SYN: w.flags&capture.SYN != 0, RST: w.flags&capture.RST != 0, PSH: w.flags&capture.PSH != 0,
		ACK: w.flags&capture.ACK != 0, URG: w.flags&capture.URG != 0, ECE: w.flags&capture.ECE != 0, CWR: w.flags&capture.CWR != 0}
	ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: w.src.Addr().AsSlice(), DstIP: w.dst.Addr().AsSlice()}
	opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	buf := gopacket.NewSerializeBuffer()
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	if err := gopacket.SerializeLayers(buf, opts, ip, tcp, gopacket.Payload(make([]byte, w.len))); err != nil {
		t.Fatal(err)
	}
	if w.quote == 0 {
		return buf.Bytes()
	}
	quoted := slices.Clone(buf.Bytes()[:20+w.quote])
	outer := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolICMPv4, SrcIP: []byte{10, 9, 9, 9}, DstIP: w.src.Addr().AsSlice()}
	icmp := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable, layers.ICMPv4CodeHost)}
	buf = gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, opts, outer, icmp, gopacket.Payload(quoted)); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func writePcap(t *testing.T, segs []wireSeg) string {
	t.Helper()
	var out bytes.Buffer
	w := pcapgo.NewWriter(&out)
	if err := w.WriteFileHeader(65535, layers.LinkTypeRaw); err != nil {
		t.Fatal(err)
	}
	for i := range segs {
		p := segs[i].packet(t)
		ci := gopacket.CaptureInfo{Timestamp: time.UnixMilli(int64(i + 1)), CaptureLength: len(p), Length: len(p)}
		if err := w.WritePacket(ci, p); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "synthetic.pcap")
	if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// tshark runs tshark in two passes with a home of its own, so that nobody's
// preferences count, and returns the rows of fields.
func tshark(t *testing.T, file, filter string, fields ...string) [][]string {
	t.Helper()
	path, err := exec.LookPath("tshark")
	if err != nil {
		const missing = "tshark is not installed (Debian package tshark)"
		if os.Getenv("TCPSTATE_REQUIRE_ALL") == "1" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	// Later versions also begin a stream at a SYN after FIN or RST.
	if version, err := exec.Command(path, "--version").Output(); err != nil || !bytes.Contains(version, []byte(" 4.0.")) {
		const other = "tshark is not version 4.0 (Debian 12 has it); others number streams by other rules"
		if os.Getenv("TCPSTATE_REQUIRE_ALL") == "1" {
			t.Fatal(other)
		}
		t.Skip(other)
	}
	args := []string{"-2", "-n", "-r", file, "-Y", filter, "-T", "fields"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command(path, args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr.String())
	}
	var rows [][]string
	for line := range strings.Lines(string(out)) {
		row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(row) == len(fields) {
			rows = append(rows, row)
		}
	}
	return rows
}

// streamFact is what is compared of one stream.
type streamFact struct {
	first        uint64 // frame
	completeness uint8
}

// numberStreams is the smallest user of StreamBase and Completeness: what the
// table does, with a map.
func numberStreams(segs []capture.Segment) (byFrame map[uint64]int, streams []streamFact) {
	type newest struct {
		base StreamBase
		id   int
	}
	byFrame = map[uint64]int{}
	pairs := map[capture.Key]*newest{}
	var complete []Completeness
	for i := range segs {
		seg := &segs[i]
		if Streamless(seg) {
			continue
		}
		n := pairs[seg.Key]
		switch {
		case n == nil:
			n = &newest{OpenStream(seg), len(streams)}
			pairs[seg.Key] = n
			streams = append(streams, streamFact{first: seg.Frame})
			complete = append(complete, OpenCompleteness(seg))
		case n.base.Starts(seg):
			n.id = len(streams)
			streams = append(streams, streamFact{first: seg.Frame})
			complete = append(complete, ReopenCompleteness(seg))
		default:
			complete[n.id].Apply(seg)
		}
		byFrame[seg.Frame] = n.id
	}
	for i := range streams {
		streams[i].completeness = complete[i].Value()
	}
	return byFrame, streams
}

// compareStreams checks number of every frame, first frame and completeness of
// every stream. rows are frame, stream, completeness; the last row of a stream
// has its end value.
func compareStreams(t *testing.T, segs []capture.Segment, rows [][]string) {
	t.Helper()
	byFrame, ours := numberStreams(segs)
	var theirs []streamFact
	bad := 0
	for _, row := range rows {
		frame, _ := strconv.ParseUint(row[0], 10, 64)
		id, err := strconv.Atoi(row[1])
		if err != nil {
			if n, ok := byFrame[frame]; ok {
				t.Errorf("frame %d: no stream, ours %d", frame, n)
			}
			continue
		}
		value, _ := strconv.Atoi(row[2])
		if n, ok := byFrame[frame]; !ok || n != id {
			t.Errorf("frame %d: stream %d, ours %d (known: %v)", frame, id, n, ok)
			if bad++; bad > 5 {
				t.FailNow()
			}
		}
		delete(byFrame, frame)
		if id == len(theirs) {
			theirs = append(theirs, streamFact{first: frame})
		}
		theirs[id].completeness = uint8(value)
	}
	for frame, id := range byFrame {
		t.Errorf("frame %d: ours %d, none in tshark", frame, id)
	}
	for id := range min(len(ours), len(theirs)) {
		if ours[id] != theirs[id] {
			t.Errorf("stream %d: tshark %+v, ours %+v", id, theirs[id], ours[id])
		}
	}
	if len(ours) != len(theirs) {
		t.Errorf("%d streams, ours %d", len(theirs), len(ours))
	}
}

func compareSynthetic(t *testing.T, segs []wireSeg) {
	t.Helper()
	own := make([]capture.Segment, len(segs))
	for i := range segs {
		own[i] = segs[i].segment(i + 1)
	}
	rows := tshark(t, writePcap(t, segs), "frame", "frame.number", "tcp.stream", "tcp.completeness")
	compareStreams(t, own, rows)
}

// TestStreamsLikeTshark plays random segments on few tuples. Sequence numbers
// come from a handful, so that bases meet and miss each other often.
func TestStreamsLikeTshark(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("192.168.7.200")}
	ports := []uint16{53211, 53212, 53213}
	flagSets := []uint8{
		capture.SYN, capture.SYN, capture.SYN | capture.ACK, capture.SYN | capture.ACK, capture.ACK, capture.ACK, capture.ACK | capture.PSH,
		capture.FIN | capture.ACK, capture.FIN, capture.RST, capture.RST | capture.ACK, 0, capture.PSH,
		capture.SYN | capture.FIN, capture.SYN | capture.RST, capture.SYN | capture.ECE | capture.CWR, capture.FIN | capture.PSH | capture.URG,
		capture.SYN | capture.ACK | capture.FIN, capture.FIN | capture.RST | capture.ACK,
	}
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 29))
			// Few pairs give long streams, many pairs give streams of one packet.
			pairs := 1 << (2 * seed)
			segs := make([]wireSeg, 3000)
			for i := range segs {
				w := &segs[i]
				p := r.IntN(pairs)
				base := uint16(p / 81 * 10)
				w.src = netip.AddrPortFrom(addrs[p%3], ports[p/3%3]+base)
				w.dst = netip.AddrPortFrom(addrs[p/9%3], ports[p/27%3]+base)
				if r.IntN(2) == 0 {
					w.src, w.dst = w.dst, w.src
				}
				w.flags = flagSets[r.IntN(len(flagSets))]
				w.seq, w.ack = 1000+uint32(r.IntN(4)), 1000+uint32(r.IntN(4))
				if r.IntN(8) == 0 {
					w.seq = r.Uint32()
				}
				if r.IntN(3) == 0 {
					w.len = 1 + r.IntN(20)
				}
				if r.IntN(10) == 0 {
					w.quote = []int{8, 15, 16, 20}[r.IntN(4)]
				}
			}
			compareSynthetic(t, segs)
		})
	}
}

// FuzzStreamBase: whatever comes, a stream opened anew knows the base it was
// opened with, so the same SYN never starts twice.
func FuzzStreamBase(f *testing.F) {
	f.Add([]byte{2, 0, 0, 1, 18, 1, 0, 2, 2, 0, 0, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		var b StreamBase
		for ; len(data) >= 4; data = data[4:] {
			seg := capture.Segment{Flags: data[0], Side: data[1] & 1, Mark: data[1] & capture.Quoted, Seq: uint32(binary.BigEndian.Uint16(data[2:])), Ack: uint32(data[3])}
			if b.Starts(&seg) && seg.Mark == 0 && b.Starts(&seg) {
				t.Fatalf("%+v starts a stream twice", seg)
			}
		}
	})
}
