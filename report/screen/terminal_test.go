package screen

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tcpstate/report"
)

// playVar makes the test binary the program that these tests run in a terminal; its
// value is the name of what it plays.
const playVar = "TCPSTATE_SCREEN_PLAY"

func TestMain(m *testing.M) {
	if name := os.Getenv(playVar); name != "" {
		os.Exit(playAlone(name))
	}
	os.Exit(m.Run())
}

// alone fails a program in the way of a test.
type alone struct{}

func (alone) Helper()        {}
func (alone) Fatal(a ...any) { panic(fmt.Sprint(a...)) }

// broken is a feed after whose first answer to boom something happens: a mistake in
// update or view, or a signal.
type broken struct {
	*stage
	in string
}

func (b *broken) Snapshot() *report.Snapshot {
	s := b.stage.Snapshot()
	switch {
	case s.Query.Text != "boom":
	case b.in == "signal":
		syscall.Kill(os.Getpid(), syscall.SIGTERM)
	case b.in == "update":
		panic("boom\x1b[31m")
	case b.in == "view":
		s.Connections = []report.Row{{}}
		s.Connections[0].Close = 200 // there is no such kind
	}
	return s
}

// playAlone shows the scene on standard output until it is left, and says how it was.
func playAlone(name string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	s := newStage(alone{}, 60)
	go func() {
		for range time.Tick(50 * time.Millisecond) {
			s.pass(50*time.Millisecond, 50)
		}
	}()
	var feed Feed = s
	if name != "scene" {
		feed = &broken{s, name}
	}
	err := Run(ctx, feed, Options{In: os.Stdin, Out: os.Stdout, Refresh: 50 * time.Millisecond})
	fmt.Printf("left: %v.\n", err)
	return 0
}

// terminal is a shell in a terminal of tmux.
type terminal struct {
	t      *testing.T
	tmux   string
	socket string
}

// newTerminal starts a shell in a terminal of 120 × 40 in which something has been
// printed before.
func newTerminal(t *testing.T) *terminal {
	t.Helper()
	tmux, err := exec.LookPath("tmux")
	if err != nil {
		lacking(t, "tmux is not installed (Debian package tmux)")
	}
	dir, err := os.MkdirTemp("", "screen") // t.TempDir's names are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t, tmux, filepath.Join(dir, "s")}
	t.Cleanup(func() {
		x.command("kill-server")
		os.RemoveAll(dir)
	})
	x.must("-f", os.DevNull, "new-session", "-d", "-x", "120", "-y", "40", "env", "-u", "TMUX", "PS1=ready> ", "ENV=", "sh")
	x.prompt()
	x.line("echo before the $((40+2))nd screen")
	x.wait("before the 42nd screen")
	x.prompt()
	return x
}

// lacking skips a test for want of something, saying how to get it. Where
// everything has to be tested, the want is a failure.
func lacking(t testing.TB, want string) {
	t.Helper()
	if os.Getenv("TCPSTATE_REQUIRE_ALL") == "1" {
		t.Fatal("TCPSTATE_REQUIRE_ALL: " + want)
	}
	t.Skip(want)
}

func (x *terminal) command(args ...string) (string, error) {
	out, err := exec.Command(x.tmux, append([]string{"-S", x.socket}, args...)...).CombinedOutput()
	return string(out), err
}

func (x *terminal) must(args ...string) string {
	x.t.Helper()
	out, err := x.command(args...)
	if err != nil {
		x.t.Fatalf("tmux %v: %v: %s", args, err, out)
	}
	return out
}

// show is what is seen now.
func (x *terminal) show() string { return x.must("capture-pane", "-p") }

// keys are sent by their names in tmux.
func (x *terminal) keys(keys ...string) { x.must(append([]string{"send-keys"}, keys...)...) }

// text is typed.
func (x *terminal) text(s string) { x.must("send-keys", "-l", s) }

// line is typed and sent.
func (x *terminal) line(s string) {
	x.text(s)
	x.keys("Enter")
}

