package main

import (
	"fmt"
	"io"
	"os"
)

// packetFiles are the files of -w, one after the other.
type packetFiles struct {
	name    string // "-" is standard output
	limit   int64  // octets of a file; 0 for none
	ring    int    // how many files; 0 for no limit
	inPlace bool   // under its name from the start, not when it is complete
	inputs  []string
	stdout  io.Writer

	n    int // the file at hand, from 1
	out  *outputFile
	size int64
}

// path is the name of the file at hand as tcpdump makes it: the first has the name that
// was given, those after it a number behind that; in a ring all have one, with as many
// digits as the last one needs.
func (p *packetFiles) path() string {
	digits := 0
	for last := p.ring - 1; last > 0; last /= 10 {
		digits++
	}
	n := max(p.n-1, 0)
	if p.ring > 0 {
		n %= p.ring
	}
	if n == 0 && digits == 0 {
		return p.name
	}
	return fmt.Sprintf("%s%0*d", p.name, digits, n)
}

// next begins another file.
func (p *packetFiles) next() (err error) {
	p.n++
	p.out, p.size = nil, 0
	name := p.path()
	switch {
	case p.name == "-":
		return nil
	case isInput(name, p.inputs):
		return fmt.Errorf("%s is read", name)
	case p.inPlace:
		var f *os.File
		if f, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666); err == nil {
			p.out = &outputFile{File: f}
		}
		return err
	}
	out, err := createOutput(name)
	if err == nil {
		p.out = out
	}
	return err
}

// room is how many octets the file may still take, below 0 for any number.
func (p *packetFiles) room() int64 {
	if p.limit == 0 {
		return -1
	}
	return max(p.limit-p.size, 0)
}

func (p *packetFiles) write(b []byte) error {
	p.size += int64(len(b))
	w := p.stdout
	if p.out != nil {
		w = p.out
	}
	_, err := w.Write(b)
	return err
}

// commit closes the file and puts it into its place.
func (p *packetFiles) commit() error {
	if p.out == nil {
		return nil
	}
	out := p.out
	p.out = nil
	return out.commit()
}

// discard closes the file, and removes it unless it was written in place.
func (p *packetFiles) discard() {
	if p.out != nil {
		p.out.discard()
		p.out = nil
	}
}
