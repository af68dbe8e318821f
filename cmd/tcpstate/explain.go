package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"tcpstate/capture"
	"tcpstate/report"
)

// ladderOutput is one -o of explain: a form, and a file or "" for standard output.
type ladderOutput struct {
	form string
	file string
}

// The forms of -o, the default first.
var ladderForms = []string{"table", "markdown", "html"}

// notExplain are the flags that mean nothing to explain.
var notExplain = []string{"write", "show", "sort", "fail-on", "step"}

// checkExplain reads what only explain knows.
func checkExplain(f *flags, r *raw, fs *pflag.FlagSet) error {
	for _, n := range notExplain {
		if fs.Changed(n) {
			return fmt.Errorf("%s: not for tcpstate explain; a file called explain is ./explain", spelt(fs, n))
		}
	}
	if f.seeing.plain {
		for _, n := range []string{"output", "time", "verbose", "quiet"} {
			if fs.Changed(n) {
				return fmt.Errorf("--plain: it is written to be read back, and %s is for people", spelt(fs, n))
			}
		}
	}
	if i := slices.IndexFunc(f.paths, irregular); i >= 0 {
		return fmt.Errorf("%s is %s, and explain reads a capture twice: give what comes from it as - (standard input), or save it to a file first", f.paths[i], kindOf(f.paths[i]))
	}
	if !fs.Changed("time") {
		r.clock = "relative"
	}
	if f.seeing.plain && !fs.Changed("limit") {
		f.seeing.all = true
	}
	return nil
}

// checkExplainOutputs reads -o of explain.
func checkExplainOutputs(f *flags, r *raw, fs *pflag.FlagSet) error {
	names := r.outputs
	if len(names) == 0 {
		names = ladderForms[:1]
	}
	places := outputPlaces{}
	for _, o := range names {
		form, _, _ := strings.Cut(o, "=")
		if !slices.Contains(ladderForms, form) {
			return fmt.Errorf("-o %s: explain has %s", form, strings.Join(ladderForms, ", "))
		}
		file, err := places.add(o, f.paths)
		if err != nil {
			return err
		}
		f.seeing.ladders = append(f.seeing.ladders, ladderOutput{form, file})
	}
	return nil
}

// explain is "tcpstate explain": the capture is read once to know its connections and what
// is wrong with them, and once more for the segments of those that are chosen.
func (c *cli) explain(f *flags) error {
	intr := watchSignals()
	defer intr.stop()
	again, err := c.readsTwice(f, intr, true)
	if err != nil {
		return statusError{exitUsage, err}
	}
	defer again.close()
	src, err := c.openSource(f, intr, again)
	if err != nil {
		return err
	}
	files, err := createLadders(f)
	if err != nil {
		src.Close()
		return err
	}
	end, sheet, err := c.ladders(f, src, intr, again)
	if err == nil {
		err = c.writeLadders(f, sheet, files)
	}
	for _, o := range files {
		if o == nil {
			continue
		}
		if err != nil {
			o.discard()
		} else {
			err = o.commit()
		}
	}
	if err := quiet(err); err != nil {
		return err
	}
	return c.verdict(f, end)
}

// ladders reads the capture, twice, and draws what is chosen.
func (c *cli) ladders(f *flags, src capture.Source, intr *interrupts, again *twice) (ending, *report.LadderSheet, error) {
	defer sparing(f.tracker.MaxMemory, 0)()
	pick := &ladderPick{f: f}
	opts := f.report
	opts.Judge, opts.Chosen = true, pick.add
	r := report.New(opts)
	end, err := c.follow(f, src, r, intr, nil)
	if err != nil {
		return end, nil, err
	}
	again.frames, again.partial = end.stats.Packets, end.interrupted
	if end.interrupted { // it goes as far as the first reading went; another signal ends it
		again.intr = &interrupts{ended: make(chan struct{})}
	}
	sheet := &report.LadderSheet{Style: f.report.Style, Capture: strings.Join(f.paths, ", ")}
	sheet.Zone, sheet.Width = time.Local, c.width()
	lives := pick.settle(r)
	drawn, err := again.draw(lives, report.DrawOptions{Full: f.seeing.full || f.seeing.plain, Marks: r.Marks()})
	var status statusError
	cut := errors.Is(err, errInterrupted) // what is drawn is shown
	switch {
	case cut:
		end.interrupted = true
	case errors.As(err, &status) && end.err == nil:
		end.err = status
	case err != nil:
		return end, nil, err
	}
	sheet.Ladders = pick.tell(r, lives, drawn)
	if f.seeing.plain {
		for _, l := range sheet.Ladders {
			l.SetTimers(f.tracker)
		}
	}
	if l := pick.left(lives); l != "" {
		sheet.Left = append(sheet.Left, l)
	}
	switch n := report.ShowCount(end.stats.Packets); {
	case cut && len(sheet.Ladders) == 0:
		sheet.Left = append(sheet.Left, "Interrupted before anything was drawn.")
	case cut:
		sheet.Left = append(sheet.Left, fmt.Sprintf("Interrupted: the ladders end at frame %s of %s.", report.ShowCount(again.read), n))
	case end.interrupted:
		sheet.Left = append(sheet.Left, fmt.Sprintf("Interrupted: what comes after frame %s was not read.", n))
	}
	return end, sheet, nil
}

// createLadders opens the files of the outputs; nil stands for standard output.
func createLadders(f *flags) (files []*outputFile, err error) {
	for _, o := range f.seeing.ladders {
		var file *outputFile
		if o.file != "" {
			if file, err = createOutput(o.file); err != nil {
				for _, o := range files {
					if o != nil {
						o.discard()
					}
				}
				return nil, statusError{exitUsage, fmt.Errorf("cannot write: %w", err)}
			}
		}
		files = append(files, file)
	}
	return files, nil
}

// writeLadders writes all outputs.
func (c *cli) writeLadders(f *flags, sheet *report.LadderSheet, files []*outputFile) error {
	if f.seeing.plain {
		return sheet.Plain(c.stdout)
	}
	for i, o := range f.seeing.ladders {
		w := c.stdout
		if files[i] != nil {
			w = files[i]
		}
		sheet.Color = files[i] == nil && c.wantColor(f) || f.color == "always"
		if err := writeLadderForm(sheet, o.form, w); err != nil && (quiet(err) != nil || len(files) == 1) {
			return err
		}
	}
	return nil
}

func writeLadderForm(s *report.LadderSheet, form string, w io.Writer) error {
	switch form {
	case "markdown":
		return s.Markdown(w)
	case "html":
		return s.Page(w, "tcpstate "+programVersion())
	}
	return s.Table(w)
}

// sheetWidth is how wide ladders are where there is no terminal.
const sheetWidth = 120

// width is how many columns standard output has: COLUMNS says, or the terminal.
func (c *cli) width() int {
	if n, err := strconv.Atoi(c.env("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if f, ok := c.stdout.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return sheetWidth
}
