package report

import (
	"encoding/binary"
	"strings"
	"testing"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// floodOf are SYNs of as many sources, every tenth of which comes again in 8 s, so that
// some are left when it ends.
func floodOf(n int) []*capture.Batch {
	var all []*capture.Batch
	for i := range n {
		if i%1000 == 0 {
			all = append(all, &capture.Batch{})
		}
		b := all[len(all)-1]
		s := capture.Segment{Time: playStart + int64(i)*8e9/int64(n), Frame: uint64(1 + i), Flags: capture.SYN, Window: 1000, TTL: 60,
			VLAN: capture.NoVLAN, HdrLen: 40, WScale: capture.NoWScale, Seq: uint32(i) * 2654435761}
		if i%3 == 0 {
			s.Opts, s.MSS, s.WScale = capture.OptMSS|capture.OptWScale, 1460, 7
		}
		source := uint32(i)
		if i%10 == 9 {
			source = uint32(i % 100)
		}
		k := &s.Key
		binary.BigEndian.PutUint32(k.Lo[:], 10<<24|source)
		binary.BigEndian.PutUint32(k.Hi[:], 192<<24|uint32(i%7))
		k.LoPort, k.HiPort = uint16(1024+i%50000), 80
		s.Hash = k.Hash()
		b.Segments = append(b.Segments, s)
	}
	return all
}

// What is reported of a flood does not depend on whether its lives are told as silent
// ones.
func TestSilentLivesAreReportedTheSame(t *testing.T) {
	all := floodOf(40_000)
	last := all[len(all)-1].Segments
	st := capture.Stats{Packets: 40_000, Segments: 40_000, Selected: 40_000, First: playStart, Last: last[len(last)-1].Time, TotalBytes: -1}
	for _, limit := range []int{0, 20, 12_000} {
		var texts [2]strings.Builder
		silent := 0
		for i := range texts {
			var opts Options
			opts.Limit = limit
			for _, name := range []string{"table", "json"} {
				f := FindFormat(name)
				opts.Outputs = append(opts.Outputs, Output{Format: f, Parts: f.Parts &^ PartConnections, W: &texts[i]})
			}
			r := New(opts)
			o := r.Observer()
			if i == 0 {
				o.SilentCase, o.SilentLife = nil, nil
			} else if tell := o.SilentLife; tell != nil {
				o.SilentLife = func(s *tracker.Silent) { silent++; tell(s) }
			}
			cfg := tracker.DefaultConfig()
			cfg.Fold = 1024
			tr := tracker.New(cfg, o)
			r.Begin(&st)
			for _, b := range all {
				tr.Process(b)
			}
			r.Ending(&st, tr.Totals(), tr.Usage())
			tr.Finish()
			if err := r.End(&st, tr.Totals(), tr.Census()); err != nil {
				t.Fatal(err)
			}
		}
		if want, got := texts[0].String(), texts[1].String(); got != want {
			t.Errorf("of %d: as silent lives\n%.3000s\nwant\n%.3000s", limit, got, want)
		}
		if silent < 20_000 {
			t.Errorf("%d lives were told as silent ones", silent)
		}
	}
}
