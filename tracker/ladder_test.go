package tracker_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/tracker"
)

// The ladders of testdata/ladders are the tests of the state inference: each
// file is one situation, with both ends' states after every segment, written
// from the specification and not from what the program prints. The grammar is
// that of report/ladderparse.go and of tcpstate explain, so that what explain
// prints of a connection can be dropped into the folder, mended by hand, and
// is a test.
//
// The ladders of one file are one capture: they are replayed together, by
// time. A row that names no rules leaves them open.

var update = flag.Bool("update", false, "draw the ladders of testdata/ladders anew (their expectations and comments stay)")

// capturedAt is when a replayed capture begins, ns. Any time does.
const capturedAt = int64(1e18)

type ladderFile struct {
	name    string // without folder and ending
	text    []byte
	ladders []*report.Ladder
}

func (f *ladderFile) path() string { return filepath.Join("testdata", "ladders", f.name+".ladder") }

func readLadders(t testing.TB) []ladderFile {
	t.Helper()
	paths, err := filepath.Glob("testdata/ladders/*.ladder")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no ladders: %v", err)
	}
	var files []ladderFile
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		ladders, err := report.ParseLadders(bytes.NewReader(text))
		if err != nil || len(ladders) == 0 {
			t.Fatalf("%s: %d ladders, %v", p, len(ladders), err)
		}
		files = append(files, ladderFile{strings.TrimSuffix(filepath.Base(p), ".ladder"), text, ladders})
	}
	return files
}

func readLadder(t testing.TB, name string) ladderFile {
	t.Helper()
	files := readLadders(t)
	i := slices.IndexFunc(files, func(f ladderFile) bool { return f.name == name })
	if i < 0 {
		t.Fatalf("there is no ladder %s", name)
	}
	return files[i]
}

// ladderConfig is the configuration that the ladders of a file ask for.
func (f *ladderFile) config() tracker.Config {
	cfg := tracker.DefaultConfig()
	for _, l := range f.ladders {
		if l.TimeWait >= 0 {
			cfg.TimeWait = l.TimeWait
		}
		if l.FinTimeout >= 0 {
			cfg.FinTimeout = l.FinTimeout
		}
	}
	return cfg
}

// rows are the rows of all ladders, by time.
func (f *ladderFile) rows() []report.LadderRow {
	var rows []report.LadderRow
	for _, l := range f.ladders {
		rows = append(rows, l.Rows...)
	}
	slices.SortStableFunc(rows, func(a, b report.LadderRow) int { return int(a.Segment.Time - b.Segment.Time) })
	return rows
}

// batches are the rows as a source would hand them out, each segment by itself
// so that a timer's row can let time pass in between.
func (f *ladderFile) batches() []*capture.Batch {
	var all []*capture.Batch
	for _, r := range f.rows() {
		b := &capture.Batch{Now: capturedAt + r.Segment.Time}
		if !r.Timer() {
			s := r.Segment
			s.Time += capturedAt
			s.Hash = s.Key.Hash()
			b.Segments = []capture.Segment{s}
		}
		all = append(all, b)
	}
	return all
}

// replayed is what the tracker made of one 4-tuple.
type replayed struct {
	steps []tracker.Step
	late  []tracker.Transition // what elapsed after the last of them
}

// replay sends the capture of a file through a tracker.
func (f *ladderFile) replay() map[capture.Key]*replayed {
	got := map[capture.Key]*replayed{}
	of := func(k capture.Key) *replayed {
		if got[k] == nil {
			got[k] = &replayed{}
		}
		return got[k]
	}
	t := tracker.New(f.config(), tracker.Observer{
		Step: func(s *tracker.Step) {
			r := of(s.Segment.Key)
			r.steps, r.late = append(r.steps, report.CloneStep(s)), nil
		},
		Transition: func(x *tracker.Transition) {
			if x.Frame == 0 {
				r := of(x.Key)
				r.late = append(r.late, *x)
			}
		},
	})
	for _, b := range f.batches() {
		t.Process(b)
	}
	return got
}

