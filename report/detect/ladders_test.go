package detect_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tcpstate/report/detect"
)

// The ladders of testdata/ID are the tests of the detector ID, written from
// the catalogue and not from what the program prints:
//
//	testdata/ID/raise_WHAT.ladder   what raises it
//	testdata/ID/raise_WHAT.golden   how its findings read in full, written by -update
//	testdata/ID/miss_WHAT.ladder    what comes close and must not: a comment says which clause it misses
//
// One file is one capture. It goes through the tracker and all detectors of the
// catalogue, as a file given to the program does, so that what another detector
// swallows is gone. Run one folder with -run 'TestLadders/ID/'.
//
// The grammar is that of report/ladderparse.go and of tcpstate explain, with these
// freedoms:
//
//   - A row may leave out frame and states: "0.5 -- FIN,ACK 1 ack 1 ->" is
//     "0.5 * -- FIN,ACK 1 ack 1 -> *". States are not checked here, and frames are
//     numbered anew over the whole file, by time.
//   - What follows " #" in a row is a comment.
//   - The numbers of the heads (stream N) mean nothing: the tracker gives them.
//     The left end is the client.
//
// Lines that begin with "#!" are for the player:
//
//	#! expect SEVERITY SUBJECT     a finding of ID that must be raised; these and no others, in any order
//	#! set ID.PARAM=V              as --set; also for other ids
//	#! os NAME                     as --os: ports and TIME-WAIT
//	#! time-wait DURATION          as --time-wait; stands after os
//	#! at DURATION                 when the next ladder begins, from the capture's start; else 0
//	#! repeat N every DURATION [WHAT...]
//	                               the next ladder is played N times, each later by DURATION, and WHAT counts
//	                               up by one each time: port, addr (the client's: the left end's), server-port,
//	                               server-addr, or same: nothing does, but both ISNs grow by 1,000,000. Without: port
//	#! quote ROUTER TYPE CODE [MTU]
//	                               the ICMP error of the next rows marked quoted, which show the segment that it
//	                               quotes, with the arrow of that segment: "1.2 -- SYN 0 quoted ->" is an error on
//	                               its way to the client
//	#! end DURATION                when the capture ends, from its start: time passes, and Stats.Last is that
//	#! file-order                  rows are not sorted by time: they are captured as they stand
//	#! stats KEY=N...              what the source says: dropped, if-dropped, snaplen, damage, cut (a cut tail)
//
// A run of rows copied from tcpstate explain is a ladder too; times are in
// seconds since the ladder's beginning.

var update = flag.Bool("update", false, "write the .golden files anew; the expectations in the ladders stay")

// exempt lists the detectors without ladders, and why they need none.
var exempt = map[string]string{}

// ladderFiles are the ladders of testdata: by id and name without ending.
func ladderFiles(t testing.TB, kind string) (files []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*", kind+"_*.ladder"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func idOf(file string) string   { return filepath.Base(filepath.Dir(file)) }
func nameOf(file string) string { return strings.TrimSuffix(filepath.Base(file), ".ladder") }

// readScript reads a ladder file for its player.
func readScript(t *testing.T, file string) *script {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseScript(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if detect.Find(idOf(file)) == nil {
		t.Fatalf("%s: the catalogue has no %s", file, idOf(file))
	}
	return s
}

func TestLadders(t *testing.T) {
	for _, kind := range []string{"raise", "miss"} {
		for _, file := range ladderFiles(t, kind) {
			t.Run(idOf(file)+"/"+nameOf(file), func(t *testing.T) {
				t.Parallel()
				s := readScript(t, file)
				c := s.play(len(s.segments), 1000, 0)
				checkFindings(t, c)
				golden := strings.TrimSuffix(file, ".ladder") + ".golden"
				text := c.describe(idOf(file))
				if kind == "miss" {
					if text != "" {
						t.Errorf("raised:\n%s", text)
					}
					if len(s.expect) > 0 {
						t.Error("a miss file expects nothing")
					}
					return
				}
				s.checkExpected(t, c.only(idOf(file)))
				checkGolden(t, golden, text)
			})
		}
	}
}

// checkExpected compares the findings with what the file expects.
func (s *script) checkExpected(t *testing.T, got []detect.Finding) {
	t.Helper()
	if len(s.expect) == 0 {
		t.Error("nothing is expected: write #! expect SEVERITY SUBJECT")
	}
	var have []string
	for i := range got {
		have = append(have, got[i].Severity.String()+" "+got[i].Subject)
	}
	want := slices.Clone(s.expect)
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		t.Errorf("expected:\n\t%s\nraised:\n\t%s", strings.Join(want, "\n\t"), strings.Join(have, "\n\t"))
	}
}

// checkGolden compares text with a file, or writes it.
func checkGolden(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; write it with -update", err)
	}
	if string(want) != text {
		t.Errorf("%s (-want +got; rewrite it with -update):\n%s", file, difference(string(want), text))
	}
}

// Whatever comes first of a capture, nothing panics, and every finding is
// sound: its evidence lies in what was seen.
func TestLaddersCutShort(t *testing.T) {
	const budget = 200_000 // segments played for one file
	for _, file := range ladderFiles(t, "raise") {
		t.Run(idOf(file)+"/"+nameOf(file), func(t *testing.T) {
			t.Parallel()
			s := readScript(t, file)
			n := len(s.segments)
			step := 1 + n*n/2/budget
			for i := 0; i < n && !t.Failed(); i += step {
				checkFindings(t, s.play(i, 1000, 0))
			}
			if t.Failed() {
				t.Log("cut short so")
			}
		})
	}
}

// The bytes of a report depend on the segments alone: not on how they come in
// batches, nor on where the tracker's table puts them.
func TestLaddersTwice(t *testing.T) {
	for _, file := range ladderFiles(t, "raise") {
		t.Run(idOf(file)+"/"+nameOf(file), func(t *testing.T) {
			t.Parallel()
			s := readScript(t, file)
			a, b := s.play(len(s.segments), 1000, 0).describe(""), s.play(len(s.segments), 7, 0x9e3779b9).describe("")
			if a != b {
				t.Errorf("(-first +second):\n%s", difference(a, b))
			}
		})
	}
}

// Every detector is shown raising and not raising.
func TestEveryDetectorHasLadders(t *testing.T) {
	have := map[string]int{}
	for i, kind := range []string{"raise", "miss"} {
		for _, file := range ladderFiles(t, kind) {
			have[idOf(file)] |= 1 << i
		}
	}
	for _, d := range detect.Catalogue {
		switch {
		case exempt[d.ID] != "":
		case have[d.ID]&1 == 0:
			t.Errorf("no testdata/%s/raise_*.ladder", d.ID)
		case have[d.ID]&2 == 0:
			t.Errorf("no testdata/%s/miss_*.ladder", d.ID)
		}
	}
	for id := range exempt {
		if detect.Find(id) == nil {
			t.Errorf("exempt: there is no %s", id)
		}
	}
	dirs, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range dirs {
		if e.IsDir() && detect.Find(e.Name()) == nil {
			t.Errorf("testdata/%s is of no detector", e.Name())
		}
	}
}

// A miss file says in words what it misses.
func TestMissesSayWhy(t *testing.T) {
	for _, file := range ladderFiles(t, "miss") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		said := false
		for line := range strings.Lines(string(text)) {
			said = said || strings.HasPrefix(line, "# ") && len(line) > 20
		}
		if !said {
			t.Errorf("%s: no comment says which clause it misses", file)
		}
	}
}
