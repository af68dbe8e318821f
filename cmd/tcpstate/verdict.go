package main

import (
	"fmt"
	"strings"

	"tcpstate/capture"
	"tcpstate/report"
)

// verdict says on standard error what was wrong with the input, and is the
// exit status. What is wrong with a file stands in one line, and what a reader of the
// report should know besides goes into that line if it is the only one.
func (c *cli) verdict(f *flags, e ending) error {
	st := &e.stats
	var lines []string
	damaged, of := false, ""
	for i := range st.Damage {
		d := &st.Damage[i]
		if e.interrupted && d.Cut {
			continue // we cut it ourselves
		}
		warn := d.Cut && f.truncated
		damaged = damaged || !warn
		switch {
		case warn && f.quiet:
		case len(lines) > 0 && d.File == of:
			lines[len(lines)-1] += "; " + damageWhat(d)
		default:
			lines, of = append(lines, damageText(d)), d.File
		}
	}
	if !f.quiet {
		remarks := f.remarks(st)
		if len(lines) == 1 && damaged {
			lines, remarks = []string{strings.Join(append(lines, remarks...), "; ")}, nil
		}
		for _, l := range remarks {
			if e.name != "" {
				l = report.Printable(e.name) + ": " + l
			}
			lines = append(lines, l)
		}
	}
	for _, l := range lines {
		c.complain("%s", l)
	}
	switch {
	case e.interrupted && f.iface == "":
		return statusError{code: exitInterrupted}
	case e.interrupted && st.Packets == 0:
		return statusError{code: exitInterrupted}
	case e.err != nil:
		return statusError{exitDamaged, e.err}
	case damaged:
		return statusError{code: exitDamaged}
	}
	return nil
}

// remarks are what a reader of the report should know about the input.
func (f *flags) remarks(st *capture.Stats) (l []string) {
	if st.Dropped > 0 || st.IfDropped > 0 {
		l = append(l, fmt.Sprintf("the capture lost %d frames, and its interface %d", st.Dropped, st.IfDropped))
	}
	switch {
	case st.Packets > 0 && st.Segments == 0:
		l = append(l, fmt.Sprintf("no TCP segment among the frames (%d)", st.Packets))
	case st.Segments > 0 && st.Selected == 0 && st.TaggedTCP > 0 && f.selection.Filter != "":
		l = append(l, fmt.Sprintf("the filter selected nothing, but %d TCP segments are VLAN-tagged: a filter sees them only after the word vlan, as in -f 'vlan and (%s)'",
			st.TaggedTCP, f.selection.Filter))
	case st.Segments > 0 && st.Selected == 0:
		l = append(l, fmt.Sprintf("none of %d TCP segments is selected", st.Segments))
	}
	return l
}

// damageText is one line on one reason.
func damageText(d *capture.Damage) string {
	return report.Printable(d.File) + ": " + damageWhat(d)
}

// damageWhat is damageText without the file.
func damageWhat(d *capture.Damage) string {
	if d.Reason == "unreadable" {
		return d.Detail + " (left out)"
	}
	what, ok := damageWords[d.Reason]
	if !ok {
		what = "cannot be read further"
	}
	s := fmt.Sprintf("%s at byte %d (reason %s)", what, d.Offset, d.Reason)
	if d.Detail != "" {
		s += ": " + d.Detail
	}
	if d.N > 1 {
		s += fmt.Sprintf(", %d times", d.N)
	}
	return s
}

// damageWords puts the reasons of package capture into words. "at byte N"
// follows.
var damageWords = map[string]string{
	"cut-short":            "cut short inside a record",
	"record-too-large":     "a record claims an impossible length",
	"bad-section-header":   "a section header is wrong",
	"bad-block":            "a block is wrong",
	"bad-block-length":     "a block claims an impossible length",
	"block-lengths-differ": "the two lengths of a block differ",
	"unknown-version":      "a section of an unknown version",
	"unknown-interface":    "a packet of an interface that was not described",
	"too-many-interfaces":  "more interfaces than any capture has",
	"damaged-compression":  "the compressed data is damaged",
	"read-error":           "reading failed",
}
