//go:build !cgo || nolibpcap

package capture

// Interfaces lists the interfaces that can be captured from: none, without
// libpcap.
func Interfaces() ([]Interface, error) { return nil, ErrNoLibpcap }

// OpenLive starts a capture: never, without libpcap.
func OpenLive(LiveOptions) (Source, error) { return nil, ErrNoLibpcap }
