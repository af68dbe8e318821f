package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"tcpstate/report"
)

// outputSpec is one -o: a format, and a file or "" for standard output.
type outputSpec struct {
	format *report.Format
	parts  report.Parts
	file   string
}

// checkOutputs reads -o and --show, and what goes with them.
func checkOutputs(f *flags, r *raw, flagSet *pflag.FlagSet) error {
	switch {
	case f.check.on || f.diff:
		return checkVerdicts(f, r, flagSet)
	case f.seeing.explain:
		return checkExplainOutputs(f, r, flagSet)
	case f.seeing.at:
		return checkAtOutputs(f, r, flagSet)
	}
	switch {
	case len(r.outputs) > 0:
	case f.write == "-": // there is no place for a report
		for _, n := range []string{"show", "sort", "step"} {
			if flagSet.Changed(n) {
				return fmt.Errorf("--%s: packets go to standard output (-w -); give the report a file: -o %s=FILE", n, report.Formats[0].Name)
			}
		}
		return nil
	default:
		r.outputs = []string{report.Formats[0].Name}
	}
	var show report.Parts
	if flagSet.Changed("show") {
		var err error
		if show, err = report.ParseParts(r.show); err != nil {
			return fmt.Errorf("--show: %w", err)
		}
	}
	places := outputPlaces{}
	if f.write != "" {
		places[writePlace(f.write)] = true
	}
	sortable := false
	for _, o := range r.outputs {
		name, _, _ := strings.Cut(o, "=")
		format := report.FindFormat(name)
		if format == nil {
			return fmt.Errorf("-o %s: the formats are %s", name, formatNames())
		}
		file, err := places.add(o, f.reads())
		if err != nil {
			return err
		}
		spec := outputSpec{format: format, file: file}
		if spec.parts, err = chooseParts(spec.format, show, f.quiet); err != nil {
			return err
		}
		if spec.format.Whole && f.report.Active() {
			return fmt.Errorf("-o %s: --where, --stream, --since and --until choose among tcpstate's connections, and its rows are split by other rules; use a filter", name)
		}
		sortable = sortable || !spec.format.Ordered
		f.outputs = append(f.outputs, spec)
	}
	if f.iface != "" && f.count == 0 && f.duration == 0 {
		// What would grow for ever.
		for _, s := range f.outputs {
			if f.report.Sort != nil && !s.format.Ordered && s.format.Name != "table" {
				return fmt.Errorf("--sort: -o %s keeps all connections to sort them; a live capture takes it with -c or --duration", s.format.Name)
			}
		}
	}
	if flagSet.Changed("step") && !slices.ContainsFunc(f.outputs, func(s outputSpec) bool { return s.format.Series || s.parts.Has(report.PartStates) }) {
		return errStep
	}
	if f.report.Sort != nil && !sortable {
		return fmt.Errorf("--sort: %s has an order of its own", f.outputs[0].format.Name)
	}
	return nil
}

// writePlace is where packets go, as the places of outputs are named.
func writePlace(name string) string {
	if name == "-" {
		return ""
	}
	return placeOf(name)
}

// reads are the files that are read: no output may take the place of one.
func (f *flags) reads() []string {
	if f.filterFile == "" {
		return slices.Clip(f.paths)
	}
	return append(slices.Clone(f.paths), f.filterFile)
}

// isInput reports whether an output would take the place of a capture that is
// read, under whatever name. Standard input is one where it comes from a file.
func isInput(file string, inputs []string) bool {
	out, err := os.Stat(file)
	if err != nil || !out.Mode().IsRegular() {
		return false
	}
	return slices.ContainsFunc(inputs, func(p string) bool {
		stat := func() (os.FileInfo, error) { return os.Stat(p) }
		if p == "-" {
			stat = os.Stdin.Stat
		}
		in, err := stat()
		return err == nil && os.SameFile(in, out)
	})
}

// chooseParts is what a format shows.
func chooseParts(f *report.Format, show report.Parts, quiet bool) (report.Parts, error) {
	switch {
	case show == 0 && quiet && f.Can.Has(report.PartFindings):
		return report.PartFindings, nil
	case show == 0:
		return f.Parts, nil
	case f.Can&show != show && (f.OnePart || f.Can&show == 0):
		return 0, fmt.Errorf("--show %s: -o %s can show %s", show, f.Name, f.Can)
	case f.OnePart && strings.Contains(show.String(), ","):
		return 0, fmt.Errorf("--show %s: -o %s shows exactly one part", show, f.Name)
	}
	return f.Can & show, nil
}

