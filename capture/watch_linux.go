//go:build cgo && !nolibpcap

package capture

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// watch asks the kernel how an interface fares. What it needs is opened at
// the start: later it takes no privilege and no file system, and it stays with
// this interface, by its number, whatever is called like it meanwhile.
type watch struct {
	fd    int
	index uint32
	drops [2]*os.File // nil where they cannot be had
	count [2]growing
}

// dropFiles are what libpcap adds up as dropped by the interface. It opens
// them at each reading, reads those of another network namespace where /sys
// shows one, and counts backwards if it cannot.
var dropFiles = [2]string{"statistics/rx_missed_errors", "statistics/rx_fifo_errors"}

// newWatch is nil for what is no network interface: any, usbmon1.
func newWatch(name string) *watch {
	q, err := unix.NewIfreq(name)
	if err != nil {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	if unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, q) != nil {
		unix.Close(fd)
		return nil
	}
	w := &watch{fd: fd, index: q.Uint32()}
	dir := filepath.Join("/sys/class/net", name)
	if b, err := os.ReadFile(filepath.Join(dir, "ifindex")); err == nil && number(b) == uint64(w.index) {
		for i, f := range dropFiles {
			if w.drops[i], err = os.Open(filepath.Join(dir, f)); err != nil {
				w.drops[i] = nil
			}
		}
	}
	w.lost()
	return w
}

// look says how the interface is.
func (w *watch) look() LinkState {
	q, err := unix.NewIfreq("")
	if err != nil {
		return LinkUnknown
	}
	q.SetUint32(w.index)
	if err = unix.IoctlIfreq(w.fd, unix.SIOCGIFNAME, q); err == nil {
		err = unix.IoctlIfreq(w.fd, unix.SIOCGIFFLAGS, q)
	}
	switch {
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return LinkGone
	case err != nil:
		return LinkUnknown
	case q.Uint16()&unix.IFF_UP == 0:
		return LinkDown
	case q.Uint16()&unix.IFF_RUNNING == 0:
		return LinkNoCarrier
	}
	return LinkUp
}

// lost is how many frames the interface has dropped since the start.
func (w *watch) lost() (n uint64, known bool) {
	var b [24]byte
	for i, f := range w.drops {
		if f == nil {
			continue
		}
		if k, _ := f.ReadAt(b[:], 0); k > 0 {
			w.count[i].read(number(b[:k]))
		}
		n, known = n+w.count[i].total, true
	}
	return n, known
}

func (w *watch) close() {
	unix.Close(w.fd)
	for _, f := range w.drops {
		if f != nil {
			f.Close()
		}
	}
}

// number is the number that a file of /sys holds, 0 if it holds none.
func number(b []byte) uint64 {
	n, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
