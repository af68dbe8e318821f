package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/policy"
)

// initPolicy is --init: it writes the policy of captures that are good, to standard output
// or to a file that does not exist yet.
func (c *cli) initPolicy(f *flags, files []target, intr *interrupts) error {
	if name := f.check.policy; name != "" {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return usageError(fmt.Errorf("--init: %s exists; name another file, or remove it", name))
		}
	}
	s := &policy.Survey{Today: f.check.today, Values: f.report.Detect.Values, Disabled: f.report.Detect.Disabled, Where: f.check.where}
	nothing, of := fmt.Sprintf("no connection in any of %d captures", len(files)), "--init"
	defer sparing(f.tracker.MaxMemory, 0)()
	for _, t := range files {
		if t.err != nil {
			return statusError{exitDamaged, t.err}
		}
		one := *f
		one.paths = t.paths
		src, err := c.openSource(&one, intr, nil)
		if err != nil {
			return err
		}
		s.Names = append(s.Names, t.paths...)
		format := s.Format()
		opts := f.report
		opts.Outputs, opts.Zone = []report.Output{{Format: format, Parts: format.Parts, W: io.Discard}}, time.Local
		last, err := c.follow(&one, src, report.New(opts), intr, nil)
		if err = quiet(err); err != nil {
			return err
		}
		last.name = t.name
		why := one.nothingSeen(&last.stats)
		// Where it is all there is to say, it is said once.
		one.quiet = one.quiet || len(files) == 1 && s.Empty() && len(last.stats.Damage) == 0
		if err := c.verdict(&one, last); err != nil {
			return err // a policy of half a capture would be wrong
		}
		if len(files) == 1 {
			nothing, of = why, report.Printable(t.name)
		}
	}
	if s.Empty() {
		return statusError{exitDamaged, fmt.Errorf("%s: there is nothing to make a policy of: %s", of, nothing)}
	}
	text := s.Policy()
	if _, err := policy.Parse("--init", []byte(text)); err != nil {
		return statusError{exitUsage, err}
	}
	if f.check.policy == "" {
		_, err := io.WriteString(c.stdout, text)
		return quiet(err)
	}
	o, err := createOutput(f.check.policy)
	if err != nil {
		return statusError{exitUsage, fmt.Errorf("cannot write: %w", err)}
	}
	if _, err := io.WriteString(o, text); err != nil {
		o.discard()
		return statusError{exitUsage, fmt.Errorf("cannot write: %w", err)}
	}
	if err := o.commit(); err != nil {
		return statusError{exitUsage, fmt.Errorf("cannot write: %w", err)}
	}
	return nil
}

// nothingSeen says why a capture may show no connection.
func (f *flags) nothingSeen(st *capture.Stats) string {
	switch {
	case st.Packets == 0:
		return "no packet in it"
	case st.Selected == 0:
		return strings.Join(f.remarks(st), "; ")
	}
	return "no connection is selected"
}
