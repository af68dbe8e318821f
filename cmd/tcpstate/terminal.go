package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"tcpstate/capture"
	"tcpstate/report"
)

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// wantColor decides about colour on standard output: --color, then NO_COLOR
// and CLICOLOR_FORCE, then whether it is a terminal that can do it.
func (c *cli) wantColor(f *flags) bool {
	switch f.color {
	case "always":
		return true
	case "never":
		return false
	}
	switch {
	case c.env("NO_COLOR") != "":
		return false
	case c.env("CLICOLOR_FORCE") != "" && c.env("CLICOLOR_FORCE") != "0":
		return true
	}
	return isTerminal(c.stdout) && c.env("TERM") != "dumb"
}

// progress shows how far reading has come; nil shows nothing.
type progress struct {
	bar  *progressbar.ProgressBar
	next time.Time
}

// newProgress decides about the bar: --progress, then whether standard error
// is a terminal.
func (c *cli) newProgress(f *flags) *progress {
	switch {
	case f.iface != "", f.progress == "never":
		return nil
	case f.progress == "always":
	case f.quiet, !isTerminal(c.stderr), c.env("TERM") == "dumb":
		return nil
	case isTerminal(c.stdout) && f.streams():
		return nil // the bar and the lines would stand in each other's way
	}
	// What is read in no time needs no bar.
	return &progress{next: time.Now().Add(3 * progressEvery), bar: progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(c.stderr),
		progressbar.OptionSetDescription("reading"),
		progressbar.OptionSetWidth(30),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(true),
	)}
}

// streams reports whether something is written to standard output while the
// input is read.
func (f *flags) streams() bool {
	for _, o := range f.outputs {
		if o.file == "" && o.format != report.Formats[0] {
			return true
		}
	}
	return false
}

// progressEvery is how often the bar is drawn.
const progressEvery = 100 * time.Millisecond

func (p *progress) show(st *capture.Stats) {
	if p == nil {
		return
	}
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(progressEvery)
	if st.TotalBytes > 0 && p.bar.GetMax64() != st.TotalBytes {
		p.bar.ChangeMax64(st.TotalBytes)
	}
	p.bar.Set64(st.ReadBytes)
}

func (p *progress) done() {
	if p != nil {
		p.bar.Clear()
	}
}
