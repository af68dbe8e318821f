package report

import (
	"bufio"
	"strconv"

	"tcpstate/tracker"
)

// InstantStyle is how people want to see it.
type InstantStyle struct {
	Style
	Look    string // of the table: table, ss or netstat
	GroupBy Grouping
	Clocks  bool // the table shows times, not how long ago they are
}

// InstantLooks are the values of --style.
var InstantLooks = []string{"table", "ss", "netstat"}

// InstantFormats are the outputs.
var InstantFormats = []string{"table", "json", "ndjson", "csv"}

// Write writes the view in one of the formats.
func (v *InstantView) Write(w *bufio.Writer, format string, s *InstantStyle) error {
	switch {
	case format == "json":
		v.json(w, s)
	case format == "ndjson":
		v.ndjson(w, s)
	case format == "csv":
		v.csv(w, s)
	case s.Look == "ss":
		v.ss(w)
	case s.Look == "netstat":
		v.netstat(w)
	default:
		(&instantTable{v, s, w}).write()
	}
	return w.Flush()
}

// instantCapture is the capture as the view tells of it.
type instantCapture struct {
	*Capture
	Start    *stamp `json:"start"` // of the first packet; null if there is none
	Complete bool   `json:"complete"`
}

// appendHead appends what comes first, without the braces.
func (v *InstantView) appendHead(b []byte) []byte {
	b = append(b, `"schema":"`+Schema+`","at":"`...)
	b = appendInstant(b, v.At)
	b = append(b, `","as_of":"`...)
	b = appendInstant(b, v.AsOf)
	b = append(b, `","interrupted":`...)
	b = strconv.AppendBool(b, v.Interrupted)
	b = append(b, `,"capture":`...)
	c := instantCapture{Capture: v.Capture, Complete: v.Complete}
	if !v.Empty {
		t := stamp(instant(v.First))
		c.Start = &t
	}
	return append(b, marshal(c)...)
}

// appendTail appends what is counted, without the braces.
func (v *InstantView) appendTail(b []byte) []byte {
	b = append(b, `"states":{`...)
	first := true
	for s := range v.States {
		n := &v.States[s]
		if n.Sum() == 0 {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendPlain(b, tracker.State(s).String()), `:{`...)
		b = append(appendCounts(b, n), '}')
	}
	b = append(b, `},"not_begun":`...)
	b = appendKnown(b, v.NotBegun, "null")
	b = append(b, `,"over":`...)
	return strconv.AppendUint(b, v.Over, 10)
}

func appendCounts(b []byte, n *InstantCount) []byte {
	b = append(b, `"confirmed":`...)
	b = strconv.AppendUint(b, n.Confirmed, 10)
	b = append(b, `,"presumed":`...)
	b = strconv.AppendUint(b, n.Presumed, 10)
	b = append(b, `,"elapsed":`...)
	return strconv.AppendUint(b, n.Elapsed, 10)
}

// appendSpot appends a connection, without the braces. Durations are seconds. Of a
// connection to itself both ends are the same, and what was sent stands at the client.
func (v *InstantView) appendSpot(b []byte, s *spot) []byte {
	b = append(b, `"id":`...)
	b = strconv.AppendUint(b, s.id, 10)
	b = append(b, `,"incarnation":`...)
	b = appendSmall(b, s.incarnation)
	b = append(b, `,"vlan":`...)
	b = appendVLAN(b, s.vlan, "null")
	b = append(b, `,"start":"`...)
	b = appendInstant(b, s.start)
	b = append(b, `","age":`...)
	b = appendSpan(b, v.span(s.start))
	b = append(b, `,"idle":`...)
	b = appendSpan(b, v.span(s.last))
	b = append(b, `,"midstream":`...)
	b = strconv.AppendBool(b, s.midstream)
	for role, name := range [...]string{"client", "server"} {
		e, a := s.role(role), s.addr(role)
		b = append(b, `,"`+name+`":{"addr":"`...)
		b = a.Addr().AppendTo(b)
		b = append(b, `","port":`...)
		b = strconv.AppendUint(b, uint64(a.Port()), 10)
		b = append(b, `,"state":`...)
		b = appendPlain(b, e.state.String())
		b = append(b, `,"certainty":`...)
		b = appendPlain(b, e.certainty.String())
		b = append(b, `,"since":`...)
		if e.moved {
			b = append(b, '"')
			b = append(appendInstant(b, e.since), '"')
		} else {
			b = append(b, "null"...)
		}
		b = append(b, `,"since_frame":`...)
		b = appendOr(b, e.frame, "null")
		b = append(b, `,"packets":`...)
		b = strconv.AppendUint(b, s.packets[role], 10)
		b = append(b, `,"bytes":`...)
		b = append(strconv.AppendUint(b, s.octets[role], 10), '}')
	}
	return b
}

