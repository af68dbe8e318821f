package main

import (
	"strings"
	"testing"
)

// FuzzFlags reads lines of words as arguments: they are understood, or refused in words.
func FuzzFlags(f *testing.F) {
	for _, line := range []string{
		"--set\nclose-wait-buildup.count=5\na.pcap", "--set\nhalf-open.after=1h30m\na", "--since\n+12.5s\n--until\n2026-01-01T00:00:00Z\na", "--since\n1767225600.123456789\na", "--since\n23:59:60\na",
		"--max-memory\n9223372036854775807TiB\na", "--max-memory\n512MiB\na", "--time-wait\n-1ns\na", "--net\n10.0.0.0/33\na", "--host\n::ffff:1.2.3.4%eth0\na", "--port\n65536\na", "--vlan\n4095,1\na",
		"--ports\n1-0\na", "--sort\n-duration,start\na", "--fields\nid,client.addr\n-o\ncsv\na", "--show\nsummary,top\n--top\n-1\na", "-o\nndjson=\na", "check\n--policy\nx\na", "diff\na\nb", "explain\n--stream\n1-\na",
		"at\nend\na", "--where\n(((\na", "--limit\n18446744073709551616\na", "--color\nno\na", "--workers\n-3\na", "--count\n0x10\na", "findings\nhalf-open", "--\n-", "-vqh", "--interval\n1e9h\na", "--snaplen\n-1\n-i\nlo",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if len(line) > 2000 {
			return
		}
		words := strings.Split(line, "\n")
		for _, w := range words { // these read files
			for _, flag := range []string{"--filter-file", "--policy", "-F", "--baseline", "--metrics", "-Z"} {
				if strings.HasPrefix(w, flag) {
					return
				}
			}
		}
		flags, err := parseFlags(words)
		if err == nil && flags == nil || err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Errorf("%q: %v, %v", words, flags, err)
		}
		if n, err := parseSize(words[0]); err == nil && n < leastMemory {
			t.Errorf("%q is %d octets", words[0], n)
		}
	})
}
