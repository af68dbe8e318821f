package report

import (
	"encoding/csv"
	"math"
	"strconv"
	"strings"
	"time"

	"tcpstate/report/detect"
	"tcpstate/tracker"
)

var csvFormat = &Format{
	Name:    "csv",
	Doc:     "one part: connections, or that of --show",
	Parts:   PartConnections,
	Can:     PartFindings | PartConnections | PartTransitions | PartStates | PartServices,
	OnePart: true,
	New:     func(e *Env) Formatter { return &csvTable{Env: e, w: csv.NewWriter(e.W)} },
}

// csvTable writes RFC 4180 with \n as the line's end, a header line first. The columns of
// connections are the record's fields by the names that --where uses, such as
// client.state; what is not known is empty.
type csvTable struct {
	*Env
	w      *csv.Writer // of findings and services
	line   []byte
	sorted sortedLives
}

func (o *csvTable) Begin(*Capture) {
	switch {
	case o.Parts.Has(PartConnections):
		o.W.WriteString(strings.Join(FieldNames(), ",") + "\n")
	case o.Parts.Has(PartTransitions):
		o.W.WriteString("time,frame,id,endpoint,local,remote,from,to,certainty,rule\n")
	case o.Parts.Has(PartStates):
		o.W.WriteString(seriesColumns() + "\n")
	case o.Parts.Has(PartFindings):
		o.w.Write([]string{"id", "severity", "subject", "count", "first", "last", "metrics", "evidence.total", "evidence", "blame",
			"seen_by.client", "seen_by.server", "explanation", "advice", "wireshark"})
	case o.Parts.Has(PartServices):
		o.w.Write([]string{"addr", "port", "connections", "midstream", "close", "resets", "client_states", "server_states",
			"handshake.n", "handshake.p50", "handshake.p99"})
	}
}

func (o *csvTable) Transition(t *tracker.Transition) {
	o.line = appendCSVTransition(o.line[:0], t)
	o.W.Write(o.line)
}

func (o *csvTable) Connection(c *Conn) {
	if o.Sort != nil {
		o.sorted.add(o.Sort, c)
		return
	}
	o.write(c.Life, c.Findings)
}

func (o *csvTable) write(l *tracker.Life, findings []string) {
	o.line = appendCSVConnection(o.line[:0], l, findings)
	o.W.Write(o.line)
}

// csvSeconds is empty for what is not known.
func csvSeconds(f float64) string {
	if math.IsNaN(f) {
		return ""
	}
	return string(appendSeconds(nil, f))
}

func (o *csvTable) End(f *Final) {
	o.sorted.each(func(l *tracker.Life) { o.write(l, f.Of(detect.Ref{ID: l.ID, Incarnation: l.Incarnation})) })
	if o.Parts.Has(PartFindings) {
		for i := range f.Findings {
			o.finding(&f.Findings[i])
		}
	}
	if o.Parts.Has(PartStates) {
		for i := range f.Series.Points {
			o.line = appendCSVPoint(o.line[:0], f.Series, i)
			o.W.Write(o.line)
		}
	}
	if o.Parts.Has(PartServices) {
		for i := range f.Services.Len() {
			o.service(f.Services.At(i))
		}
	}
	o.w.Flush()
}

func (o *csvTable) service(v *Service) {
	var client, server []string
	for _, s := range v.States {
		if s.Client > 0 {
			client = append(client, s.State+":"+strconv.FormatUint(s.Client, 10))
		}
		if s.Server > 0 {
			server = append(server, s.State+":"+strconv.FormatUint(s.Server, 10))
		}
	}
	o.w.Write([]string{
		v.Addr, strconv.Itoa(v.Port), strconv.FormatUint(v.Connections, 10), strconv.FormatUint(v.Midstream, 10),
		csvCounts(v.Close), csvCounts(v.Resets), strings.Join(client, " "), strings.Join(server, " "),
		strconv.FormatUint(v.Handshake.N, 10), csvSeconds(v.Handshake.P50), csvSeconds(v.Handshake.P99),
	})
}

// finding is a row; its evidence is id:frame/frame for each connection, and 3.1 is
// the first incarnation of connection 3.
func (o *csvTable) finding(f *detect.Finding) {
	f = f.Worded()
	var metrics, evidence []string
	for _, m := range f.Metrics {
		metrics = append(metrics, m.Name+":"+metric(m.Value, ""))
	}
	for i := range f.Evidence.Connections {
		c := &f.Evidence.Connections[i]
		evidence = append(evidence, recordName(detect.Ref{ID: c.ID, Incarnation: c.Incarnation})+":"+frameList(c.Frames, "/"))
	}
	o.w.Write([]string{
		f.ID, f.Severity.String(), Printable(f.Subject), strconv.Itoa(f.Count), csvTime(f.First), csvTime(f.Last),
		strings.Join(metrics, " "), strconv.Itoa(f.Evidence.Total), strings.Join(evidence, " "), string(blame(f)),
		f.SeenBy.Client, f.SeenBy.Server, Printable(f.Explanation), Printable(f.Advice), Printable(f.Wireshark),
	})
}

// csvTime is empty for no time.
func csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(rfc3339nano)
}

// csvCounts writes name:n pairs with spaces between.
func csvCounts(c Counts) string {
	var l []string
	for _, x := range c {
		l = append(l, x.Name+":"+strconv.FormatUint(x.N, 10))
	}
	return strings.Join(l, " ")
}
