package main

import (
	"strings"

	"github.com/spf13/pflag"
)

// chosenBy are the flags with which only some packets, connections or findings were chosen, as
// they may be given again: an output that stands by itself says so.
func chosenBy(f *flags, fs *pflag.FlagSet) (l []string) {
	if f.selection.Filter != "" {
		l = append(l, "-f "+shellWord(strings.TrimSpace(f.selection.Filter)))
	}
	for _, n := range []string{"host", "net", "port", "vlan", "count", "where", "stream", "since", "until", "min-severity", "disable"} {
		x := fs.Lookup(n)
		if x == nil || !x.Changed {
			continue
		}
		value := x.Value.String()
		if s, ok := x.Value.(pflag.SliceValue); ok {
			value = strings.Join(s.GetSlice(), ",")
		}
		l = append(l, "--"+n+" "+shellWord(value))
	}
	return l
}
