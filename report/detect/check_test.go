package detect_test

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tcpstate/report/detect"
)

// subjects are the forms that the catalogue allows.
var subjects = func() *regexp.Regexp {
	const addr = `(?:\d+\.\d+\.\d+\.\d+|[0-9a-f:.]*:[0-9a-f:.]*)`
	const end = `(?:\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\]):\d+`
	return regexp.MustCompile(`^(?:` + strings.Join([]string{
		"server " + end, "client " + addr + " → server " + end, "host " + addr, "host " + addr + " → " + addr,
		"endpoint " + end, "service " + end + ", (?:client|server) side", "router " + addr, `connection \d+`, "capture",
	}, "|") + `)$`)
}()

var (
	blames = []detect.Blame{detect.BlameClient, detect.BlameServer, detect.BlameNetwork, detect.BlameMiddlebox, detect.BlameUnknown}
	saws   = []string{detect.SawRefused, detect.SawReset, detect.SawTimeout, detect.SawPipe, detect.SawNoAddress, detect.SawHostUnreach,
		detect.SawNetUnreach, detect.SawAborted, detect.SawMsgSize, detect.SawNothing, detect.SawAccess, detect.SawHostDown, detect.SawNoNetwork,
		detect.SawNoProtocol, detect.SawUnsupported}
	metricName = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
)

// checkFindings checks what holds for every finding of every detector.
func checkFindings(t *testing.T, p *played) {
	t.Helper()
	if !reflect.DeepEqual(p.findings, p.bare) {
		t.Errorf("after %d frames, with trails left out:\n%s", p.stats.Packets, difference(p.describe(""), (&played{stats: p.stats, findings: p.bare}).describe("")))
	}
	seen := map[string]bool{}
	for i := range p.findings {
		f := &p.findings[i]
		for _, bad := range faults(f, p) {
			t.Errorf("%s %s, after %d frames: %s", f.ID, f.Subject, p.stats.Packets, bad)
		}
		if key := f.ID + " " + f.Subject; seen[key] {
			t.Errorf("%s is raised twice", key)
		} else {
			seen[key] = true
		}
	}
}

// faults says what is wrong with a finding.
func faults(f *detect.Finding, p *played) (bad []string) {
	is := func(wrong bool, format string, args ...any) {
		if wrong {
			bad = append(bad, fmt.Sprintf(format, args...))
		}
	}
	d := detect.Find(f.ID)
	if d == nil {
		return []string{"no such id"}
	}
	is(!subjects.MatchString(f.Subject), "its subject is in no form of the catalogue")
	kind, _, _ := strings.Cut(f.Subject, " ")
	is(!strings.Contains(d.Subject, kind), "the detector says its subject is %q", d.Subject)
	is(f.Count < 1, "count %d", f.Count)
	is(f.First.IsZero() || f.Last.Before(f.First), "from %v to %v", f.First, f.Last)
	is(f.First.Before(time.Unix(0, p.stats.First)) || f.Last.After(time.Unix(0, p.stats.Last)), "from %v to %v is not inside the capture", f.First, f.Last)
	is(!slices.Contains(blames, f.Blame), "blame %q", f.Blame)
	is(!slices.Contains(saws, f.SeenBy.Client) || !slices.Contains(saws, f.SeenBy.Server), "seen by %+v", f.SeenBy)
	for name, text := range map[string]string{"explanation": f.Explanation, "advice": f.Advice} {
		is(text == "", "no %s", name)
		is(text != "" && !strings.HasSuffix(text, "."), "%s does not end with a full stop: %s", name, text)
		is(strings.Contains(text, "  ") || strings.Contains(text, "%!") || strings.Contains(text, "NaN") || strings.Contains(text, "Inf "), "%s: %s", name, text)
		is(strings.Contains(text, "tcp_tw_recycle"), "%s names tcp_tw_recycle", name)
	}
	names := map[string]bool{}
	for _, m := range f.Metrics {
		is(!metricName.MatchString(m.Name), "metric %q", m.Name)
		is(names[m.Name], "metric %s twice", m.Name)
		is(math.IsNaN(m.Value) || math.IsInf(m.Value, 0), "metric %s is %v", m.Name, m.Value)
		names[m.Name] = true
	}
	return append(bad, evidenceFaults(f, p)...)
}

