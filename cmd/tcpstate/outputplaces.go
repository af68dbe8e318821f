package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// outputPlaces are where the outputs of one run go, as placeOf names them. No two go to the
// same.
type outputPlaces map[string]bool

// add takes one -o, FORMAT or FORMAT=FILE, whose format is known, and returns its file, ""
// for standard output, which is called "-", too, as -w has it. inputs are the files that are
// read, which no output may replace.
func (p outputPlaces) add(o string, inputs []string) (file string, err error) {
	format, file, toFile := strings.Cut(o, "=")
	if toFile && (file == "-" || isStdout(file)) {
		file, toFile = "", false
	}
	place := ""
	if toFile {
		place = placeOf(file)
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

// placeOf is where what is written to a file of that name ends up: the same for all names of
// one file, whether it is there yet or not, and "" for standard output.
func placeOf(name string) string {
	if isStdout(name) {
		return ""
	}
	if to, err := linked(name); err == nil { // also to where nothing is yet
		name = to
	}
	if at, err := filepath.Abs(name); err == nil {
		name = at
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil {
		name = filepath.Join(dir, filepath.Base(name))
	}
	return filepath.Clean(name)
}

// stdoutNames are what standard output is called in the file system.
var stdoutNames = []string{"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}

// isStdout reports whether a name is one of standard output, or that of the file or pipe
// that it goes to. All that goes to the null device is lost, and cannot get mixed up.
func isStdout(name string) bool {
	if slices.Contains(stdoutNames, filepath.Clean(name)) {
		return true
	}
	to, err := os.Stat(name)
	if err != nil {
		return false
	}
	if null, err := os.Stat(os.DevNull); err == nil && os.SameFile(to, null) {
		return false
	}
	out, err := os.Stdout.Stat()
	return err == nil && os.SameFile(to, out)
}
