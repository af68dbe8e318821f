package capture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// MaxZstdWindow is the largest window of zstd data that is accepted, in
// octets: what the zstd program itself takes without being asked (--long=27).
// Each open file may need one. Beside wideWindows others, a file may have no
// more than modestWindow, which RFC 8878 section 3.1.1.1.2 wants all decoders
// to take and all encoders to keep to.
const (
	MaxZstdWindow = 128 << 20
	modestWindow  = 8 << 20
	wideWindows   = 4
)

// zipRead is how much of gzip data is read at a time.
const zipRead = 64 << 10

// input is one file, from its name to the cursor over its frames.
type input struct {
	name  string
	stdin io.Reader // if the name is "-"
	size  int64     // octets in the file; -1 if not known
	zip   string    // "", "gzip", "zstd"
	wary  bool      // reading may block: a pipe
	one   bool      // the only input
	place int       // among the inputs
	zstds *int      // how many inputs are open that hold zstd data

	cur     cursor
	ahead   int     // how many frames to take from cur at a time
	frames  []frame // those taken: decoded up to at
	at      int
	time    int64 // of the frame that comes next, if it is known or asleep
	asleep  bool  // closed again until its turn comes
	ended   bool
	packets uint64 // taken from it
	raw     counter
	closers []func()
}

// counter counts what was read. Decompression may read from a goroutine of
// its own.
type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// open finds out what the file is and stops in front of its first frame.
func (in *input) open() error {
	in.raw.n.Store(0)
	in.size = -1
	if in.name == "-" {
		if in.stdin == nil {
			return in.unreadable("no standard input")
		}
		in.raw.r = in.stdin
		in.wary = true
		if f, ok := in.stdin.(*os.File); ok {
			in.inspect(f)
		}
	} else {
		f, err := os.Open(in.name)
		if err != nil {
			return in.unreadable(plain(err))
		}
		in.closers = append(in.closers, func() { f.Close() })
		in.raw.r = f
		in.wary = true
		if in.inspect(f) {
			in.close()
			return in.unreadable("is a directory")
		}
	}
	if reason := in.sniff(); reason != "" {
		in.close()
		return in.unreadable(reason)
	}
	return nil
}

// inspect asks the system about a file. It reports whether it is a directory.
func (in *input) inspect(f *os.File) (dir bool) {
	st, err := f.Stat()
	if err != nil {
		return false
	}
	if st.Mode().IsRegular() {
		in.size, in.wary = st.Size(), false
	}
	return st.IsDir()
}

func (in *input) unreadable(reason string) error {
	return &UnreadableError{Name: in.name, Reason: reason}
}

// plain is an error's text without the path, which UnreadableError has.
func plain(err error) string {
	var pe *fs.PathError
	switch {
	case errors.As(err, &pe):
		return pe.Err.Error()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "cut short"
	}
	return err.Error()
}

// sniff makes the cursor from the first octets. It returns why it cannot.
func (in *input) sniff() (reason string) {
	c := walk{name: in.name, w: window{r: &in.raw, wary: in.wary}}
	w := &c.w
	// Four octets tell what is known; a pipe may not have more yet.
	w.need(4)
	if zip, r, err := in.unzip(w); err != nil {
		return zip + " data: " + plain(err)
	} else if zip != "" {
		in.zip = zip
		c.w = window{r: r, wary: in.wary}
		w.need(4)
	}
	b := w.buf[w.pos:w.end]
	if _, _, ok := pcapMagic(b); ok {
		p, reason := newPcap(c)
		if reason != "" {
			return reason + in.broken(w)
		}
		in.cur = p
		return ""
	}
	if len(b) >= 4 && binary.LittleEndian.Uint32(b) == blockSection {
		p := newPcapng(c)
		if p.w.need(12) {
			h := p.w.buf[p.w.pos:]
			if le, be := binary.LittleEndian.Uint32(h[8:]), binary.BigEndian.Uint32(h[8:]); le != byteOrderMagic && be != byteOrderMagic {
				return "not a capture: a pcapng section header without its byte order"
			}
		} else {
			return "cut short inside the pcapng section header" + in.broken(&p.w)
		}
		in.cur = p
		return ""
	}
	w.need(512)
	if w.left() == 0 && w.err != nil && w.err != io.EOF {
		if in.zip != "" {
			return in.zip + " data: " + plain(w.err)
		}
		return plain(w.err)
	}
	kind := looksLike(w.buf[w.pos:w.end])
	if in.zip != "" {
		kind = in.zip + " data that is " + kind
	}
	return "not a capture: " + kind
}

