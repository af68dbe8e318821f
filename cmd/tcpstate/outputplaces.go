package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// outputPlaces are where the outputs of one run go: files, and "" for standard output. No
// two go to the same.
type outputPlaces map[string]bool

// add takes one -o, FORMAT or FORMAT=FILE, whose format is known, and returns its file, ""
// for standard output, which is called "-", too, as -w has it. inputs are the files that are
// read, which no output may replace.
func (p outputPlaces) add(o string, inputs []string) (file string, err error) {
	format, file, toFile := strings.Cut(o, "=")
	if file == "-" {
		file, toFile = "", false
	}
	place := file
	if toFile {
		place = filepath.Clean(file)
	}
	switch {
	case toFile && file == "":
		return "", fmt.Errorf("-o %s: after = comes a file name", o)
	case toFile && isInput(file, inputs):
		return "", fmt.Errorf("-o %s: %s is read; name another file", format, file)
	case p[place] && !toFile:
		return "", fmt.Errorf("-o %s: two outputs on standard output; give one of them a file: -o %s=FILE", format, format)
	case p[place]:
		return "", fmt.Errorf("-o %s: two outputs into %s", format, file)
	}
	p[place] = true
	return file, nil
}
