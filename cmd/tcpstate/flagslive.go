package main

import (
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"tcpstate/report/detect"
)

// checkLive reads what only a live capture knows.
func checkLive(f *flags, r *raw, fs *pflag.FlagSet) error {
	for _, n := range []string{"duration", "interval", "no-screen", "metrics", "drop-privileges"} {
		if fs.Changed(n) && f.iface == "" {
			return fmt.Errorf("%s: for a live capture (-i)", spelt(fs, n))
		}
	}
	if fs.Changed("duration") && f.duration <= 0 {
		return fmt.Errorf("--duration %s: a time above 0", f.duration)
	}
	if f.interval <= 0 {
		return fmt.Errorf("--interval %s: a time above 0", f.interval)
	}
	for _, n := range []string{"metrics", "drop-privileges"} {
		if fs.Changed(n) && fs.Lookup(n).Value.String() == "" {
			return fmt.Errorf("%s: the value is empty", spelt(fs, n))
		}
	}
	if fs.Changed("metrics") {
		if _, err := parseMetricsAddr(f.metrics); err != nil {
			return fmt.Errorf("--metrics %s: %w", f.metrics, err)
		}
	}
	return nil
}

// checkWrite reads -w and what goes with it.
func checkWrite(f *flags, r *raw, fs *pflag.FlagSet) error {
	if fs.Changed("write") && f.write == "" {
		return fmt.Errorf("-w: the file name is empty")
	}
	if f.write != "" && isStdout(f.write) {
		f.write = "-"
	}
	if f.narrow != "" && detect.Find(f.narrow) == nil {
		return fmt.Errorf("--finding %s: %w", f.narrow, noFinding(f.narrow))
	}
	for _, n := range []string{"file-size", "file-count", "annotate", "finding"} {
		if fs.Changed(n) && f.write == "" && !(n == "finding" && f.seeing.explain) {
			return fmt.Errorf("%s: for writing packets (-w)", spelt(fs, n))
		}
	}
	if fs.Changed("file-size") && f.writeMB < 1 {
		return fmt.Errorf("-C %d: the size of a file is at least 1 (million octets)", f.writeMB)
	}
	if fs.Changed("file-count") && (f.writeFiles < 1 || f.writeMB == 0) {
		return fmt.Errorf("-W %d: the number of files is at least 1, and -C says how large they are", f.writeFiles)
	}
	if f.write == "" {
		return nil
	}
	if f.write != "-" && isInput(f.write, f.reads()) {
		return fmt.Errorf("-w %s: it is read; name another file", f.write)
	}
	if f.write == "-" && f.writeMB > 0 {
		return fmt.Errorf("-C: standard output is not rotated")
	}
	i := slices.IndexFunc(f.paths, irregular)
	var instead string
	switch {
	case f.iface != "":
		instead = "write all packets first, and then choose among those of the file"
	case f.waits():
		instead = "save standard input to one first"
	case i >= 0:
		instead = fmt.Sprintf("%s is %s: save what comes from it to one first", f.paths[i], kindOf(f.paths[i]))
	default:
		return nil
	}
	// They take a second reading.
	for _, n := range []string{"stream", "where", "finding"} {
		if fs.Changed(n) {
			return fmt.Errorf("-w with --%s: it reads twice, which only files allow; %s", n, instead)
		}
	}
	return nil
}

// irregular reports whether a path names something that cannot be read twice: a pipe, a
// socket or a device.
func irregular(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && !fi.Mode().IsRegular() && !fi.IsDir()
}

// kindOf says what something irregular is.
func kindOf(path string) string {
	fi, err := os.Stat(path)
	switch {
	case err != nil:
	case fi.Mode()&fs.ModeNamedPipe != 0:
		return "a pipe"
	case fi.Mode()&fs.ModeSocket != 0:
		return "a socket"
	case fi.Mode()&fs.ModeDevice != 0:
		return "a device"
	}
	return "no file"
}

// spelt is how a flag is usually given.
func spelt(fs *pflag.FlagSet, name string) string {
	if s := fs.Lookup(name).Shorthand; s != "" {
		return "-" + s
	}
	return "--" + name
}
