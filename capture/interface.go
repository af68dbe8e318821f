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
	Up          bool
	Loopback    bool
}

// String is a line as tcpdump -D prints it, with the addresses behind.
func (i Interface) String() string {
	var b strings.Builder
	b.WriteString(i.Name)
	if i.Description != "" {
		b.WriteString(" (" + i.Description + ")")
	}
	var flags []string
	if i.Up {
		flags = append(flags, "Up")
	}
	if i.Loopback {
		flags = append(flags, "Loopback")
	}
	if len(flags) > 0 {
		b.WriteString(" [" + strings.Join(flags, ", ") + "]")
	}
	for _, a := range i.Addresses {
		b.WriteString(" " + a.String())
	}
	return b.String()
}
