package screen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	tea "charm.land/bubbletea/v2"

	"tcpstate/report"
)

// Feed is where the screen gets its snapshots from. Its methods may be called from any
// goroutine, and return at once.
type Feed interface {
	// Snapshot is the latest; nil before the first. It is not changed any more.
	Snapshot() *report.Snapshot
	// Ask says what the next snapshots shall show.
	Ask(report.Query)
}

// Options are where the screen is shown, and how.
type Options struct {
	// In is the terminal that keys come from, nil for the process's own, wherever its
	// standard input leads; Out is the one that is drawn on.
	In  *os.File
	Out *os.File
	// Clock and Zone are how times are shown; Zone is that of report.ClockLocal, nil
	// for UTC.
	Clock report.Clock
	Zone  *time.Location
	// NoColor leaves out all colours and attributes.
	NoColor bool
	// Refresh is how often it looks for a snapshot; 0 for 250 ms.
	Refresh time.Duration
}

// defaultRefresh is 4 Hz.
const defaultRefresh = 250 * time.Millisecond

// frames is how often per second the terminal is drawn on at most: keys are answered
// at once for the eye.
const frames = 30

// Run shows the screen until the user leaves it (nil), ctx is done (its error) or the
// terminal fails. However it returns, the terminal is as it was before. It handles no
// signals but those that tell of the terminal's size; Ctrl-C is a key here, and the same
// as leaving. A mistake in the screen is a *Panic and leaves the terminal whole, too.
func Run(ctx context.Context, feed Feed, o Options) error {
	if o.Refresh <= 0 {
		o.Refresh = defaultRefresh
	}
	g := &guard{inner: newModel(feed, o)}
	opts := []tea.ProgramOption{tea.WithOutput(o.Out), tea.WithoutSignalHandler(), tea.WithFPS(frames),
		tea.WithWindowSize(usualWidth, usualHeight)}
	in := &keyboard{File: o.In}
	if o.In != nil {
		opts = append(opts, tea.WithInput(in))
	}
	p := tea.NewProgram(g, opts...)
	in.gone = func() { p.Send(goneMsg{}) }
	// Not tea.WithContext: that would leave a reader behind, which takes the next key.
	defer context.AfterFunc(ctx, p.Quit)()
	_, err := p.Run()
	switch {
	case g.failed != nil:
		return g.failed
	case g.gone:
		return errGone
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// errGone: the terminal sends no more keys.
var errGone = errors.New("the terminal is gone")

// goneMsg is errGone, as it happens.
type goneMsg struct{}

// keyboard is a terminal that says when no key will come any more; the library takes
// that for a user who is lost in thought.
type keyboard struct {
	*os.File
	gone func()
}

func (k *keyboard) Read(b []byte) (int, error) {
	n, err := k.File.Read(b)
	if errors.Is(err, io.EOF) {
		go k.gone()
	}
	return n, err
}

// Panic is a mistake in the screen.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string {
	return "the screen failed: " + report.Printable(fmt.Sprint(p.Value))
}

// guard is the model as the library sees it. What goes wrong inside ends the screen in
// the ordinary way, which restores the terminal.
type guard struct {
	inner  *model
	failed *Panic
	gone   bool
}

// contain is deferred around all that could go wrong.
func (g *guard) contain() {
	if v := recover(); v != nil && g.failed == nil {
		g.failed = &Panic{v, debug.Stack()}
	}
}

func (g *guard) Init() tea.Cmd { return g.inner.Init() }

func (g *guard) Update(msg tea.Msg) (m tea.Model, cmd tea.Cmd) {
	defer func() {
		if g.failed != nil || g.gone {
			m, cmd = g, tea.Quit
		}
	}()
	defer g.contain()
	if _, ok := msg.(goneMsg); ok {
		g.gone = true
	}
	if g.failed == nil {
		cmd = g.inner.Update(msg)
	}
	return g, cmd
}

func (g *guard) View() (v tea.View) {
	v.AltScreen = true
	defer g.contain()
	if g.failed == nil {
		v.Content, v.Cursor = g.inner.View()
	}
	return v
}