// draws reports whether an output shows ladders.
func (f *flags) draws() bool {
	return slices.ContainsFunc(f.outputs, func(o outputSpec) bool { return o.format.Draws })
}

func formatNames() string {
	var l []string
	for _, f := range report.Formats {
		l = append(l, f.Name)
	}
	return strings.Join(l, ", ")
}

// longestName is how much of a file's name goes into that of the temporary one beside it:
// file systems take 255 octets, and a character has four at the most.
const longestName = 60

// outputFile is a file that appears under its name once it is complete.
type outputFile struct {
	*os.File
	name string // where it will be; "" if it is written in place
}

// createOutput opens a file for writing beside the place where it will be.
// What exists and is no regular file (a pipe, /dev/stderr) is written in place.
func createOutput(name string) (*outputFile, error) {
	perm := fs.FileMode(0o666) // less the umask
	if fi, err := os.Stat(name); err == nil {
		if !fi.Mode().IsRegular() {
			f, err := os.OpenFile(name, os.O_WRONLY, 0)
			return &outputFile{File: f}, err
		}
		perm = fi.Mode().Perm()
		if to, err := filepath.EvalSymlinks(name); err == nil {
			name = to
		}
	} else if name, err = linked(name); err != nil {
		return nil, err
	}
	for range 100 {
		tmp := filepath.Join(filepath.Dir(name), fmt.Sprintf(".%.*s.%08x", longestName, filepath.Base(name), rand.Uint32()))
		f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		if !errors.Is(err, fs.ErrExist) {
			var pe *fs.PathError
			if errors.As(err, &pe) {
				pe.Path = name // not the temporary name, which nobody knows
			}
			return &outputFile{f, name}, err
		}
	}
	return nil, fmt.Errorf("%s: no name for a temporary file beside it", name)
}

// linked is the place that a link names where nothing is yet, for there the file goes, as
// tcpdump and a shell have it; of anything else it is the name.
func linked(name string) (string, error) {
	at := name
	for range mostLinks {
		to, err := os.Readlink(at)
		switch {
		case err != nil:
			return at, nil
		case !filepath.IsAbs(to):
			dir, err := filepath.EvalSymlinks(filepath.Dir(at)) // for to may begin with ..
			if err != nil {
				return "", err
			}
			to = filepath.Join(dir, to)
		}
		at = to
	}
	return "", &fs.PathError{Op: "open", Path: name, Err: syscall.ELOOP}
}

// mostLinks is how many links Linux follows of one name.
const mostLinks = 40

// Write and WriteString are those of the file, whose errors have the name that the user knows.
func (o *outputFile) Write(b []byte) (int, error) {
	n, err := o.File.Write(b)
	return n, o.named(err)
}

func (o *outputFile) WriteString(s string) (int, error) { return o.Write([]byte(s)) }

func (o *outputFile) named(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case o.name == "":
	case errors.As(err, &pe):
		pe.Path = o.name
	case errors.As(err, &le):
		return &fs.PathError{Op: "write", Path: o.name, Err: le.Err}
	}
	return err
}

// commit closes the file and puts it into its place.
func (o *outputFile) commit() error {
	if err := o.Close(); err != nil {
		o.discard()
		return o.named(err)
	}
	if o.name == "" {
		return nil
	}
	if err := os.Rename(o.File.Name(), o.name); err != nil {
		o.discard()
		return o.named(err)
	}
	return nil
}

// discard removes what was written so far.
func (o *outputFile) discard() {
	o.Close()
	if o.name != "" {
		os.Remove(o.File.Name())
	}
}

// openOutputs opens all outputs of f. The files are returned too.
func (c *cli) openOutputs(f *flags) (outs []report.Output, files []*outputFile, err error) {
	for _, s := range f.outputs {
		var w io.Writer = c.stdout
		if s.file != "" {
			o, err := createOutput(s.file)
			if err != nil {
				for _, o := range files {
					o.discard()
				}
				return nil, nil, statusError{exitUsage, fmt.Errorf("cannot write: %w", err)}
			}
			files, w = append(files, o), o
		}
		color := s.file == "" && c.wantColor(f) || f.color == "always"
		outs = append(outs, report.Output{Format: s.format, Parts: s.parts, W: w, Color: color})
	}
	return outs, files, nil
}
