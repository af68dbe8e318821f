package capture

import (
	"bytes"
	"math/rand"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// theirs is what gopacket says of a frame, where it sees plain TCP over IP:
// no fragment, no tunnel.
func theirs(link uint32, data []byte) (s Segment, ok bool) {
	p := gopacket.NewPacket(data, layers.LinkType(link), gopacket.DecodeOptions{NoCopy: true})
	var ip4 *layers.IPv4
	var ip6 *layers.IPv6
	var tcp *layers.TCP
	s.VLAN = NoVLAN
	n := 0
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.Dot1Q:
			s.VLAN = l.VLANIdentifier
		case *layers.IPv4:
			ip4 = l
			n++
		case *layers.IPv6:
			ip6 = l
			n++
		case *layers.UDP, *layers.GRE, *layers.IPSecAH, *layers.IPv6Routing:
			return s, false
		case *layers.TCP:
			tcp = l
		}
	}
	if tcp == nil || n != 1 {
		return s, false
	}
	s.Seq, s.Ack, s.Window, s.WScale = tcp.Seq, tcp.Ack, tcp.Window, NoWScale
	s.Flags = tcp.Contents[13]
	head := len(tcp.Contents)
	var src, dst net.IP
	if ip4 != nil {
		src, dst, s.TTL, s.IPID = ip4.SrcIP.To4(), ip4.DstIP.To4(), ip4.TTL, ip4.Id
		s.Len = uint32(int(ip4.Length) - int(ip4.IHL)*4 - head)
		s.HdrLen = uint16(int(ip4.IHL)*4 + head)
	} else {
		src, dst, s.TTL = ip6.SrcIP, ip6.DstIP, ip6.HopLimit
		// All octets between the two headers are extensions.
		gap := cap(ip6.Contents) - len(ip6.Contents) - cap(tcp.Contents)
		s.Len = uint32(int(ip6.Length) - gap - head)
		s.HdrLen = uint16(40 + gap + head)
	}
	s.ends(src, dst, uint16(tcp.SrcPort), uint16(tcp.DstPort))
	for _, o := range tcp.Options {
		switch d := o.OptionData; {
		case o.OptionType == layers.TCPOptionKindMSS && len(d) == 2:
			s.Opts, s.MSS = s.Opts|OptMSS, uint16(d[0])<<8|uint16(d[1])
		case o.OptionType == layers.TCPOptionKindWindowScale && len(d) == 1:
			s.Opts, s.WScale = s.Opts|OptWScale, d[0]
		case o.OptionType == layers.TCPOptionKindSACKPermitted && len(d) == 0:
			s.Opts |= OptSACKOK
		case o.OptionType == layers.TCPOptionKindTimestamps && len(d) == 8:
			s.Opts |= OptTS
			s.TSVal = uint32(d[0])<<24 | uint32(d[1])<<16 | uint32(d[2])<<8 | uint32(d[3])
			s.TSEcr = uint32(d[4])<<24 | uint32(d[5])<<16 | uint32(d[6])<<8 | uint32(d[7])
		case o.OptionType == layers.TCPOptionKindSACK && len(d) >= 8 && len(d)%8 == 0:
			s.Opts |= OptSACK
		}
	}
	return s, true
}

// differs compares one frame and reports whether gopacket saw TCP in it.
func differs(t *testing.T, link uint32, data []byte, what any) bool {
	t.Helper()
	want, ok := theirs(link, data)
	if !ok {
		return false
	}
	got, _, ours, st := decodeOne(link, data, 0)
	if !ours {
		t.Errorf("%v: gopacket sees TCP, we %v\n%x", what, st.Skipped, data)
		return true
	}
	got.Time, got.Frame, got.Mark = 0, 0, 0
	got.Opts &^= OptDSACK | OptTFO // which gopacket does not know
	if got != want {
		t.Errorf("%v:\nours     %+v\ngopacket %+v\n%x", what, got, want, data)
	}
	return true
}

// The captures of the repository, frame by frame.
func TestDifferCaptures(t *testing.T) {
	paths, _ := filepath.Glob("../testdata/pcaps/*.pcap")
	frames, tcp := 0, 0
	for _, p := range paths {
		file, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		r, reason := newPcap(walk{w: window{r: bytes.NewReader(file)}})
		if reason != "" {
			continue // damaged on purpose, or compressed
		}
		var fs [1]frame
		for {
			if _, err := r.next(fs[:]); err != nil {
				break
			}
			f := &fs[0]
			frames++
			if f.wire != len(f.data) {
				continue // gopacket wants whole packets
			}
			switch f.ifc.link {
			case linkEthernet, linkSLL, linkRaw, linkLoop:
				if differs(t, f.ifc.link, bytes.Clone(f.data), p) {
					tcp++
				}
			}
		}
	}
	t.Logf("%d captures, %d frames, %d compared", len(paths), frames, tcp)
}

