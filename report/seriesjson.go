package report

import (
	"strconv"
	"strings"

	"tcpstate/tracker"
)

// appendSeries appends s as one object, without what NDJSON has in front:
//
//	start      time of the first step's beginning, null without packets
//	end        time of the last packet, or of the report window's end
//	step       length of a step, seconds
//	asked      null, or the --step that would have been too short
//	states     by name, those that an endpoint ever was in: peak, peak_time as in the
//	           summary; last, how many at the end of each step; most, the most within it
func appendSeries(b []byte, s *Series) []byte {
	b = append(b, `{"start":`...)
	if len(s.Points) == 0 {
		b = append(b, `null,"end":null`...)
	} else {
		b = appendTime(b, instant(s.Start))
		b = append(b, `,"end":`...)
		b = appendTime(b, instant(s.End))
	}
	b = append(b, `,"step":`...)
	b = appendSpan(b, int64(s.Step))
	b = append(b, `,"asked":`...)
	if s.Asked == 0 {
		b = append(b, "null"...)
	} else {
		b = appendSpan(b, int64(s.Asked))
	}
	b = append(b, `,"states":{`...)
	sep := ""
	for st, p := range s.Peaks {
		if p.N == 0 {
			continue
		}
		b = append(b, sep...)
		sep = ","
		b = appendPlain(b, tracker.State(st).String())
		b = append(b, `:{"peak":`...)
		b = strconv.AppendUint(b, p.N, 10)
		b = append(b, `,"peak_time":`...)
		b = appendTime(b, instant(p.Time))
		b = append(b, `,"last":[`...)
		for i := range s.Points {
			b = append(strconv.AppendUint(b, s.Points[i].Last[st], 10), ',')
		}
		b = append(trimComma(b), `],"most":[`...)
		for i := range s.Points {
			b = append(strconv.AppendUint(b, s.Points[i].Most[st], 10), ',')
		}
		b = append(trimComma(b), "]}"...)
	}
	return append(b, "}}"...)
}

func trimComma(b []byte) []byte {
	if b[len(b)-1] == ',' {
		return b[:len(b)-1]
	}
	return b
}

// seriesColumns are the names of the columns of CSV: time, when a step begins; by state
// how many were in it at the end of the step; and by state with .peak, the most within it.
func seriesColumns() string {
	var b strings.Builder
	b.WriteString("time")
	for _, suffix := range []string{"", ".peak"} {
		for st := range tracker.NumStates {
			b.WriteString("," + st.String() + suffix)
		}
	}
	return b.String()
}

// appendCSVPoint appends step i as a line.
func appendCSVPoint(b []byte, s *Series, i int) []byte {
	b = appendInstant(b, s.at(i))
	for _, counts := range [...]*[tracker.NumStates]uint64{&s.Points[i].Last, &s.Points[i].Most} {
		for _, n := range counts {
			b = strconv.AppendUint(append(b, ','), n, 10)
		}
	}
	return append(b, '\n')
}
