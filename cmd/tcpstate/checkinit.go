package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

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
		if err := c.verdict(&one, last); err != nil {
			return err // a policy of half a capture would be wrong
		}
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
