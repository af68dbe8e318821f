//go:build cgo && !nolibpcap

package capture

import (
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/gopacket/pcap"
)

const (
	defaultSnapLen = 256 // headers of any usual stack, and little of anybody's data
	defaultTick    = 200 * time.Millisecond
)

// Flags of pcap_findalldevs (pcap/pcap.h).
const (
	pcapLoopback = 1
	pcapUp       = 2
)

// Interfaces lists the interfaces that can be captured from, in libpcap's
// order: the likeliest first.
func Interfaces() ([]Interface, error) {
	devs, err := pcap.FindAllDevs()
	if err != nil {
		return nil, err
	}
	var is []Interface
	for _, d := range devs {
		i := Interface{Name: d.Name, Description: d.Description, Up: d.Flags&pcapUp != 0, Loopback: d.Flags&pcapLoopback != 0}
		for _, a := range d.Addresses {
			if ip, ok := netip.AddrFromSlice(a.IP); ok {
				i.Addresses = append(i.Addresses, ip.Unmap())
			}
		}
		is = append(is, i)
	}
	return is, nil
}

// OpenLive starts a capture. The filter expression sits in the kernel, and
// frames are numbered behind it; --host and its like mark segments as they do
// in files.
//
// An expression that does not compile makes a FilterError, a capture that the
// system does not allow a PermissionError, an interface that is not there or
// not up an UnreadableError. Next, Stats and Close are for one goroutine; Stop
// is for any.
func OpenLive(o LiveOptions) (Source, error) {
	if o.SnapLen <= 0 {
		o.SnapLen = defaultSnapLen
	}
	if o.Tick <= 0 {
		o.Tick = defaultTick
	}
	promisc := !o.NoPromisc && o.Interface != "any"
	h, err := activate(&o, promisc)
	if err != nil && promisc && isWarning(err) {
		// libpcap merely warns that the device knows no promiscuous mode;
		// gopacket takes that for a failure.
		h, err = activate(&o, false)
	}
	if err != nil {
		return nil, liveError(o.Interface, err)
	}
	if o.Filter != "" {
		if err := h.SetBPFFilter(o.Filter); err != nil {
			h.Close()
			return nil, &FilterError{Expr: o.Filter, Reason: err.Error()}
		}
	}
	s := &liveSource{h: h, name: o.Interface, tick: o.Tick, max: o.MaxPackets, d: newDecoder(newSelector(&o.Selection, nil), false)}
	s.d.raw = o.Raw
	s.ifc = iface{link: uint32(h.LinkType()), snap: uint32(o.SnapLen)}
	s.links[0] = LinkName(s.ifc.link)
	return s, nil
}

func activate(o *LiveOptions, promisc bool) (*pcap.Handle, error) {
	in, err := pcap.NewInactiveHandle(o.Interface)
	if err != nil {
		return nil, err
	}
	defer in.CleanUp()
	// The handle's own timeout is how long a read waits for a frame. It bounds
	// how late Stop and the tick are heeded.
	wait := min(max(o.Tick/2, 10*time.Millisecond), 250*time.Millisecond)
	errs := []error{in.SetSnapLen(o.SnapLen), in.SetPromisc(promisc), in.SetTimeout(wait)}
	if o.BufferKiB > 0 {
		errs = append(errs, in.SetBufferSize(o.BufferKiB<<10))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return in.Activate() // in nanoseconds, where libpcap offers them
}

// promiscDenied is PCAP_ERROR_PROMISC_PERM_DENIED (pcap/pcap.h), for which
// gopacket has no name.
const promiscDenied = "unknown activated error: -11"

// isWarning recognises the activation results that are warnings; gopacket
// exports their text alone.
func isWarning(err error) bool { return strings.Contains(strings.ToLower(err.Error()), "promisc") }

func liveError(name string, err error) error {
	t := strings.ToLower(err.Error())
	if strings.Contains(t, promiscDenied) {
		return &PermissionError{Interface: name, Reason: "promiscuous mode is not permitted"}
	}
	for _, denied := range []string{"permission", "not permitted", "denied"} {
		if strings.Contains(t, denied) {
			return &PermissionError{Interface: name, Reason: err.Error()}
		}
	}
	return &UnreadableError{Name: name, Reason: err.Error()}
}

// liveSource reads an interface.
type liveSource struct {
	h       *pcap.Handle
	d       *decoder
	ifc     iface
	f       frame
	name    string
	links   [1]string // what the link type is called
	tick    time.Duration
	max     uint64
	err     error
	closed  bool
	stop    atomic.Bool
	asked   time.Time // when the drop counters were read last
	dropped uint64
	ifDrop  uint64
}

// Stop makes Next return io.EOF at its next tick at the latest.
func (s *liveSource) Stop() { s.stop.Store(true) }

// Next returns when the batch is full or the tick has come. With nothing
// captured, Batch.Now is the wall clock less one tick: frames younger than
// that may still be on their way through the kernel.
func (s *liveSource) Next(b *Batch) error {
	b.Reset()
	b.Start, b.Clock = s.d.high, s.d.high
	if cap(b.Segments) < BatchSize {
		b.Segments = make([]Segment, 0, BatchSize)
	}
	if s.err != nil {
		return s.err
	}
	start, before := time.Now(), s.d.frames
	for n := 1; len(b.Segments) < BatchSize && !b.full(); n++ {
		if s.closed || s.stop.Load() || s.max > 0 && s.d.frames >= s.max {
			s.err = io.EOF
			break
		}
		data, ci, err := s.h.ZeroCopyReadPacketData()
		switch {
		case err == nil:
			s.f = frame{time: ci.Timestamp.UnixNano(), data: data, wire: max(ci.Length, len(data)), ifc: &s.ifc}
			s.d.frame(&s.f, b)
			if n%64 != 0 { // the clock costs more than a small frame
				continue
			}
		case errors.Is(err, pcap.NextErrorTimeoutExpired):
		case err == io.EOF:
			s.err = io.EOF
		default:
			s.err = &UnreadableError{Name: s.name, Reason: err.Error()}
		}
		if s.err != nil || time.Since(start) >= s.tick {
			break
		}
	}
	if s.d.frames == before {
		if s.err != nil {
			return s.err
		}
		b.Now = max(time.Now().Add(-s.tick).UnixNano(), s.d.last)
		s.d.high = max(s.d.high, b.Now)
		b.Clock = s.d.high
	}
	return nil
}

func (s *liveSource) Stats() (st Stats) {
	s.StatsInto(&st)
	return st
}

func (s *liveSource) StatsInto(st *Stats) {
	st.reset()
	st.TotalBytes = -1
	s.d.stats(st)
	if now := time.Now(); now.Sub(s.asked) >= time.Second {
		s.asked = now
		s.count()
	}
	st.Dropped, st.IfDropped = s.dropped, s.ifDrop
	st.Files = append(st.Files, FileStats{Name: s.name, Format: "live", LinkTypes: s.links[:], Packets: s.d.frames, SnapLen: s.ifc.snap})
}

// count reads the kernel's counters.
func (s *liveSource) count() {
	if s.closed {
		return
	}
	if st, err := s.h.Stats(); err == nil {
		s.dropped, s.ifDrop = uint64(max(st.PacketsDropped, 0)), uint64(max(st.PacketsIfDropped, 0))
	}
}

func (s *liveSource) Close() error {
	if !s.closed {
		s.count()
		s.closed = true
		s.h.Close()
	}
	return nil
}
