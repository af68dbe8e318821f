package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// The page of a capture says the same as its JSON: each number of the census, the closes, the
// services, the findings and the connections.
func TestPageEqualsJSON(t *testing.T) {
	for _, name := range []string{"refused", "time-wait-reuse", "loss", "zero-window", "syn-flood", "close-wait-leak", "icmp-unreachable", "abort-linger-zero", "odd-flags",
		"ipv6", "mirror-port", "forged-resets", "simultaneous-open", "client-rebooted"} {
		t.Run(name, func(t *testing.T) {
			file := "../../testdata/pcaps/" + name + ".pcap"
			var stdout, stderr bytes.Buffer
			if code := run([]string{"-o", "json", "--show", "summary,findings,connections,services", file}, nil, &stdout, &stderr); code != 0 {
				t.Fatal(code, stderr.String())
			}
			want, err := linesOfJSON(stdout.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			root, err := html.Parse(strings.NewReader(htmlPage(t, file)))
			if err != nil {
				t.Fatal(err)
			}
			got := linesOfPage(root)
			if len(want) < 8 {
				t.Errorf("only %d lines", len(want))
			}
			slices.Sort(want)
			slices.Sort(got)
			for _, l := range want {
				if _, found := slices.BinarySearch(got, l); !found {
					t.Errorf("JSON alone: %s", l)
				}
			}
			for _, l := range got {
				if _, found := slices.BinarySearch(want, l); !found {
					t.Errorf("page alone: %s", l)
				}
			}
		})
	}
}

// jsonReport is what is compared of a report.
type jsonReport struct {
	Summary struct {
		Packets, Segments, Connections uint64
		Close, Resets                  map[string]uint64
		ClosedFirst                    map[string]uint64 `json:"closed_first"`
		States                         map[string]struct {
			Confirmed, Presumed, Elapsed, Peak uint64
			PeakTime                           *time.Time `json:"peak_time"`
		}
	}
	Findings []struct {
		ID, Severity, Subject, Explanation, Advice, Wireshark string
		Count                                                 uint64
		Evidence                                              struct {
			Total       int
			Connections []struct {
				ID, Incarnation uint64
				Frames          []struct {
					Frame uint64
					Text  string
				}
			}
		}
	}
	Connections []struct {
		ID, Incarnation uint64
		Start           time.Time
		Client, Server  struct {
			Addr, State, Certainty string
			Port, Packets, Bytes   uint64
		}
		Close    struct{ Kind, By string }
		Findings []string
	}
	Services []struct {
		Addr              string
		Port, Connections uint64
		Close, Resets     map[string]uint64
	}
}

// linesOfJSON writes a report line by line, as a page says it.
func linesOfJSON(b []byte) (l []string, err error) {
	var r jsonReport
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, err
	}
	add := func(words ...any) { l = append(l, strings.TrimRight(fmt.Sprintln(words...), "\n")) }
	clock := func(at time.Time) string { return at.UTC().Format("15:04:05.000000") }
	name := func(id, incarnation uint64) string {
		if incarnation > 0 {
			return fmt.Sprintf("%d.%d", id, incarnation)
		}
		return fmt.Sprint(id)
	}
	add("fact Packets", r.Summary.Packets)
	add("fact TCP segments", r.Summary.Segments)
	add("fact Connections", r.Summary.Connections)
	for s, c := range r.Summary.States {
		if c.Peak > 0 {
			add("state", s, c.Confirmed, c.Presumed, c.Elapsed, c.Peak, clock(*c.PeakTime))
		}
	}
	for title, counts := range map[string]map[string]uint64{"Connections by how they ended": r.Summary.Close, "Who closed first": r.Summary.ClosedFirst, "Resets by kind": r.Summary.Resets} {
		for k, n := range counts {
			if k == "none" {
				k = "nobody"
			}
			if n > 0 {
				add(title, k, n)
			}
		}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		add("finding", f.Severity, f.ID, f.Subject, f.Count, f.Explanation, f.Advice, f.Wireshark)
		for _, c := range f.Evidence.Connections {
			for _, x := range c.Frames {
				add("evidence", f.ID, f.Subject, name(c.ID, c.Incarnation), x.Frame, x.Text)
			}
		}
		if n := f.Evidence.Total - len(f.Evidence.Connections); n > 0 {
			add("more evidence", f.ID, f.Subject, n)
		}
	}
	for i := range r.Connections {
		c := &r.Connections[i]
		end := func(state, certainty string) string {
			return state + map[string]string{"presumed": "?", "elapsed": "~"}[certainty]
		}
		add("connection", name(c.ID, c.Incarnation), clock(c.Start), hostPort(c.Client.Addr, c.Client.Port), hostPort(c.Server.Addr, c.Server.Port),
			end(c.Client.State, c.Client.Certainty), end(c.Server.State, c.Server.Certainty), c.Close.Kind, c.Close.By,
			c.Client.Packets+c.Server.Packets, c.Client.Bytes+c.Server.Bytes, strings.Join(c.Findings, ", "))
	}
	for i := range r.Services {
		s := &r.Services[i]
		add("service", hostPort(s.Addr, s.Port), s.Connections, mostFirst(s.Close), mostFirst(s.Resets))
	}
	return l, nil
}

