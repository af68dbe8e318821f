//go:build cgo && !nolibpcap

package capture

import (
	"errors"
	"io"
	"math"
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

// defaultBuffers are tried in turn, in KiB. What comes while we pause for
// 100 ms lies in the kernel's buffer: by frames of 256 octets, some 900,000 a
// second go into the first.
var defaultBuffers = []int{32 << 10, 8 << 10, 2 << 10}

// Flags of pcap_findalldevs (pcap/pcap.h).
const (
	pcapLoopback = 1 << iota
	pcapUp
	pcapRunning
	pcapWireless
	pcapConnection = 3 << 4
)

// connections are the values of pcapConnection in tcpdump's words, those of
// wireless interfaces behind.
var connections = [2][4]string{
	{unsure, "Connected", "Disconnected", ""},
	{unsureWireless, "Associated", "Not associated", ""},
}

// Interfaces lists the interfaces that can be captured from, in libpcap's
// order: the likeliest first.
func Interfaces() ([]Interface, error) {
	devs, err := pcap.FindAllDevs()
	if err != nil {
		return nil, err
	}
	var is []Interface
	for _, d := range devs {
		i := Interface{
			Name: d.Name, Description: d.Description, Up: d.Flags&pcapUp != 0, Running: d.Flags&pcapRunning != 0,
			Loopback: d.Flags&pcapLoopback != 0, Wireless: d.Flags&pcapWireless != 0,
		}
		i.Connection = connections[d.Flags&pcapWireless/pcapWireless][d.Flags&pcapConnection>>4]
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
	buffers := defaultBuffers
	if o.BufferKiB > 0 {
		buffers = []int{o.BufferKiB}
	}
	h, err := activate(&o, promisc, buffers)
	if err != nil && promisc && isWarning(err) {
		// libpcap merely warns that the device knows no promiscuous mode;
		// gopacket takes that for a failure.
		h, err = activate(&o, false, buffers)
	}
	if err != nil {
		return nil, liveError(o.Interface, err)
	}
	// The empty expression, too: it is the filter that cuts frames to the
	// snapshot length, and without one the kernel's buffer holds whole ones.
	if err := h.SetBPFFilter(o.Filter); err != nil && o.Filter != "" {
		h.Close()
		return nil, &FilterError{Expr: o.Filter, Reason: err.Error()}
	}
	s := &liveSource{
		h: h, w: newWatch(o.Interface), name: o.Interface, tick: o.Tick, late: 5 * turn(o.Tick) / 2, max: o.MaxPackets,
		until: math.MaxInt64, d: newDecoder(newSelector(&o.Selection, nil), false),
	}
	s.d.raw = o.Raw
	s.ifc = iface{link: uint32(h.LinkType()), snap: uint32(o.SnapLen)}
	s.links[0] = LinkName(s.ifc.link)
	if s.w != nil {
		s.link.seen(s.w.look(), time.Now().UnixNano())
	}
	return s, nil
}

// turn is how long a reading waits for frames. A frame reaches us when the
// kernel closes the block that it lies in, after two turns at the most
// (net/packet/af_packet.c).
func turn(tick time.Duration) time.Duration {
	return min(max(tick/2, 10*time.Millisecond), 100*time.Millisecond)
}

// activate opens the interface with the first of the buffers that can be had.
// Of each libpcap already takes less where the kernel lacks memory, but not
// where we may not map so much.
func activate(o *LiveOptions, promisc bool, buffers []int) (h *pcap.Handle, err error) {
	for _, kib := range buffers {
		h, err = activateWith(o, promisc, kib)
		if err == nil || !strings.Contains(err.Error(), "rx ring") {
			break
		}
	}
	return h, err
}

func activateWith(o *LiveOptions, promisc bool, kib int) (*pcap.Handle, error) {
	in, err := pcap.NewInactiveHandle(o.Interface)
	if err != nil {
		return nil, err
	}
	defer in.CleanUp()
	err = errors.Join(in.SetSnapLen(o.SnapLen), in.SetPromisc(promisc), in.SetTimeout(turn(o.Tick)), in.SetBufferSize(kib<<10))
	if err != nil {
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
	switch {
	case strings.Contains(t, promiscDenied):
		return &PermissionError{Interface: name, Reason: "promiscuous mode is not permitted"}
	case strings.Contains(t, "no such device"):
		return &UnreadableError{Name: name, Reason: "no such interface"}
	case strings.Contains(t, "interface not up"):
		return &UnreadableError{Name: name, Reason: "the interface is not up"}
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
	h      *pcap.Handle
	w      *watch // nil if nothing is known of the interface
	d      *decoder
	ifc    iface
	f      frame
	name   string
	links  [1]string // what the link type is called
	tick   time.Duration
	late   time.Duration // how long the kernel may keep a frame
	max    uint64
	prev   int64 // time of the frame before, ns
	link   Link
	gone   time.Time // when the interface was found to be gone
	err    error
	closed bool
	stop   atomic.Bool
	ending time.Time // when stop was seen
	until  int64     // the same in ns: frames after it are none of ours
	asked  time.Time // when the drop counters were read last
	drops  wrapping
	ifDrop wrapping
}

// Stop makes Next return io.EOF once what was captured before is read: some
// 300 ms later at the most, unless more lies in the kernel's buffer.
func (s *liveSource) Stop() { s.stop.Store(true) }

// Next returns when the batch is full or the tick has come. With nothing
// captured, Batch.Now is the wall clock less the time that younger frames may
// still take through the kernel.
func (s *liveSource) Next(b *Batch) error {
	b.Reset()
	b.Start, b.Clock = s.d.high, s.d.high
	if cap(b.Segments) < BatchSize {
		b.Segments = make([]Segment, 0, BatchSize)
	}
	if s.err != nil {
		return s.err
	}
	before := s.d.frames
	if s.err = s.fill(b); s.d.frames > before {
		if (s.link.State == LinkDown || s.link.State == LinkNoCarrier) && s.err == nil {
			s.err = s.look()
		}
		return nil // an error comes next time
	}
	if s.err == nil {
		s.err = s.look()
	}
	if s.err != nil {
		return s.err
	}
	b.Now = max(time.Now().Add(-s.tick-s.late).UnixNano(), s.d.last)
	s.d.high = max(s.d.high, b.Now)
	b.Clock = s.d.high
	return nil
}

// lull is the time between two frames after which a clock is worth reading:
// by frames that come more often, 64 of them are over sooner than a turn.
const lull = int64(time.Millisecond)

// fill reads until the batch is full or the tick has come. It reads the clock
// seldom: that costs more than a small frame.
func (s *liveSource) fill(b *Batch) error {
	start := time.Now()
	for n := 1; len(b.Segments) < BatchSize && !b.full(); n++ {
		if s.closed || s.max > 0 && s.d.frames >= s.max {
			return io.EOF
		}
		data, ci, err := s.h.ZeroCopyReadPacketData()
		waited := err != nil
		if err == nil {
			s.f = frame{time: ci.Timestamp.UnixNano(), data: data, wire: max(ci.Length, len(data)), ifc: &s.ifc}
			if s.f.time > s.until {
				return io.EOF
			}
			s.d.frame(&s.f, b)
			since := s.f.time - s.prev
			s.prev = s.f.time
			if n%64 != 0 && since < lull {
				continue
			}
		} else if err != pcap.NextErrorTimeoutExpired {
			if err = s.failed(err); err != nil {
				return err
			}
		}
		now := time.Now()
		switch {
		case s.ending.IsZero() && s.stop.Load():
			s.ending, s.until = now, now.UnixNano()
		case !s.ending.IsZero() && waited && now.Sub(s.ending) >= s.late:
			return io.EOF
		}
		if now.Sub(start) >= s.tick {
			return nil
		}
	}
	return nil
}

// failed says whether an error of reading is the end. An interface that is
// down may come back, and the handle then goes on: the kernel keeps it bound.
// Of one that is gone, the last frames may still be in the kernel.
func (s *liveSource) failed(err error) error {
	if err == io.EOF {
		return err
	}
	reason := s.h.Error().Error()
	t := strings.ToLower(reason)
	down, gone := strings.Contains(t, "went down"), strings.Contains(t, "disappeared")
	if !down && !gone {
		return &UnreadableError{Name: s.name, Reason: reason}
	}
	now := time.Now()
	is := LinkDown
	if s.w != nil {
		is = s.w.look()
	} else if gone {
		is = LinkGone
	}
	s.link.seen(is, now.UnixNano())
	if is == LinkGone {
		if s.gone.IsZero() {
			s.gone = now
		} else if now.Sub(s.gone) >= s.late {
			return s.vanished()
		}
	}
	<-time.After(20 * time.Millisecond) // libpcap says it again at once
	return nil
}

// look sees after the interface when nothing came from it for a tick, or
// something although it was down.
func (s *liveSource) look() error {
	if s.w == nil {
		return nil
	}
	s.link.seen(s.w.look(), time.Now().UnixNano())
	if s.link.State == LinkGone {
		return s.vanished()
	}
	return nil
}

func (s *liveSource) vanished() error {
	return &UnreadableError{Name: s.name, Reason: "the interface vanished"}
}

func (s *liveSource) Stats() (st Stats) {
	s.StatsInto(&st)
	return st
}

func (s *liveSource) StatsInto(st *Stats) {
	st.reset()
	st.TotalBytes = -1
	s.d.stats(st)
	if now := time.Now(); now.Sub(s.asked) >= time.Second || s.err != nil {
		s.asked = now
		s.count()
	}
	st.Dropped, st.IfDropped, st.Link = s.drops.total, s.ifDrop.total, s.link
	st.Files = append(st.Files, FileStats{Name: s.name, Format: "live", LinkTypes: s.links[:], Packets: s.d.frames, SnapLen: s.ifc.snap})
}

// count reads the kernel's counters.
func (s *liveSource) count() {
	if s.closed {
		return
	}
	st, err := s.h.Stats()
	if err == nil {
		s.drops.read(uint32(st.PacketsDropped))
	}
	if s.w != nil {
		if n, known := s.w.lost(); known {
			s.ifDrop.total = n
		}
	} else if err == nil {
		s.ifDrop.read(uint32(st.PacketsIfDropped))
	}
}

func (s *liveSource) Close() error {
	if !s.closed {
		s.count()
		s.closed = true
		s.h.Close()
		if s.w != nil {
			s.w.close()
		}
	}
	return nil
}
