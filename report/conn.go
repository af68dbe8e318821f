package report

import (
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// Conn is one connection as it is handed to the outputs. It and all it points to
// are valid during the call.
//
// The outputs write from the Life itself; a Record is made only for those who
// look at its fields by name.
type Conn struct {
	*tracker.Life
	// Findings are the ids of the findings that it is part of, as far as they are
	// known.
	Findings []string
	// Known: there will be no others. Worst is the severity of the worst of
	// them then, from 1; 0 without any.
	Known bool
	Worst uint8
	// Signs are what its case had to show; 0 where nobody asks for cases, or they
	// are over.
	Signs tracker.Sign

	record *Record // reused
	filled bool
}

// Ref names the life.
func (c *Conn) Ref() detect.Ref { return detect.Ref{ID: c.ID, Incarnation: c.Incarnation} }

// Record is the connection by the names of its fields. It is valid until the
// next one is handed out.
func (c *Conn) Record() *Record {
	if c.record == nil {
		c.record = &Record{}
	}
	if !c.filled {
		c.record.Fill(c.Life)
		c.filled = true
	}
	c.record.Findings = c.Findings
	return c.record
}

// set makes c stand for another life.
func (c *Conn) set(l *tracker.Life, signs tracker.Sign) {
	c.Life, c.Findings, c.Known, c.Worst, c.Signs, c.filled = l, nil, false, 0, signs, false
}