// evidenceFaults says what is wrong with a finding's evidence: each frame has to
// be of the connection that it is shown for.
func evidenceFaults(f *detect.Finding, p *played) (bad []string) {
	is := func(wrong bool, format string, args ...any) {
		if wrong {
			bad = append(bad, fmt.Sprintf(format, args...))
		}
	}
	e := &f.Evidence
	is(len(e.Connections) > 5, "%d connections shown", len(e.Connections))
	is(e.Total < len(e.Connections), "%d connections of %d", len(e.Connections), e.Total)
	is(e.Total > 0 && len(e.Connections) == 0 || e.Total == 0 && f.Subject != detect.WholeCapture, "no evidence of %d", e.Total)
	is(len(e.Connections) > 0 && f.Wireshark == "", "evidence, and no filter for it")
	shown := map[detect.Ref]bool{}
	for _, c := range e.Connections {
		ref := detect.Ref{ID: c.ID, Incarnation: c.Incarnation}
		key, lives := p.lives[ref]
		is(!lives, "connection %v does not exist", ref)
		is(shown[ref], "connection %v is shown twice", ref)
		shown[ref] = true
		is(len(c.Frames) == 0, "connection %v: no frames", ref)
		last := uint64(0)
		for _, x := range c.Frames {
			of, there := p.frames[x.Frame]
			is(!there, "frame %d does not exist: %s", x.Frame, x.Text)
			is(there && lives && of != key, "frame %d is not of connection %v: %s", x.Frame, ref, x.Text)
			is(x.Frame <= last, "frame %d after frame %d", x.Frame, last)
			is(x.Text == "", "frame %d: no text", x.Frame)
			last = x.Frame
		}
	}
	return bad
}

// describe writes the findings of one id, or of all, in full.
func (p *played) describe(id string) string {
	var b strings.Builder
	for i := range p.findings {
		f := &p.findings[i]
		if id != "" && f.ID != id {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s %s: %s\n", f.Severity, f.ID, f.Subject)
		fmt.Fprintf(&b, "  count        %d, first %s, last %s\n", f.Count, p.since(f.First), p.since(f.Last))
		var ms []string
		for _, m := range f.Metrics {
			ms = append(ms, m.Name+"="+detect.Number(m.Value))
		}
		fmt.Fprintf(&b, "  metrics      %s\n", strings.Join(ms, " "))
		fmt.Fprintf(&b, "  blame        %s; client saw %s, server saw %s\n", f.Blame, orNothing(f.SeenBy.Client), orNothing(f.SeenBy.Server))
		fmt.Fprintf(&b, "  explanation  %s\n", f.Explanation)
		fmt.Fprintf(&b, "  advice       %s\n", f.Advice)
		fmt.Fprintf(&b, "  wireshark    %s\n", f.Wireshark)
		fmt.Fprintf(&b, "  evidence     %d\n", f.Evidence.Total)
		for _, c := range f.Evidence.Connections {
			fmt.Fprintf(&b, "    connection %d", c.ID)
			if c.Incarnation > 0 {
				fmt.Fprintf(&b, ", incarnation %d", c.Incarnation)
			}
			b.WriteByte('\n')
			for _, x := range c.Frames {
				fmt.Fprintf(&b, "    %5d  %s\n", x.Frame, x.Text)
			}
		}
	}
	return b.String()
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// since is a time from the capture's start.
func (p *played) since(t time.Time) string {
	return fmt.Sprintf("%.6f", float64(t.UnixNano()-p.stats.First)/1e9)
}

// difference of two texts: the lines between those that both begin and end with.
func difference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	var d strings.Builder
	for _, l := range x {
		d.WriteString("- " + l + "\n")
	}
	for _, l := range y {
		d.WriteString("+ " + l + "\n")
	}
	return d.String()
}