// appendGroup appends a count, without the braces.
func appendGroup(b []byte, by Grouping, g *InstantGroup) []byte {
	switch by {
	case GroupService:
		b = append(appendPlain(append(b, `"service":`...), g.Name), `,"endpoint":`...)
		b = append(appendPlain(b, g.Endpoint), ',')
	case GroupHost:
		b = append(appendPlain(append(b, `"host":`...), g.Name), ',')
	}
	b = append(appendPlain(append(b, `"state":`...), g.State.String()), ',')
	return appendCounts(b, &g.InstantCount)
}

// json writes one object. With a grouping, groups take the place of connections.
func (v *InstantView) json(w *bufio.Writer, s *InstantStyle) {
	w.WriteByte('{')
	w.Write(v.appendHead(nil))
	sep := "\n"
	item := func(b []byte) {
		w.WriteString(sep + "{")
		w.Write(b)
		w.WriteByte('}')
		sep = ",\n"
	}
	if s.GroupBy != GroupNone {
		w.WriteString(`,"groups":[`)
		l := v.Groups(s.GroupBy)
		for i := range l {
			item(appendGroup(nil, s.GroupBy, &l[i]))
		}
	} else {
		w.WriteString(`,"connections":[`)
		var b []byte
		v.each(func(x *spot) {
			b = v.appendSpot(b[:0], x)
			item(b)
		})
	}
	w.WriteString("\n],")
	w.Write(v.appendTail(nil))
	w.WriteString("}\n")
}

// ndjson writes the same as lines.
func (v *InstantView) ndjson(w *bufio.Writer, s *InstantStyle) {
	line := func(typ string, b []byte) {
		w.WriteString(`{"type":"` + typ + `",`)
		w.Write(b)
		w.WriteString("}\n")
	}
	const schema = `"schema":"` + Schema + `",`
	line("at", v.appendHead(nil))
	if s.GroupBy != GroupNone {
		l := v.Groups(s.GroupBy)
		for i := range l {
			line("at-group", appendGroup([]byte(schema), s.GroupBy, &l[i]))
		}
	} else {
		var b []byte
		v.each(func(x *spot) {
			b = v.appendSpot(append(b[:0], schema...), x)
			line("at-connection", b)
		})
	}
	line("at-summary", v.appendTail([]byte(schema+`"connections":`+strconv.Itoa(v.Len())+`,`)))
}

// csv writes the connections, or the groups, a header line first: RFC 4180 with \n as the
// line's end. What is not known is empty.
func (v *InstantView) csv(w *bufio.Writer, s *InstantStyle) {
	if by := s.GroupBy; by != GroupNone {
		head := map[Grouping]string{GroupState: "", GroupService: "service,endpoint,", GroupHost: "host,"}[by]
		w.WriteString(head + "state,confirmed,presumed,elapsed\n")
		for _, g := range v.Groups(by) {
			switch by {
			case GroupService:
				w.WriteString(g.Name + "," + g.Endpoint + ",")
			case GroupHost:
				w.WriteString(g.Name + ",")
			}
			w.WriteString(g.State.String() + "," + strconv.FormatUint(g.Confirmed, 10) + "," + strconv.FormatUint(g.Presumed, 10) + "," +
				strconv.FormatUint(g.Elapsed, 10) + "\n")
		}
		return
	}
	w.WriteString("id,incarnation,vlan,start,age,idle,midstream")
	for _, end := range [...]string{"client", "server"} {
		for _, n := range [...]string{"addr", "port", "state", "certainty", "since", "since_frame", "packets", "bytes"} {
			w.WriteString("," + end + "." + n)
		}
	}
	w.WriteByte('\n')
	var b []byte
	v.each(func(x *spot) {
		b = v.appendCSV(b[:0], x)
		w.Write(b)
	})
}

func (v *InstantView) appendCSV(b []byte, s *spot) []byte {
	b = append(strconv.AppendUint(b, s.id, 10), ',')
	b = append(appendSmall(b, s.incarnation), ',')
	b = append(appendVLAN(b, s.vlan, ""), ',')
	b = append(appendInstant(b, s.start), ',')
	b = append(appendSpan(b, v.span(s.start)), ',')
	b = append(appendSpan(b, v.span(s.last)), ',')
	b = strconv.AppendBool(b, s.midstream)
	for role := range 2 {
		e, a := s.role(role), s.addr(role)
		b = append(a.Addr().AppendTo(append(b, ',')), ',')
		b = append(strconv.AppendUint(b, uint64(a.Port()), 10), ',')
		b = append(append(b, e.state.String()...), ',')
		b = append(append(b, e.certainty.String()...), ',')
		if e.moved {
			b = appendInstant(b, e.since)
		}
		b = append(appendOr(append(b, ','), e.frame, ""), ',')
		b = append(strconv.AppendUint(b, s.packets[role], 10), ',')
		b = strconv.AppendUint(b, s.octets[role], 10)
	}
	return append(b, '\n')
}
