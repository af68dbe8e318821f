// Command tcpstate shows which state each end of every TCP connection of a
// packet capture is in, how it got there and how sure that is.
//
// Only this package prints, exits, reads the environment and looks at the
// clock.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"tcpstate/capture"
	"tcpstate/report"
)

// Exit statuses (interface.md).
const (
	exitOK          = 0
	exitFindings    = 1   // a finding reaches --fail-on
	exitUsage       = 2   // usage, or a bad expression
	exitDamaged     = 3   // input unreadable or damaged; what could be read is reported
	exitNoCapture   = 4   // a live capture cannot start
	exitInterrupted = 130 // while a file or pipe was read
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but for the exit.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &cli{stdin: stdin, stdout: stdout, stderr: stderr, env: os.Getenv, words: broken(args)}
	err := c.main(args)
	if err == nil {
		return exitOK
	}
	var s statusError
	if !errors.As(err, &s) {
		s = statusError{code: exitUsage, err: err}
	}
	if s.err != nil {
		c.complain("%s", s.err)
	}
	return s.code
}

// cli is one run of the program and what it talks to.
type cli struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) string
	words          []string // of the command line, that have a line break in them
}

// main reads the arguments and does what they say.
func (c *cli) main(args []string) error {
	f, err := parseFlags(args)
	if err != nil {
		return err
	}
	switch {
	case f.help:
		_, err := io.WriteString(c.stdout, usage())
		return quiet(err)
	case f.version:
		_, err := fmt.Fprintln(c.stdout, versionText())
		return quiet(err)
	case f.list:
		return c.listInterfaces()
	case f.catalogue:
		return c.catalogue(f)
	case f.check.on:
		return c.check(f)
	case f.diff:
		return c.diff(f)
	case f.seeing.explain:
		return c.explain(f)
	case f.seeing.at:
		return c.at(f)
	case f.iface != "":
		return c.sniff(f)
	}
	return c.analyse(f)
}

// statusError ends the program with a status. Without err the user has been
// told already.
type statusError struct {
	code int
	err  error
}

func (s statusError) Error() string {
	if s.err == nil {
		return fmt.Sprintf("exit status %d", s.code)
	}
	return s.err.Error()
}

func (s statusError) Unwrap() error { return s.err }

// usageError is a mistake in the arguments, with a hint to where help is.
func usageError(err error) error {
	return statusError{exitUsage, fmt.Errorf("%w\n(tcpstate --help shows all flags)", err)}
}

// complain writes one message to standard error. What it quotes may come from
// the network or from file names: each line is made printable, and no line ends within
// a name.
func (c *cli) complain(format string, a ...any) {
	names := slices.Clone(c.words)
	for _, x := range a {
		if err, ok := x.(error); ok {
			names = append(names, broken(namesIn(err))...)
		}
	}
	s := fmt.Sprintf(format, a...)
	for _, n := range names {
		s = strings.ReplaceAll(s, n, report.Printable(n))
	}
	fmt.Fprintln(c.stderr, printableLines("tcpstate: "+s))
}

// broken are those of the words, and of the values behind a = in them, that have a line
// break in them.
func broken(words []string) (l []string) {
	for _, w := range words {
		if _, value, ok := strings.Cut(w, "="); ok && strings.Contains(value, "\n") {
			l = append(l, value)
		}
		if strings.Contains(w, "\n") {
			l = append(l, w)
		}
	}
	return l
}

// namesIn are the names of files that an error quotes.
func namesIn(err error) (l []string) {
	var path *fs.PathError
	var link *os.LinkError
	var unread *capture.UnreadableError
	if errors.As(err, &path) {
		l = append(l, path.Path)
	}
	if errors.As(err, &link) {
		l = append(l, link.Old, link.New)
	}
	if errors.As(err, &unread) {
		l = append(l, unread.Name)
	}
	return l
}

func printableLines(s string) string {
	b := make([]byte, 0, len(s))
	for len(s) > 0 {
		i := 0
		for i < len(s) && s[i] != '\n' {
			i++
		}
		b = append(b, report.Printable(s[:i])...)
		if i == len(s) {
			break
		}
		b = append(b, '\n')
		s = s[i+1:]
	}
	return string(b)
}
