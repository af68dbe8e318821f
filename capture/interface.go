package capture

import (
	"net/netip"
	"strings"
)

// Interface is something that can be captured from.
type Interface struct {
	Name        string
	Description string // of the system, often empty
	Addresses   []netip.Addr
	Up          bool // IFF_UP
	Running     bool // IFF_RUNNING
	Loopback    bool
	Wireless    bool
	Connection  string // as tcpdump words it: "Connected", "Not associated"; "" where it makes no sense
}

// unsure are the words for a connection that the system does not tell of.
const (
	unsure         = "Connection status unknown"
	unsureWireless = "Association status unknown"
)

// String is a line as tcpdump -D prints it, with the addresses behind.
func (i Interface) String() string {
	var b strings.Builder
	b.WriteString(i.Name)
	if i.Description != "" {
		b.WriteString(" (" + i.Description + ")")
	}
	var words []string
	for _, f := range []struct {
		is   bool
		name string
	}{{i.Up, "Up"}, {i.Running, "Running"}, {i.Loopback, "Loopback"}, {i.Wireless, "Wireless"}} {
		if f.is {
			words = append(words, f.name)
		}
	}
	if len(words) == 0 && i.Connection != unsure {
		words = append(words, "none")
	}
	if len(words) > 0 && i.Connection != "" {
		words = append(words, i.Connection)
	}
	if len(words) > 0 {
		b.WriteString(" [" + strings.Join(words, ", ") + "]")
	}
	for _, a := range i.Addresses {
		b.WriteString(" " + a.String())
	}
	return b.String()
}
