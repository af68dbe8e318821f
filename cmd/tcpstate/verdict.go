package main

import (
	"errors"
	"fmt"

	"tcpstate/capture"
	"tcpstate/report"
)

// verdict says on standard error what was wrong with the input, and is the
// exit status.
func (c *cli) verdict(f *flags, e ending) error {
	st := &e.stats
	damaged := false
	for _, d := range st.Damage {
		if e.interrupted && d.Cut {
			continue // we cut it ourselves
		}
		warn := d.Cut && f.truncated
		damaged = damaged || !warn
		if !warn || !f.quiet {
			c.complain("%s", damageText(&d))
		}
	}
	if !f.quiet {
		c.warn(f, st)
	}
	var filter *capture.FilterError
	switch {
	case errors.As(e.err, &filter): // of an interface that came later in the file
		return usageError(e.err)
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

// warn tells what a reader of the report should know about the input.
func (c *cli) warn(f *flags, st *capture.Stats) {
	if st.Dropped > 0 || st.IfDropped > 0 {
		c.complain("the capture lost %d frames, and its interface %d", st.Dropped, st.IfDropped)
	}
	switch {
	case st.Packets > 0 && st.Segments == 0:
		c.complain("no TCP segment among the frames (%d)", st.Packets)
	case st.Segments > 0 && st.Selected == 0 && st.TaggedTCP > 0 && f.selection.Filter != "":
		c.complain("the filter selected nothing, but %d TCP segments are VLAN-tagged: a filter sees them only after the word vlan, as in\n  -f 'vlan and (%s)'",
			st.TaggedTCP, f.selection.Filter)
	case st.Segments > 0 && st.Selected == 0:
		c.complain("none of %d TCP segments is selected", st.Segments)
	}
}

// damageText is one line on one reason.
func damageText(d *capture.Damage) string {
	if d.Reason == "unreadable" {
		return fmt.Sprintf("%s: %s (left out)", report.Printable(d.File), d.Detail)
	}
	what, ok := damageWords[d.Reason]
	if !ok {
		what = "cannot be read further"
	}
	s := fmt.Sprintf("%s: %s at byte %d (reason %s)", report.Printable(d.File), what, d.Offset, d.Reason)
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