func hostPort(addr string, port uint64) string {
	if strings.Contains(addr, ":") {
		addr = "[" + addr + "]"
	}
	return addr + ":" + strconv.FormatUint(port, 10)
}

// mostFirst writes counts in any order: a set of words.
func mostFirst(counts map[string]uint64) string {
	var l []string
	for k, n := range counts {
		if n > 0 {
			l = append(l, fmt.Sprint(k, " ", n))
		}
	}
	slices.Sort(l)
	return strings.Join(l, ", ")
}

// linesOfPage reads them in the page.
func linesOfPage(root *html.Node) (l []string) {
	add := func(words ...string) { l = append(l, strings.Join(words, " ")) }
	facts := map[string]bool{"Packets": true, "TCP segments": true, "Connections": true}
	for _, dt := range elements(byID(root, "capture"), "dt") {
		if facts[textOf(dt)] {
			add("fact", textOf(dt), plainNumber(textOf(dt.NextSibling)))
		}
	}
	for _, table := range elements(byID(root, "states"), "table") {
		title := textOf(elements(table, "caption")[0])
		if title == "Endpoints in each state" {
			title = "state"
		}
		for _, cells := range rowsOf(table) {
			for i := range cells[1:] {
				cells[i+1] = plainNumber(cells[i+1])
			}
			add(append([]string{title}, cells...)...)
		}
	}
	for _, cells := range rowsOf(byID(root, "services")) {
		sorted := func(s string) string {
			words := strings.Split(plainNumber(s), ", ")
			slices.Sort(words)
			return strings.Join(words, ", ")
		}
		add("service", cells[0], plainNumber(cells[1]), sorted(cells[2]), sorted(cells[4]))
	}
	for _, cells := range rowsOf(byID(root, "connections")) {
		add(append([]string{"connection", cells[0], cells[1]}, append(cells[3:9:9], plainNumber(cells[9]), plainNumber(cells[10]), cells[11])...)...)
	}
	for _, f := range elements(byID(root, "findings"), "article") {
		class := func(tag, class string) string {
			for _, e := range elements(f, tag) {
				if slices.Contains(strings.Fields(attribute(e, "class")), class) {
					return textOf(e)
				}
			}
			return ""
		}
		id, subject := class("span", "what"), class("span", "subject")
		count, _, _ := strings.Cut(strings.TrimPrefix(class("p", "meta"), "count "), " ")
		explanation := ""
		for _, p := range elements(f, "p") {
			if attribute(p, "class") == "" {
				explanation = textOf(p)
			}
		}
		code := ""
		for _, e := range elements(f, "code") {
			code = textOf(e)
		}
		add("finding", class("span", "sev"), id, subject, plainNumber(count), explanation, strings.TrimPrefix(class("p", "advice"), "Advice "), code)
		for _, ul := range elements(f, "ul") {
			if attribute(ul, "class") != "evidence" {
				continue
			}
			for _, li := range elements(ul, "li") {
				for _, frame := range elements(li, "li") {
					connection := strings.Fields(textOf(li))[1]
					if connection = strings.TrimSuffix(connection, "frame"); connection == "" {
						continue
					}
					add("evidence", id, subject, connection, strings.TrimPrefix(textOf(frame), "frame "))
				}
			}
		}
		if more, found := strings.CutPrefix(class("p", "hint"), "and "); found {
			add("more evidence", id, subject, plainNumber(strings.TrimSuffix(more, " more")))
		}
	}
	return l
}

// plainNumber leaves out the commas within numbers.
func plainNumber(s string) string {
	for i := 1; i+1 < len(s); i++ {
		if s[i] == ',' && s[i+1] >= '0' && s[i+1] <= '9' {
			s = s[:i] + s[i+1:]
		}
	}
	return s
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// byID is the element of that id; nil if there is none.
func byID(root *html.Node, id string) *html.Node {
	for n := range root.Descendants() {
		if attribute(n, "id") == id {
			return n
		}
	}
	return nil
}

// elements are those of a tag below n.
func elements(n *html.Node, tag string) (l []*html.Node) {
	if n == nil {
		return nil
	}
	for e := range n.Descendants() {
		if e.Type == html.ElementNode && e.Data == tag {
			l = append(l, e)
		}
	}
	return l
}

// rowsOf are the texts of the cells of each row of a table's body.
func rowsOf(n *html.Node) (rows [][]string) {
	for _, body := range elements(n, "tbody") {
		for _, tr := range elements(body, "tr") {
			var cells []string
			for td := range tr.ChildNodes() {
				if td.Type == html.ElementNode {
					cells = append(cells, textOf(td))
				}
			}
			rows = append(rows, cells)
		}
	}
	return rows
}

// textOf is the text below n, with single blanks.
func textOf(n *html.Node) string {
	var b strings.Builder
	for e := range n.Descendants() {
		if e.Type == html.TextNode {
			b.WriteString(e.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