// key of a ladder's connection.
func ladderKey(l *report.Ladder) capture.Key {
	for i := range l.Rows {
		if r := &l.Rows[i]; !r.Timer() {
			return r.Segment.Key
		}
	}
	return capture.Key{}
}

// draw makes a ladder of what was replayed, with the head of the one expected.
func (r *replayed) draw(want *report.Ladder) *report.Ladder {
	got := report.NewLadder(r.steps, r.late)
	got.Stream, got.Note, got.ISN = want.Stream, want.Note, want.ISN
	got.TimeWait, got.FinTimeout = want.TimeWait, want.FinTimeout
	return got
}

func print(l *report.Ladder) string {
	var b strings.Builder
	l.Print(&b, report.LadderStyle{Full: true})
	return b.String()
}

// Both ends' states after each segment are as the ladder says.
func TestLadders(t *testing.T) {
	for _, f := range readLadders(t) {
		t.Run(f.name, func(t *testing.T) {
			all := f.replay()
			for _, want := range f.ladders {
				got := all[ladderKey(want)].draw(want)
				if got.Left != want.Left {
					t.Errorf("stream %d: %v is taken for the client", want.Stream, got.Left)
				}
				if d := want.Diff(got); d != "" {
					t.Errorf("stream %d:\n%s\n%s", want.Stream, d, print(got))
				}
			}
		})
	}
}

// A Conn by itself finds the same as a Tracker, as long as the connection is
// one life and the timers are the usual ones.
func TestLaddersThroughConn(t *testing.T) {
	usual := tracker.DefaultConfig()
	for _, f := range readLadders(t) {
		cfg := f.config()
		if cfg.TimeWait != usual.TimeWait || cfg.FinTimeout != usual.FinTimeout || len(f.ladders) > 1 || len(f.lives()) != 1 {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			want := f.replay()[ladderKey(f.ladders[0])]
			var c tracker.Conn
			for _, w := range want.steps {
				got := c.Apply(&w.Segment)
				if d := cmp.Diff(w, got, sameStep); d != "" {
					t.Errorf("frame %d (-tracker +conn):\n%s", w.Segment.Frame, d)
				}
			}
			rows := f.rows()
			late := c.Expire(capturedAt + rows[len(rows)-1].Segment.Time)
			if d := cmp.Diff(want.late, late, sameStep); d != "" {
				t.Errorf("after the last segment (-tracker +conn):\n%s", d)
			}
		})
	}
}

var sameStep = cmpopts.EquateEmpty()

// lives are the lives of a file's capture, as reported.
func (f *ladderFile) lives() []tracker.Life {
	var lives []tracker.Life
	t := tracker.New(f.config(), tracker.Observer{Life: func(l *tracker.Life) { lives = append(lives, *l) }})
	for _, b := range f.batches() {
		t.Process(b)
	}
	t.Finish()
	return lives
}

// Every rule is named by some ladder, so that what it does is written down.
func TestLaddersHitEveryRule(t *testing.T) {
	named := map[string]bool{
		"unreachable": true, // no segment: see TestUnreachable
	}
	for _, f := range readLadders(t) {
		for _, r := range f.rows() {
			for _, name := range r.Rules {
				if _, ok := tracker.RuleByName(name); !ok {
					t.Errorf("%s: there is no rule %q", f.name, name)
				}
				named[name] = true
			}
		}
	}
	for r := tracker.RuleNone + 1; r < tracker.NumRules; r++ {
		if !named[r.Name()] {
			t.Errorf("no ladder names the rule %s", r.Name())
		}
	}
}

// Every row of the two tables is hit by some ladder.
func TestLaddersHitEveryRow(t *testing.T) {
	type change struct {
		from, to tracker.State
		rule     tracker.Rule
	}
	hit := map[change]bool{}
	for _, f := range readLadders(t) {
		tr := tracker.New(f.config(), tracker.Observer{Transition: func(x *tracker.Transition) { hit[change{x.From, x.To, x.Rule}] = true }})
		for _, b := range f.batches() {
			tr.Process(b)
		}
	}
	for _, r := range tracker.TableRows() {
		if !hit[change{r.From, r.To, r.Rule}] {
			t.Errorf("%s: no ladder goes from %v to %v by %s", r.Table, r.From, r.To, r.Rule.Name())
		}
	}
}

