package report

import (
	"encoding/json"
	"slices"
	"strings"

	"tcpstate/capture"
)

// Capture says where the segments came from. It is the first line of NDJSON
// and is written before anything else is read, so it holds what is known
// when the first frames are; how much there was is in Summary.
type Capture struct {
	// Source: file, stdin or live.
	Source string `json:"source"`
	Files  []File `json:"files"`
	// LinkTypes are those of all files, each once, in order of appearance.
	LinkTypes []string `json:"link_types"`
}

// File is one input.
type File struct {
	Name        Text     `json:"name"`
	Format      string   `json:"format"`      // pcap, pcapng or live
	Compression string   `json:"compression"` // gzip, zstd, or empty
	LinkTypes   []string `json:"link_types"`
	SnapLen     uint32   `json:"snaplen"` // octets kept of each frame, the largest of the interfaces; 0 if unlimited
}

// Text is a string that comes from outside: file names. As JSON it is
// escaped so far that a terminal can show it.
type Text string

// MarshalJSON escapes everything that is not printable.
func (t Text) MarshalJSON() ([]byte, error) { return appendString(nil, string(t)), nil }

// NewCapture tells of the source with these statistics.
func NewCapture(st *capture.Stats) *Capture {
	c := &Capture{Source: "file", Files: []File{}, LinkTypes: []string{}}
	for i := range st.Files {
		f := &st.Files[i]
		switch {
		case f.Format == "live":
			c.Source = "live"
		case f.Name == "-" && len(st.Files) == 1:
			c.Source = "stdin"
		}
		links := f.LinkTypes
		if links == nil {
			links = []string{}
		}
		c.Files = append(c.Files, File{Name: Text(f.Name), Format: f.Format, Compression: f.Compression,
			LinkTypes: links, SnapLen: f.SnapLen})
		for _, l := range links {
			if !slices.Contains(c.LinkTypes, l) {
				c.LinkTypes = append(c.LinkTypes, l)
			}
		}
	}
	return c
}

// AppendJSON appends c as one object with "type" and "schema" first.
func (c *Capture) AppendJSON(b []byte) []byte { return appendTyped(b, "capture", c) }

// appendTyped appends v, which must marshal to an object, with "type" and
// "schema" as its first keys.
func appendTyped(b []byte, typ string, v any) []byte {
	b = append(b, `{"type":"`+typ+`","schema":"`+Schema+`"`...)
	o := marshal(v)
	if len(o) > 2 {
		b = append(b, ',')
	}
	return append(b, o[1:]...)
}

// marshal is json.Marshal for this package's own types, which cannot fail,
// without the escaping that HTML would need.
func marshal(v any) []byte {
	var w strings.Builder
	e := json.NewEncoder(&w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return []byte(strings.TrimSuffix(w.String(), "\n"))
}
