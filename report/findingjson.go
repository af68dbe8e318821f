package report

import (
	"cmp"
	"math"
	"strconv"
	"time"

	"tcpstate/report/detect"
)

// event is what the findings of the report at the end are in a live capture:
// they repeat what holds.
func (f *Final) event() string {
	if f.Capture.Source == "live" {
		return "final"
	}
	return ""
}

// AppendFinding appends f as one JSON object with the names and in the order of
// detect.Finding. A word or a time that is not known is null. event is left out
// where it is "".
func AppendFinding(b []byte, f *detect.Finding, event string) []byte {
	f = f.Worded()
	b = append(b, `{"type":"finding","schema":"`+Schema+`",`...)
	if event != "" {
		b = append(b, `"event":`...)
		b = appendPlain(b, event)
		b = append(b, ',')
	}
	b = append(b, `"id":`...)
	b = appendPlain(b, f.ID)
	b = append(b, `,"severity":`...)
	b = appendPlain(b, f.Severity.String())
	b = append(b, `,"subject":`...)
	b = appendString(b, f.Subject)
	b = append(b, `,"count":`...)
	b = strconv.AppendInt(b, int64(f.Count), 10)
	b = append(b, `,"first":`...)
	b = appendMoment(b, f.First)
	b = append(b, `,"last":`...)
	b = appendMoment(b, f.Last)
	b = append(b, `,"metrics":`...)
	b = appendMetrics(b, f.Metrics)
	b = append(b, `,"evidence":`...)
	b = appendEvidence(b, &f.Evidence)
	b = append(b, `,"blame":`...)
	b = appendPlain(b, string(blame(f)))
	b = append(b, `,"seen_by":{"client":`...)
	b = appendWord(b, f.SeenBy.Client)
	b = append(b, `,"server":`...)
	b = appendWord(b, f.SeenBy.Server)
	b = append(b, `},"explanation":`...)
	b = appendString(b, f.Explanation)
	b = append(b, `,"advice":`...)
	b = appendString(b, f.Advice)
	b = append(b, `,"wireshark":`...)
	if f.Wireshark == "" {
		return append(b, "null}"...)
	}
	return append(appendString(b, f.Wireshark), '}')
}

// blame is unknown where a detector names nobody.
func blame(f *detect.Finding) detect.Blame { return cmp.Or(f.Blame, detect.BlameUnknown) }

// appendMoment is appendTime, and null for no time.
func appendMoment(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	return appendTime(b, t)
}

func appendMetrics(b []byte, m detect.Metrics) []byte {
	b = append(b, '{')
	for i, x := range m {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendPlain(b, x.Name), ':')
		b = append(b, metric(x.Value, "null")...)
	}
	return append(b, '}')
}

// metric is a metric's value, or none where it is no number.
func metric(v float64, none string) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return none
	}
	return detect.Number(v)
}

func appendEvidence(b []byte, e *detect.Evidence) []byte {
	b = append(b, `{"total":`...)
	b = strconv.AppendInt(b, int64(e.Total), 10)
	b = append(b, `,"connections":[`...)
	for i := range e.Connections {
		c := &e.Connections[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"id":`...)
		b = strconv.AppendUint(b, c.ID, 10)
		b = append(b, `,"incarnation":`...)
		b = strconv.AppendUint(b, uint64(c.Incarnation), 10)
		b = append(b, `,"frames":[`...)
		for j := range c.Frames {
			if j > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"frame":`...)
			b = strconv.AppendUint(b, c.Frames[j].Frame, 10)
			b = append(b, `,"text":`...)
			b = appendString(b, c.Frames[j].Text)
			b = append(b, '}')
		}
		b = append(b, `],"untold":`...)
		b = strconv.AppendUint(b, c.Untold, 10)
		b = append(b, '}')
	}
	return append(b, `]}`...)
}
