package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"tcpstate/report/verdict"
)

// verdictOutput is one -o of a command that judges: a format, and a file or "" for
// standard output.
type verdictOutput struct {
	format *verdict.Format
	file   string
}

// checkVerdicts reads -o.
func checkVerdicts(f *flags, r *raw, _ *pflag.FlagSet) error {
	if len(r.outputs) == 0 {
		r.outputs = []string{verdict.Formats[0].Name}
	}
	places := outputPlaces{}
	for _, o := range r.outputs {
		name, _, _ := strings.Cut(o, "=")
		format := verdict.FindFormat(name)
		if format == nil {
			var l []string
			for _, x := range verdict.Formats {
				l = append(l, x.Name)
			}
			return fmt.Errorf("-o %s: a verdict is told as %s", name, strings.Join(l, ", "))
		}
		file, err := places.add(o, nil) // what is read is known later: see clearOf
		if err != nil {
			return err
		}
		f.verdicts = append(f.verdicts, verdictOutput{format, file})
	}
	if f.check.update && places[placeOf(f.check.baseline)] {
		return fmt.Errorf("--update-baseline: an output of -o goes to %s, too; name another file", f.check.baseline)
	}
	return nil
}

// clearOf refuses outputs that would take the place of what is read.
func clearOf(f *flags, read []target) error {
	paths := f.reads()
	for _, t := range read {
		paths = append(paths, t.paths...)
	}
	if f.check.policy != "" {
		paths = append(paths, f.check.policy)
	}
	for _, o := range f.verdicts {
		if o.file != "" && (isInput(o.file, paths) || isInput(o.file, []string{f.check.baseline})) {
			return usageError(fmt.Errorf("-o %s: %s is read; name another file", o.format.Name, o.file))
		}
	}
	if f.check.update && isInput(f.check.baseline, paths) {
		return usageError(fmt.Errorf("--baseline %s: it is read as something else; name another file", f.check.baseline))
	}
	return nil
}

// openVerdict is one of them with the place that it goes to.
type openVerdict struct {
	verdictOutput
	w    io.Writer
	file *outputFile // nil for standard output
}

// openVerdicts opens all of them.
func (c *cli) openVerdicts(f *flags) (l []openVerdict, err error) {
	for _, o := range f.verdicts {
		x := openVerdict{o, c.stdout, nil}
		if o.file != "" {
			if x.file, err = createOutput(o.file); err != nil {
				for _, y := range l {
					y.drop()
				}
				return nil, statusError{exitUsage, fmt.Errorf("cannot write: %w", err)}
			}
			x.w = x.file
		}
		l = append(l, x)
	}
	return l, nil
}

func (o *openVerdict) drop() {
	if o.file != nil {
		o.file.discard()
	}
}

// verdictOptions say how verdicts look, but for their colour.
func (f *flags) verdictOptions() *verdict.Options {
	return &verdict.Options{Style: f.report.Style, Version: strings.Fields(versionText())[1], Failing: f.report.Limit}
}

// writeVerdicts writes all outputs, and the summary of a step on GitHub's runner where -o
// github is one of them.
func (c *cli) writeVerdicts(f *flags, outs []openVerdict, run *verdict.Run) (err error) {
	for _, o := range outs {
		opts := f.verdictOptions()
		opts.Color = o.file == nil && c.wantColor(f) || f.color == "always"
		if err == nil {
			err = o.format.Write(o.w, run, opts)
		}
		if o.file == nil {
			err = quiet(err)
			continue
		}
		if err != nil {
			o.drop()
		} else {
			err = o.file.commit()
		}
	}
	for _, o := range outs {
		if name := c.env("GITHUB_STEP_SUMMARY"); err == nil && o.format.Name == "github" && name != "" {
			err = appendSummary(name, run, f.verdictOptions())
			break
		}
	}
	var s statusError
	if err == nil || errors.As(err, &s) {
		return err
	}
	return statusError{exitUsage, fmt.Errorf("cannot write: %w", err)}
}

// appendSummary adds to the file that the runner shows beside a step.
func appendSummary(name string, run *verdict.Run, o *verdict.Options) error {
	w, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	return errors.Join(verdict.Summary(w, run, o), w.Close())
}
