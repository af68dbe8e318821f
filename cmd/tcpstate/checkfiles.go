package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tcpstate/capture"
)

// target is what gets one verdict: a capture, or several that are joined.
type target struct {
	name  string
	paths []string
	err   error // nothing can be read
}

// gather turns the words of the command line into captures: a directory stands for all
// captures below it, a pattern that the shell left alone for the files that it matches.
// The order is that of the words, and that of the names within each; a file that is
// named twice is judged once.
func gather(words []string) (l []target) {
	seen := map[string]bool{}
	add := func(t target) {
		if key := filepath.Clean(t.name); !seen[key] {
			seen[key] = true
			l = append(l, t)
		}
	}
	for _, w := range words {
		for _, p := range globbed(w) {
			fi, err := os.Stat(p)
			if p == "-" || err != nil || !fi.IsDir() {
				add(target{name: p, paths: []string{p}})
				continue
			}
			found, err := capturesIn(p)
			if err == nil && len(found) == 0 {
				err = fmt.Errorf("%s: no capture in this directory", p)
			}
			if err != nil {
				add(target{name: p, err: err})
			}
			for _, x := range found {
				add(target{name: x, paths: []string{x}})
			}
		}
	}
	return l
}

// globbed is filepath.Glob for what is no file itself; as in a shell, * stands for no
// point at the beginning.
func globbed(w string) []string {
	if _, err := os.Lstat(w); err == nil || w == "-" {
		return []string{w}
	}
	l, err := filepath.Glob(w)
	hidden := func(p string) bool { return strings.HasPrefix(filepath.Base(p), ".") }
	if !hidden(w) {
		l = slices.DeleteFunc(l, hidden)
	}
	if err != nil || len(l) == 0 {
		return []string{w}
	}
	slices.Sort(l)
	return l
}

// capturesIn finds the captures in a directory and those below it, in the order of their
// names. What begins with a point is left out, as a shell would; links to directories
// are not followed.
func capturesIn(dir string) (l []string, err error) {
	root := dir + string(filepath.Separator) + "." // dir itself may be a link
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p != root && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		if fi, err := os.Stat(p); err == nil && fi.Mode().IsRegular() && isCapture(p) {
			l = append(l, p)
		}
		return nil
	})
	slices.Sort(l)
	return l, err
}

// captureNames end the names of captures, compressed or not.
var captureNames = []string{".pcap", ".pcapng", ".cap"}

// isCapture reports whether a regular file is one, by its name or else by how it begins:
// rotated files have all sorts of names.
func isCapture(p string) bool {
	name := strings.ToLower(filepath.Base(p))
	for _, zip := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, zip)
	}
	if slices.Contains(captureNames, filepath.Ext(name)) {
		return true
	}
	src, err := capture.Open(capture.Options{Paths: []string{p}})
	if err != nil {
		return false
	}
	src.Close()
	return true
}

// joinAll makes one target of all (--merge).
func joinAll(l []target) []target {
	all := target{name: l[0].name}
	for _, t := range l {
		if t.err != nil {
			return []target{{name: all.name, err: t.err}}
		}
		all.paths = append(all.paths, t.paths...)
	}
	return []target{all}
}
