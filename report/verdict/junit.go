package verdict

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"tcpstate/report"
)

// JUnit, in the elements and attributes that both Jenkins (the schema of its xUnit plugin)
// and GitLab (unit test reports) read: a suite for each capture, a case for each
// check. What is accepted or in the baseline is skipped, with the reason. No case took
// any time worth telling, and the same captures make the same document.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Time     string       `xml:"time,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string           `xml:"name,attr"`
		Tests      int              `xml:"tests,attr"`
		Failures   int              `xml:"failures,attr"`
		Errors     int              `xml:"errors,attr"`
		Skipped    int              `xml:"skipped,attr"`
		Time       string           `xml:"time,attr"`
		Timestamp  string           `xml:"timestamp,attr,omitempty"`
		Properties *junitProperties `xml:"properties"`
		Cases      []junitCase      `xml:"testcase"`
	}
	junitProperties struct {
		Property []junitProperty `xml:"property"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name      string     `xml:"name,attr"`
		ClassName string     `xml:"classname,attr"`
		Time      string     `xml:"time,attr"`
		Skipped   *junitSkip `xml:"skipped"`
		Error     *junitBad  `xml:"error"`
		Failure   *junitBad  `xml:"failure"`
		Out       string     `xml:"system-out,omitempty"`
	}
	junitSkip struct {
		Message string `xml:"message,attr"`
	}
	junitBad struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

const junitTime = "0"

func writeJUnit(w io.Writer, r *Run, o *Options) error {
	all := junitSuites{Name: "tcpstate " + r.Command, Time: junitTime}
	if len(r.Checks) > 0 {
		all.add(junitOf(r.Policy, r.Checks, o))
	}
	for i := range r.Files {
		f := &r.Files[i]
		s := junitOf(f.title(), f.Checks, o)
		if !f.Facts.Start.IsZero() {
			s.Timestamp = f.Facts.Start.UTC().Format("2006-01-02T15:04:05")
		}
		s.Properties = &junitProperties{[]junitProperty{
			{"packets", fmt.Sprint(f.Facts.Packets)}, {"connections", fmt.Sprint(f.Facts.Connections)},
			{"span", time.Duration(f.Facts.Span * 1e9).String()},
		}}
		all.add(s)
	}
	b := bufio.NewWriter(w)
	b.WriteString(xml.Header)
	e := xml.NewEncoder(b)
	e.Indent("", "  ")
	if err := e.Encode(&all); err != nil {
		return err
	}
	b.WriteByte('\n')
	return b.Flush()
}

func (all *junitSuites) add(s junitSuite) {
	all.Suites = append(all.Suites, s)
	all.Tests += s.Tests
	all.Failures += s.Failures
	all.Errors += s.Errors
}

func junitOf(name string, checks []Check, o *Options) junitSuite {
	s := junitSuite{Name: report.Printable(name), Time: junitTime}
	// GitLab tells cases apart by class and name, Jenkins takes what stands before the
	// last point for a package.
	class := strings.ReplaceAll(strings.Trim(strings.ReplaceAll(strings.ReplaceAll(s.Name, ".", "_"), "/", "."), "."), "..", ".")
	for i := range checks {
		c := &checks[i]
		x := junitCase{Name: report.Printable(c.title()), ClassName: class, Time: junitTime}
		body := c.body(o, report.Printable)
		switch c.Status {
		case Broken:
			x.Error = &junitBad{report.Printable(c.headline()), c.Kind.String(), body}
			s.Errors++
		case Fail:
			x.Failure = &junitBad{report.Printable(c.headline()), c.Kind.String(), body}
			s.Failures++
		case Accepted, Known:
			x.Skipped = &junitSkip{report.Printable(c.headline())}
			x.Out = body
			s.Skipped++
		default:
			x.Out = body
		}
		s.Tests++
		s.Cases = append(s.Cases, x)
	}
	return s
}
