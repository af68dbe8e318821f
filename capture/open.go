package capture

import (
	"fmt"
	"io"
	"net/netip"
	"time"
)

// Options says what to read and what of it to select.
type Options struct {
	Paths []string  // files in the order given; "-" is Stdin. Several are one capture, merged in time order
	Stdin io.Reader // what "-" reads
	Selection
	MaxPackets      uint64 // stop after this many frames; 0 is no limit
	VerifyChecksums bool
	Raw             bool // batches carry the frames that are selected: Batch.Frames
}

// Selection says which segments are of interest. All clauses must hold; within a clause any value.
type Selection struct {
	Filter string         // pcap filter expression; needs libpcap
	Hosts  []netip.Addr   // either end
	Nets   []netip.Prefix // either end
	Ports  []uint16       // either end
	VLANs  []uint16       // any tag of the frame
}

// LiveOptions says how to capture from an interface.
type LiveOptions struct {
	Interface string // "any" too
	Selection
	SnapLen    int  // octets of each frame; 0 is 256
	BufferKiB  int  // kernel buffer; 0 is 32768, or less if that cannot be had
	NoPromisc  bool // -p
	MaxPackets uint64
	Tick       time.Duration // Next returns at least this often; 0 is 200 ms
	Raw        bool          // batches carry the frames that are selected: Batch.Frames
}

// FilterError is a filter expression that does not compile.
type FilterError struct{ Expr, Reason string }

func (e *FilterError) Error() string {
	expr, n := e.Expr, 0
	for i := range expr {
		if n++; n > quotedFilter {
			expr = expr[:i] + "…"
			break
		}
	}
	return fmt.Sprintf("filter %q: %s", expr, e.Reason)
}

// quotedFilter is how much of a filter its error quotes, in characters: it may come from a
// file of any length.
const quotedFilter = 200

// UnreadableError is an input of which nothing can be read: missing, a
// directory, or not a capture file.
type UnreadableError struct {
	Name   string
	Reason string
}

func (e *UnreadableError) Error() string { return e.Name + ": " + e.Reason }

// PermissionError is a live capture that the system does not allow.
type PermissionError struct{ Interface, Reason string }

func (e *PermissionError) Error() string { return e.Interface + ": " + e.Reason }