// until waits for a condition, and says what was seen where it does not come.
func (x *terminal) until(what string, ok func(screen string) bool) {
	x.t.Helper()
	end := time.Now().Add(30 * time.Second)
	for {
		seen := x.show()
		if ok(seen) {
			return
		}
		if time.Now().After(end) {
			x.t.Fatalf("%s: not in 30 s:\n%s", what, seen)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// wait waits until all is seen at the same time.
func (x *terminal) wait(want ...string) {
	x.t.Helper()
	x.until(fmt.Sprintf("%q", want), func(s string) bool {
		for _, w := range want {
			if !strings.Contains(s, w) {
				return false
			}
		}
		return true
	})
}

// prompt waits until the shell does.
func (x *terminal) prompt() {
	x.t.Helper()
	x.until("a prompt", func(s string) bool { return strings.HasSuffix(strings.TrimSpace(s), "ready>") })
}

// gone waits until nothing of it is seen.
func (x *terminal) gone(unwanted string) {
	x.t.Helper()
	x.until("no "+unwanted, func(s string) bool { return !strings.Contains(s, unwanted) })
}

// play starts the program.
func (x *terminal) play(name string) {
	x.t.Helper()
	self, err := os.Executable()
	if err != nil {
		x.t.Fatal(err)
	}
	x.line(playVar + "=" + name + " " + self)
	x.wait("Connections", "ESTABLISHED", "10.0.0.1:40022")
	x.gone("before the 42nd screen")
	if got := x.flags(); got != "alternate 1, cursor 0" {
		x.t.Errorf("while the screen is shown: %s", got)
	}
}

func (x *terminal) flags() string {
	return strings.TrimSpace(x.must("display-message", "-p", "alternate #{alternate_on}, cursor #{cursor_flag}"))
}

// restored checks that the terminal is as it was, and that the program said what it
// should.
func (x *terminal) restored(said string) {
	x.t.Helper()
	x.wait("before the 42nd screen", said)
	x.prompt()
	if got := x.flags(); got != "alternate 0, cursor 1" {
		x.t.Errorf("afterwards: %s", got)
	}
	x.line("echo modes $(stty -a | tr ' ;' '\\n\\n' | grep -cxE 'icanon|echo|isig|opost|icrnl|onlcr')") // and with -, if off
	x.wait("modes 6")
}

func TestTerminal(t *testing.T) {
	x := newTerminal(t)
	x.play("scene")
	x.wait("SYN-RECEIVED", "Findings  1 error, 1 warning", "sort findings first", "packets (1.0k/s)")

	x.keys("s")
	x.wait("sort -start", "› 10.0.0.3:40025")
	x.keys("S")
	x.wait("sort start", "›*10.0.0.1:40022")

	x.keys("/")
	x.text("10.1.0.5:")
	x.wait("filter: 10.1.0.5:", "1 of 1", "› 10.1.0.5:30005")
	x.keys("Escape")
	x.wait("64 of 64")

	x.keys("w")
	x.line("server.prot == 1")
	x.wait("has no field prot")
	x.keys("C-u")
	x.line("server.port == 8080")
	x.wait("1 of 1", "[2001:db8::1]:40023")
	x.keys("Escape")
	x.wait("64 of 64")

	x.keys("Down", "Up", "Enter")
	x.wait("connection 0  10.0.0.1:40022 → 10.0.0.2:80", "── SYN 0 win 64240 mss 1460 ──", "(retransmission)", "FIN-WAIT-2?")
	x.keys("BSpace")
	x.wait("64 of 64")

	x.keys("Tab", "Enter")
	x.wait("Nothing listens on", "frame 17: RST,ACK in answer to it", "tcp.stream == 1")
	x.keys("Escape")
	x.wait("64 of 64")

	x.keys("?")
	x.wait("tcpstate: keys", "Ctrl-C")
	x.keys("?")
	x.wait("64 of 64")

	x.keys("p")
	x.wait("PAUSED")
	held := x.show()
	x.keys("p")
	x.gone("PAUSED")
	x.until("time goes on", func(s string) bool { return !strings.Contains(s, strings.Split(held, "\n")[1]) })

	x.must("resize-window", "-x", "60", "-y", "15")
	x.wait("open 3, opened 3,411", "? help  q quit")
	x.until("no line is cut by the terminal", func(s string) bool { return strings.Contains(s, "…") && !strings.Contains(s, "confirmed") })
	x.must("resize-window", "-x", "160", "-y", "50")
	x.wait("confirmed", "history", "close", "bytes → ←")
	x.must("resize-window", "-x", "120", "-y", "40")

	x.keys("q")
	x.restored("left: <nil>.")
}

func TestTerminalSuspends(t *testing.T) {
	x := newTerminal(t)
	x.play("scene")
	x.keys("C-z")
	x.wait("before the 42nd screen")
	x.prompt()
	x.line("echo while it is $((40+3))")
	x.wait("while it is 43")
	x.line("fg")
	x.wait("Connections", "10.0.0.1:40022")
	x.keys("s")
	x.wait("sort -start")
	x.keys("q")
	x.restored("left: <nil>.")
}

// The terminal is restored on each way out.
func TestTerminalIsRestored(t *testing.T) {
	t.Run("Ctrl-C", func(t *testing.T) {
		x := newTerminal(t)
		x.play("scene")
		x.keys("C-c")
		x.restored("left: <nil>.")
	})
	t.Run("Ctrl-C while a filter is typed", func(t *testing.T) {
		x := newTerminal(t)
		x.play("scene")
		x.keys("/", "x")
		x.wait("filter: x")
		x.keys("C-c")
		x.restored("left: <nil>.")
	})
	for in, said := range map[string]string{
		"signal": "left: context canceled.",
		"update": `left: the screen failed: boom\x1b[31m.`,
		"view":   "left: the screen failed: runtime error: index out of range [200]",
	} {
		t.Run(in, func(t *testing.T) {
			x := newTerminal(t)
			x.play(in)
			x.keys("/")
			x.text("boom")
			x.restored(said)
		})
	}
}