// Frames that gopacket itself makes, of all shapes that it can.
func TestDifferMade(t *testing.T) {
	rng := rand.New(rand.NewSource(7))
	compared := 0
	for i := range 4000 {
		link, data := made(t, rng)
		if differs(t, link, data, i) {
			compared++
		}
		// The same damaged somewhere: gopacket may refuse it, or panic where
		// we do not, but what it reads we read the same.
		bad := bytes.Clone(data)
		at := rng.Intn(len(bad))
		if link == linkEthernet && at >= 12 && at < 14 {
			continue // gopacket reads some rare EtherTypes as others
		}
		bad[at] ^= 1 << rng.Intn(8)
		decodeOne(link, bad, 0)
	}
	if compared < 3900 {
		t.Errorf("only %d compared", compared)
	}
}

func made(t *testing.T, rng *rand.Rand) (uint32, []byte) {
	t.Helper()
	var ls []gopacket.SerializableLayer
	six := rng.Intn(2) == 0
	proto := layers.EthernetTypeIPv4
	if six {
		proto = layers.EthernetTypeIPv6
	}
	tags := rng.Intn(4)
	link := uint32(linkEthernet)
	if tags == 3 {
		link = linkRaw
	} else {
		e := &layers.Ethernet{SrcMAC: make([]byte, 6), DstMAC: make([]byte, 6), EthernetType: proto}
		if tags > 0 {
			e.EthernetType = layers.EthernetTypeDot1Q
		}
		ls = append(ls, e)
		for k := range tags {
			q := &layers.Dot1Q{VLANIdentifier: uint16(rng.Intn(4096)), Type: proto}
			if k+1 < tags {
				q.Type = layers.EthernetTypeDot1Q
			}
			ls = append(ls, q)
		}
	}
	tcp := &layers.TCP{SrcPort: layers.TCPPort(rng.Intn(65536)), DstPort: layers.TCPPort(rng.Intn(65536)), Seq: rng.Uint32(), Ack: rng.Uint32(), Window: uint16(rng.Uint32()),
		FIN: rng.Intn(2) == 0, SYN: rng.Intn(2) == 0, RST: rng.Intn(2) == 0, PSH: rng.Intn(2) == 0, ACK: rng.Intn(2) == 0, URG: rng.Intn(2) == 0, ECE: rng.Intn(2) == 0, CWR: rng.Intn(2) == 0}
	room := 40
	for range rng.Intn(5) {
		o := []layers.TCPOption{
			{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{byte(rng.Intn(256)), 1}},
			{OptionType: layers.TCPOptionKindWindowScale, OptionLength: 3, OptionData: []byte{byte(rng.Intn(256))}},
			{OptionType: layers.TCPOptionKindSACKPermitted, OptionLength: 2},
			{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: []byte{1, 2, 3, byte(rng.Intn(256)), 5, 6, 7, 8}},
			{OptionType: layers.TCPOptionKindSACK, OptionLength: 10, OptionData: []byte{1, 2, 3, 4, 5, 6, 7, byte(rng.Intn(256))}},
			{OptionType: layers.TCPOptionKindNop, OptionLength: 1},
			{OptionType: 30, OptionLength: 5, OptionData: []byte{1, 2, 3}},
		}[rng.Intn(7)]
		if room -= int(o.OptionLength); room < 0 {
			break
		}
		tcp.Options = append(tcp.Options, o)
	}
	if six {
		ip := &layers.IPv6{Version: 6, SrcIP: make([]byte, 16), DstIP: make([]byte, 16), HopLimit: byte(rng.Intn(256)), NextHeader: layers.IPProtocolTCP}
		rng.Read(ip.SrcIP)
		rng.Read(ip.DstIP)
		tcp.SetNetworkLayerForChecksum(ip)
		ls = append(ls, ip)
		if rng.Intn(3) == 0 {
			ip.NextHeader = layers.IPProtocolIPv6Destination
			d := &layers.IPv6Destination{}
			d.NextHeader = layers.IPProtocolTCP
			d.Options = append(d.Options, &layers.IPv6DestinationOption{OptionType: 1, OptionData: make([]byte, 4+8*rng.Intn(4))})
			ls = append(ls, d)
		}
	} else {
		ip := &layers.IPv4{Version: 4, SrcIP: make([]byte, 4), DstIP: make([]byte, 4), TTL: byte(rng.Intn(256)), Id: uint16(rng.Uint32()), Protocol: layers.IPProtocolTCP}
		rng.Read(ip.SrcIP)
		rng.Read(ip.DstIP)
		if rng.Intn(4) == 0 {
			ip.Options = append(ip.Options, layers.IPv4Option{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}})
		}
		tcp.SetNetworkLayerForChecksum(ip)
		ls = append(ls, ip)
	}
	ls = append(ls, tcp, gopacket.Payload(make([]byte, rng.Intn(100))))
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ls...); err != nil {
		t.Fatal(err)
	}
	return link, bytes.Clone(buf.Bytes())
}
