package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"testing"
)

// A capture cut anywhere is reported as far as it goes, and never a reason to
// panic.
func TestAnyPrefix(t *testing.T) {
	whole, err := os.ReadFile("../../testdata/pcaps/client-closes-first.pcap")
	if err != nil {
		t.Fatal(err)
	}
	packets := 0
	for n := 24; n <= len(whole); n += 13 {
		var stdout, stderr bytes.Buffer
		code := run([]string{"-o", "json", "--show", "summary,connections,transitions,services", "-"}, bytes.NewReader(whole[:n]), &stdout, &stderr)
		if code != exitOK && code != exitDamaged || (code == exitOK) != (stderr.Len() == 0) {
			t.Errorf("%d octets: exit status %d, standard error: %s", n, code, &stderr)
		}
		var doc struct{ Summary struct{ Packets int } }
		if err := json.Unmarshal(stdout.Bytes(), &doc); err != nil {
			t.Fatalf("%d octets: %v", n, err)
		}
		if p := doc.Summary.Packets; p < packets || p > packets+1 {
			t.Errorf("%d octets: %d packets after %d", n, p, packets)
		} else {
			packets = p
		}
	}
	for n := range 24 {
		if code := run([]string{"-"}, bytes.NewReader(whole[:n]), io.Discard, io.Discard); code != exitDamaged {
			t.Errorf("%d octets: exit status %d", n, code)
		}
	}
}
