package capture

import (
	"errors"
	"io"
)

// Limits on what a file may claim. They are those of Wireshark and libpcap,
// so that a file which those read is read here.
const (
	// MaxBlock is the largest pcapng block, in octets.
	MaxBlock = 16 << 20
	// MaxRecord is the largest captured length of a classic pcap record
	// whose file states no larger snap length.
	MaxRecord = 256 << 10
	// MaxInterfaces is how many interfaces one pcapng section may describe.
	MaxInterfaces = 1 << 16
)

// frame is one captured frame. data is valid until the cursor moves on.
type frame struct {
	time int64 // nanoseconds since 1970 UTC
	data []byte
	wire int // octets on the wire, at least len(data)
	ifc  *iface
	// untimed: neither this frame nor one before it in its file has a time;
	// time is 0 and says nothing.
	untimed bool
}

// iface is what is known of the interface that a frame was captured on.
type iface struct {
	link    uint32 // LINKTYPE_ value
	snap    uint32 // 0: unlimited
	prog    *program
	noProg  bool  // prog was looked for: there is none, or it does not compile
	res     clock // pcapng: how to read its timestamps
	drops   uint64
	osDrop  uint64
	ifDrop  uint64
	counted bool // its link type stands in FileStats
}

// cursor walks the frames of one file.
type cursor interface {
	// next moves on to the next frames, and returns how many of fs it filled:
	// as many as are in view, but one at the least. Errors, without a frame:
	// io.EOF at the end, whatever ended it; errYield if going on could block.
	next(fs []frame) (int, error)
	// state is what both formats keep.
	state() *walk
}

// walk is the state that cursors of all formats share.
type walk struct {
	w       window
	name    string
	format  string
	snap    uint32
	endless bool // one of its interfaces has no snap length
	packets uint64
	links   []string
	damage  []Damage
	dropped uint64
	ifDrop  uint64
	over    bool // nothing more can be read
}

func (c *walk) state() *walk { return c }

// hurt notes damage at an offset.
func (c *walk) hurt(reason string, at int64, cut bool) {
	for i := range c.damage {
		if c.damage[i].Reason == reason {
			c.damage[i].N++
			return
		}
	}
	c.damage = append(c.damage, Damage{File: c.name, Reason: reason, Offset: at, N: 1, Cut: cut})
}

// failed notes that reading failed at an offset, with what the system said of it.
func (c *walk) failed(reason string, at int64, err error) {
	c.hurt(reason, at, false)
	if d := &c.damage[len(c.damage)-1]; d.Reason == reason {
		d.Detail = readWords(err)
	}
}

// stop ends the file with damage at an offset.
func (c *walk) stop(reason string, at int64) error {
	c.hurt(reason, at, false)
	c.over = true
	return io.EOF
}

// dry is called when the window had fewer octets than were needed. It tells a
// clean end from a cut one and from a failing input.
func (c *walk) dry() error {
	err := c.w.why()
	if err == errYield {
		return err
	}
	c.over = true
	at := c.w.offset()
	switch {
	case err == io.EOF && c.w.left() == 0:
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		c.hurt("cut-short", at, true)
	default:
		c.failed(readReason(err), at, err)
	}
	return io.EOF
}

// see notes an interface that has frames or was described.
func (c *walk) see(i *iface) {
	if i.counted {
		return
	}
	i.counted = true
	c.snap = max(c.snap, i.snap)
	c.endless = c.endless || i.snap == 0
	name := LinkName(i.link)
	for _, l := range c.links {
		if l == name {
			return
		}
	}
	if len(c.links) < 64 {
		c.links = append(c.links, name)
	}
}
