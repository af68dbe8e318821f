//go:build cgo && !nolibpcap && !linux

package capture

// watch is of Linux alone. Elsewhere libpcap's errors tell of an interface
// that is down or gone, and its own count of what the interface dropped.
type watch struct{}

func newWatch(string) *watch { return nil }

func (*watch) look() LinkState      { return LinkUnknown }
func (*watch) lost() (uint64, bool) { return 0, false }
func (*watch) close()               {}
