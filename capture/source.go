package capture

import "errors"

// Source yields the segments of one capture: a file, several files merged in
// time order, standard input or an interface.
type Source interface {
	// Next empties b and fills it with the next segments. It may return none,
	// with b.Now telling how far time has gone: live when the tick has come,
	// from files after many frames without TCP, and from a pipe when the rest
	// is yet to arrive. At the end it returns io.EOF (with an empty batch).
	// Damage inside a file is no error: what can be read is read, and Stats
	// tells of the rest.
	Next(b *Batch) error
	// Stats may be called between calls of Next and after the end.
	Stats() Stats
	// StatsInto is Stats for who asks often: it keeps the memory of st.
	StatsInto(st *Stats)
	Close() error
}

// Stats tells what a source has read so far.
type Stats struct {
	Files    []FileStats
	Packets  uint64 // frames, with or without TCP; also the last frame's number
	Segments uint64 // TCP segments among them, selected or not, without quotes
	Selected uint64 // those that the filter let through
	First    int64  // time of the first frame that has one, ns; 0 if none has
	Last     int64  // latest time of a frame seen so far, ns
	// Skipped counts frames that were read but not analysed as TCP although they
	// claim to be IP, by reason, sorted by reason ("truncated-ip", "fragment-incomplete" ...).
	Skipped []Skip
	// Damage lists what could not be read, by file and reason. Any entry
	// makes the exit status 3 (interface.md), except Cut tails under
	// --allow-truncated.
	Damage []Damage
	// Dropped is the number of frames that the capturing side says it lost:
	// interface statistics blocks, or the live handle's counters.
	Dropped    uint64
	IfDropped  uint64
	Link       Link   // of the interface, live
	TimeBack   uint64 // frames whose time is before the frame before
	BackBy     int64  // by how much at the most, ns
	TaggedTCP  uint64 // TCP segments in VLAN-tagged frames: a filter without "vlan" misses them
	Quotes     uint64 // TCP headers quoted in ICMP errors
	ReadBytes  int64  // octets of input consumed, of all files, before decompression: for progress
	TotalBytes int64  // sum of the sizes of the input files; -1 if unknown (a pipe)
}

// Link is how a captured interface fares.
type Link struct {
	State   LinkState
	Since   int64  // when it was found to be so, wall clock, ns
	Changes uint64 // how often it has become something else since the start
}

// LinkState is what the system says of an interface.
type LinkState uint8

const (
	LinkUnknown   LinkState = iota // also of files, and of the interface "any"
	LinkUp                         // IFF_UP and IFF_RUNNING (netdevice(7))
	LinkNoCarrier                  // IFF_UP only: nothing is plugged in, or the other end is down
	LinkDown                       // may come back: the capture waits for it
	LinkGone                       // removed or moved to another network namespace: the end
)

// reset empties st and keeps its memory.
func (st *Stats) reset() {
	*st = Stats{Files: st.Files[:0], Skipped: st.Skipped[:0], Damage: st.Damage[:0]}
}

// FileStats tells about one input file.
type FileStats struct {
	Name        string
	Format      string   // "pcap", "pcapng", "live"
	Compression string   // "", "gzip", "zstd"
	LinkTypes   []string // names, in order of appearance
	Packets     uint64
	SnapLen     uint32 // the largest of its interfaces, 0 if unlimited
}

// Skip counts one reason for not analysing a frame.
type Skip struct {
	Reason string
	N      uint64
	Frame  uint64 // the first such frame
}

// Damage is one kind of unreadable input.
type Damage struct {
	File   string
	Reason string // "cut-short", "bad-block-length" ...
	Offset int64  // of the first, in octets from the start of the uncompressed file
	N      uint64
	Detail string // more words, where there are any
	// Cut: the file merely ends inside a record, as a capture that was
	// interrupted does.
	Cut bool
}

// ErrNoLibpcap is returned where a filter expression or a live capture is
// asked of a program built without libpcap.
var ErrNoLibpcap = errors.New("built without libpcap: no live capture and no filter expressions (--host, --net, --port and --vlan work)")
