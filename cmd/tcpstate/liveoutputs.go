package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"tcpstate/report"
)

// liveOutput is an output of a live capture. Its file is written in place, for who
// follows it while it grows, and for what comes at the end rights to rename may be gone.
type liveOutput struct {
	report.Output
	file *os.File // nil: standard output
	slow *lossy
}

// openLiveOutputs opens all outputs of f.
func (c *cli) openLiveOutputs(f *flags) (outs []*liveOutput, err error) {
	for _, s := range f.outputs {
		o := &liveOutput{}
		var w io.Writer = c.stdout
		if len(f.outputs) > 1 || f.metrics != "" || f.write != "" {
			w = &departing{w: w}
		}
		if s.file != "" {
			if o.file, err = os.OpenFile(s.file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666); err != nil {
				for _, o := range outs {
					o.close()
				}
				return nil, statusError{exitUsage, fmt.Errorf("cannot write: %w", err)}
			}
			w = o.file
		}
		o.slow = newLossy(w, lossyQueue)
		w = o.slow
		color := s.file == "" && c.wantColor(f) || f.color == "always"
		o.Output = report.Output{Format: s.format, Parts: s.parts, W: w, Color: color}
		outs = append(outs, o)
	}
	return outs, nil
}

// departing is standard output where it is not all there is: when who reads it goes, the
// others go on.
type departing struct {
	w    io.Writer
	gone bool
}

func (d *departing) Write(p []byte) (int, error) {
	if !d.gone {
		n, err := d.w.Write(p)
		if err == nil || quiet(err) != nil {
			return n, err
		}
		d.gone = true
	}
	return len(p), nil
}

// lossyQueue is how much may wait for a slow reader, in octets, and lossyGrace how
// long the report at the end waits for one.
const (
	lossyQueue = 4 << 20
	lossyGrace = 10 * time.Second
)

// lost is how many lines were dropped, for who reads them was too slow.
func (o *liveOutput) lost() uint64 { return o.slow.lost() }

// last says that the report at the end follows, which waits for who reads it.
func (o *liveOutput) last() { o.slow.blocking(lossyGrace) }

func (o *liveOutput) close() error {
	err := o.slow.drain(lossyGrace)
	o.slow.close()
	if o.file == nil {
		return err
	}
	if closed := o.file.Close(); err == nil {
		err = closed
	}
	return err
}
