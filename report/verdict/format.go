package verdict

import (
	"io"

	"tcpstate/report"
)

// Format is one output of a Run.
type Format struct {
	Name  string
	Doc   string // half a line for the usage text
	Write func(w io.Writer, r *Run, o *Options) error
}

// Options say how it looks.
type Options struct {
	report.Style
	Version string // of the program
	Failing int    // results of one check that are shown at most; 0: DefaultFailing
}

// DefaultFailing is how many results of one check outputs for people show.
const DefaultFailing = 5

// Formats lists all outputs, the default first.
var Formats = []*Format{
	{"table", "for people: each check, what failed, and where", writeTable},
	{"json", "one JSON object; a --baseline for later runs", writeJSON},
	{"junit", "test cases in XML, for Jenkins and GitLab", writeJUnit},
	{"sarif", "SARIF 2.1.0, for code scanning", writeSARIF},
	{"github", "GitHub's annotations, and its step summary", writeGitHub},
	{"markdown", "a page for a comment", writeMarkdown},
}

// FindFormat returns the format of that name, or nil.
func FindFormat(name string) *Format {
	for _, f := range Formats {
		if f.Name == name {
			return f
		}
	}
	return nil
}