// broken adds to a reason what ended the input early, if it was not its end.
func (in *input) broken(w *window) string {
	if w.err == nil || w.err == io.EOF || errors.Is(w.err, io.ErrUnexpectedEOF) {
		return ""
	}
	return " (" + plain(w.err) + ")"
}

// unzip recognises compressed data by its first octets (RFC 1952, RFC 8878)
// and returns what reads it. Concatenated members are one stream.
func (in *input) unzip(w *window) (zip string, r io.Reader, err error) {
	b := w.buf[w.pos:w.end]
	whole := io.MultiReader(bytes.NewReader(b), w.r)
	switch {
	case len(b) >= 2 && b[0] == 0x1f && b[1] == 0x8b:
		z, err := gzip.NewReader(bufio.NewReaderSize(whole, zipRead))
		if err != nil {
			return "gzip", nil, zipError(err)
		}
		// It holds nothing that would have to be closed.
		if !in.one {
			return "gzip", &unzipped{z}, nil
		}
		a := readAhead(&unzipped{z}, !in.wary)
		in.closers = append(in.closers, a.stop)
		return "gzip", a, nil
	case len(b) >= 4 && (binary.LittleEndian.Uint32(b) == 0xfd2fb528 || binary.LittleEndian.Uint32(b)&^15 == 0x184d2a50):
		// One goroutine reads ahead if there is only one input; with many
		// the files wait for each other anyway.
		ahead := 1
		if in.one {
			ahead = 2
		}
		window := uint64(MaxZstdWindow)
		if *in.zstds >= wideWindows {
			window = modestWindow
		}
		z, err := zstd.NewReader(whole, zstd.WithDecoderConcurrency(ahead), zstd.WithDecoderMaxWindow(window), zstd.WithDecoderLowmem(true))
		if err != nil {
			return "zstd", nil, zipError(err)
		}
		*in.zstds++
		in.closers = append(in.closers, func() { z.Close(); *in.zstds-- })
		return "zstd", &unzipped{z}, nil
	}
	return "", nil, nil
}

// errZip is data that does not decompress, as opposed to a device that does
// not deliver it.
var errZip = errors.New("damaged")

// unzipped tells the two apart.
type unzipped struct{ r io.Reader }

func (u *unzipped) Read(b []byte) (int, error) {
	n, err := u.r.Read(b)
	if err != nil && err != io.EOF {
		err = zipError(err)
	}
	return n, err
}

func zipError(err error) error {
	var pe *fs.PathError
	switch {
	case errors.As(err, &pe):
		return err
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	}
	return errZip
}

// readWords are what the system says of such an error, without the name of the file.
func readWords(err error) string {
	var u *UnreadableError
	if errors.As(err, &u) {
		return u.Reason
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return ""
}

// readReason is the word in Damage for an error that ended a file.
func readReason(err error) string {
	if errors.Is(err, errZip) {
		return "damaged-compression"
	}
	return "read-error"
}

// framesAhead is how many frames are taken from a file before they are decoded:
// enough for the change between both to cost nothing, and few enough to stay in
// the nearest cache with the headers that they point at.
const framesAhead = 64

// known reports whether the next frame has been taken from the file.
func (in *input) known() bool { return in.at < len(in.frames) }

// advance takes the next frames, when those before are decoded. It returns
// io.EOF at the end and errYield if that could block.
func (in *input) advance() error {
	if in.ended {
		return io.EOF
	}
	if cap(in.frames) < in.ahead {
		in.frames = make([]frame, in.ahead)
	}
	n, err := in.cur.next(in.frames[:in.ahead])
	in.frames, in.at = in.frames[:n], 0
	switch {
	case n > 0:
		in.time = in.frames[0].time
	case err == io.EOF:
		in.ended = true
		in.close()
		in.drop()
	}
	return err
}

// drop lets go of the memory that reading takes, of which what decompresses may
// have more than all else.
func (in *input) drop() {
	w := &in.cur.state().w
	w.buf, w.r, in.frames, in.at = nil, nil, nil, 0
}

// sleep gives the file back to the system until its turn comes. It must not
// have been read beyond its first frame.
func (in *input) sleep() {
	if in.wary || in.ended || !in.known() {
		return
	}
	in.close()
	in.drop()
	in.asleep = true
}

// wake reads up to the first frame again.
func (in *input) wake() {
	in.asleep = false
	before := in.cur
	if err := in.open(); err != nil {
		in.cur = before
		reason := "read-error"
		if in.zip != "" && in.raw.n.Load() > 0 {
			reason = readReason(errZip)
		}
		in.cur.state().failed(reason, 0, err)
		in.ended = true
		return
	}
	in.advance()
}

func (in *input) close() {
	for i := len(in.closers) - 1; i >= 0; i-- {
		in.closers[i]()
	}
	in.closers = nil
}