// Every state is entered by some ladder, and every one but CLOSED and LISTEN,
// which no packet proves, is confirmed by some.
func TestLaddersEnterEveryState(t *testing.T) {
	var entered, confirmed [tracker.NumStates]bool
	for _, f := range readLadders(t) {
		for _, r := range f.rows() {
			for _, s := range r.States {
				if !s.Any {
					entered[s.State] = true
					confirmed[s.State] = confirmed[s.State] || s.Certainty == tracker.Confirmed
				}
			}
		}
	}
	for s := range tracker.NumStates {
		switch {
		case !entered[s]:
			t.Errorf("no ladder enters %v", s)
		case !confirmed[s] && s != tracker.Listen && s != tracker.FinWait2:
			t.Errorf("no ladder confirms %v", s)
		}
	}
}

// The files are drawn as explain draws: read and printed, a ladder is the same
// text. -update draws them anew; it keeps comments and what is expected.
func TestLaddersAreDrawn(t *testing.T) {
	for _, f := range readLadders(t) {
		want := f.drawn()
		if *update && want != string(f.text) {
			if err := os.WriteFile(f.path(), []byte(want), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if d := cmp.Diff(want, string(f.text)); d != "" {
			t.Errorf("%s is not as it would be drawn; go test -run TestLaddersAreDrawn -update (-drawn +file):\n%s", f.path(), d)
		}
		for _, l := range f.ladders {
			text := print(l)
			back, err := report.ParseLadders(strings.NewReader(text))
			if err != nil || len(back) != 1 {
				t.Fatalf("%s: printed, but cannot be read: %v\n%s", f.name, err, text)
			}
			if again := print(back[0]); again != text {
				t.Errorf("%s: printed, read and printed again (-first +second):\n%s", f.name, cmp.Diff(text, again))
			}
		}
	}
}

// drawn is the file's text as Print writes its ladders, with its comments where
// they were.
func (f *ladderFile) drawn() string {
	var heads, rows []string // of the ladders, in the order of their lines
	for _, l := range f.ladders {
		lines := strings.SplitAfter(strings.TrimSuffix(print(l), "\n"), "\n")
		head := len(lines) - len(l.Rows)
		heads = append(heads, strings.Join(lines[:head], ""))
		lines[len(lines)-1] += "\n"
		rows = append(rows, lines[head:]...)
	}
	var b strings.Builder
	for line := range strings.Lines(string(f.text)) {
		switch first, _, _ := strings.Cut(strings.TrimSpace(line), " "); {
		case first == "" || first[0] == '#':
			b.WriteString(line)
		case first == "stream":
			b.WriteString(heads[0])
			heads = heads[1:]
		case first == "isn" || first == "config" || first == "frame":
			// Part of the head. A config before it is meant for all ladders
			// and is written with each.
		default:
			b.WriteString(rows[0])
			rows = rows[1:]
		}
	}
	return b.String()
}

// Rules are documentation: each has a stable name, where it comes from and why.
func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for r := tracker.RuleNone + 1; r < tracker.NumRules; r++ {
		name := r.Name()
		if name == "" || r.Source() == "" || r.Why() == "" {
			t.Errorf("rule %d: name %q, source %q, why %q", r, name, r.Source(), r.Why())
		}
		if seen[name] {
			t.Errorf("two rules are called %s", name)
		}
		seen[name] = true
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-0123456789") != "" || name == "revoked" {
			t.Errorf("%q is no name that a ladder could say", name)
		}
		if strings.ContainsAny(r.Why(), "\n") || strings.HasSuffix(r.Why(), ".") {
			t.Errorf("%s: the reason is one line without a full stop: %q", name, r.Why())
		}
		if back, ok := tracker.RuleByName(name); !ok || back != r {
			t.Errorf("RuleByName(%q) = %v, %v", name, back, ok)
		}
	}
	for _, name := range []string{"", "SYN", "no-such-rule"} {
		if r, ok := tracker.RuleByName(name); ok {
			t.Errorf("RuleByName(%q) = %v", name, r)
		}
	}
}
