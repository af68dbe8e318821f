package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"tcpstate/report"
)

// atKnows are the flags that say something about an instant. Those about findings, about a
// span of time, about a live capture and about packets that are written do not.
var atKnows = []string{
	"read", "filter", "filter-file", "host", "net", "port", "vlan", "count", "allow-truncated", "verify-checksums",
	"output", "style", "group-by", "where", "stream", "sort", "limit", "os", "time-wait", "fin-timeout",
	"workers", "max-connections", "max-memory", "time", "color", "progress", "quiet", "verbose", "numeric",
}

// atEnd is the TIME after the last packet.
const atEnd = "end"

// isAt reports whether the command line is "tcpstate at ...", also where -i makes it another.
func isAt(fs *pflag.FlagSet) bool { return fs.NArg() > 0 && fs.Arg(0) == commandAt }

// checkMoment reads TIME, and refuses what says nothing about it. It comes before the files
// are looked for: where TIME is missing the first of them is in its place.
func checkMoment(f *flags, r *raw, fs *pflag.FlagSet) (err error) {
	var unknown string
	fs.Visit(func(x *pflag.Flag) {
		if unknown == "" && !slices.Contains(atKnows, x.Name) {
			unknown = spelt(fs, x.Name)
		}
	})
	switch {
	case unknown != "":
		return fmt.Errorf("%s: not for tcpstate at; a file called at is ./at", unknown)
	case fs.NArg() == 1:
		return fmt.Errorf("at: which time? Give it as 22:48:00, 2026-11-20T22:48:00Z, 1795208387.18, +90s or end, and then the capture")
	}
	x := &f.seeing
	word := fs.Arg(1)
	if word == atEnd {
		x.atEnd = true
		return nil
	}
	if x.moment, err = report.ParseMoment(word); err == nil {
		return nil
	}
	if _, e := os.Stat(word); e == nil || word == "-" {
		return fmt.Errorf("at: %s is no time; it comes first, as in tcpstate at +90s %s (or end for the last packet)", report.Printable(word), report.Printable(word))
	}
	return fmt.Errorf("at: %w, or end", err)
}

// checkAt reads what only at knows.
func checkAt(f *flags, r *raw, fs *pflag.FlagSet) (err error) {
	x := &f.seeing
	if !slices.Contains(report.InstantLooks, x.style) {
		return fmt.Errorf("--style %s: it is one of %s", x.style, strings.Join(report.InstantLooks, ", "))
	}
	if fs.Changed("group-by") {
		if x.grouping, err = report.ParseGrouping(x.groupBy); err != nil {
			return fmt.Errorf("--group-by %w", err)
		}
		if x.style != report.InstantLooks[0] {
			return fmt.Errorf("--group-by: counts have no look of %s", x.style)
		}
	}
	x.clocks = fs.Changed("time")
	return nil
}

// checkAtOutputs reads -o of at.
func checkAtOutputs(f *flags, r *raw, fs *pflag.FlagSet) error {
	if f.report.Where != nil && f.report.Where.AsksFindings() {
		return fmt.Errorf("--where: findings are known when a whole capture was read, not at one instant")
	}
	if len(r.outputs) == 0 {
		r.outputs = report.InstantFormats[:1]
	}
	places := outputPlaces{}
	table := false
	for _, o := range r.outputs {
		format, _, _ := strings.Cut(o, "=")
		if !slices.Contains(report.InstantFormats, format) {
			return fmt.Errorf("-o %s: an instant is told as %s", format, strings.Join(report.InstantFormats, ", "))
		}
		file, err := places.add(o, f.paths)
		if err != nil {
			return err
		}
		table = table || format == report.InstantFormats[0]
		f.seeing.outputs = append(f.seeing.outputs, atOutput{format: format, name: file})
	}
	if fs.Changed("style") && !table {
		return fmt.Errorf("--style: for -o %s", report.InstantFormats[0])
	}
	return nil
}
