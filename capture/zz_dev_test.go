package capture

import (
	"fmt"
	"io"
	"os"
	"testing"
)

func TestDevDump(t *testing.T) {
	p := os.Getenv("DEV_DUMP")
	if p == "" {
		t.Skip()
	}
	s, err := Open(Options{Paths: []string{p}, VerifyChecksums: os.Getenv("DEV_SUM") != ""})
	if err != nil {
		t.Fatal(err)
	}
	w, _ := os.Create(os.Getenv("DEV_OUT"))
	var b Batch
	for {
		err := s.Next(&b)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Segments {
			g := &b.Segments[i]
			if g.Mark&Quoted != 0 {
				fmt.Fprintf(w, "%d\tQ\t%v\t%v\t%d\n", g.Frame, g.Src(), g.Dst(), g.Seq)
				continue
			}
			fmt.Fprintf(w, "%d\t%v\t%v\t%d\t%d\t%d\t%d\t%d\t%d\t%#x\n", g.Frame, g.Src(), g.Dst(), g.Seq, g.Ack, g.Len, g.Window, g.Flags, g.TTL, g.Mark)
		}
	}
	w.Close()
	t.Logf("%+v", s.Stats())
}

func BenchmarkDevFile(b *testing.B) {
	p := os.Getenv("DEV_BENCH")
	if p == "" {
		b.Skip()
	}
	var bt Batch
	var pk uint64
	for range b.N {
		s, err := Open(Options{Paths: []string{p}})
		if err != nil {
			b.Fatal(err)
		}
		for s.Next(&bt) == nil {
		}
		pk += s.Stats().Packets
		s.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(pk), "ns/packet")
}
