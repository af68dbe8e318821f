package main

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"tcpstate/capture"
)

var update = flag.Bool("update", false, "rewrite the expected outputs in testdata/script")

func TestMain(m *testing.M) {
	ownsProcess = false
	// Most tests are many short runs, each of which begins with tables of some MiB: with the
	// collector's own choice half of their time is its rounds through next to nothing.
	debug.SetGCPercent(800)
	debug.SetMemoryLimit(256 << 20)
	testscript.Main(m, map[string]func(){"tcpstate": func() {
		ownsProcess = true
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(math.MaxInt64)
		main()
	}})
}

// TestScripts runs testdata/script through the program as it is built. The
// scripts see the captures of the repository's testdata/pcaps as pcaps/.
// With -update, what is compared with stdout is rewritten.
//
// They have two commands of their own:
//
//	exits STATUS PROGRAM ARGS...   run, and compare the exit status
//	head N FROM TO                 copy the first N octets; -N leaves the last N out
//	unhex FROM TO                  make octets of hexadecimal digits; # begins a comment
//
// and the condition [libpcap]: filters and live capture are built in.
func TestScripts(t *testing.T) {
	pcaps, err := filepath.Abs("../../testdata/pcaps")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			// What the machine's user prefers must not change the outputs.
			for _, v := range []string{"NO_COLOR", "CLICOLOR_FORCE"} {
				e.Setenv(v, "")
			}
			e.Setenv("TZ", "UTC")
			return os.Symlink(pcaps, filepath.Join(e.WorkDir, "pcaps"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "head": head, "unhex": unhex},
		Condition: func(cond string) (bool, error) {
			if cond != "libpcap" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			_, err := capture.Interfaces()
			return !errors.Is(err, capture.ErrNoLibpcap), nil
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var x *exec.ExitError
		if !errors.As(err, &x) {
			ts.Fatalf("%v", err)
		}
		got = x.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, not %d", got, want)
	}
}

func head(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: head N FROM TO")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	b, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	if n < 0 {
		n += len(b)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), b[:n], 0o666))
}

func unhex(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: unhex FROM TO")
	}
	var digits strings.Builder
	for _, line := range strings.Split(ts.ReadFile(args[0]), "\n") {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o666))
}
