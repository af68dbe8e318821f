package page

import (
	"html"
	"html/template"
	"strconv"
	"strings"
)

// The rows of tables are most of a page. They are written here and not by the template,
// which would take ten times as long: each text goes through text or attr.

// rows is HTML in the making.
type rows struct{ strings.Builder }

// tag writes markup of our own.
func (b *rows) tag(s string) { b.WriteString(s) }

// text writes a text between tags, or between the quotes of an attribute.
func (b *rows) text(s string) { b.WriteString(html.EscapeString(s)) }

func (b *rows) number(n uint64) { b.WriteString(strconv.FormatUint(n, 10)) }

// link writes a text that leads to an anchor, unless that is "".
func (b *rows) link(anchor, s string) {
	if anchor != "" {
		b.tag(`<a href="#`)
		b.text(anchor)
		b.tag(`">`)
	}
	b.text(s)
	if anchor != "" {
		b.tag("</a>")
	}
}

// tr begins a row with a class and an anchor where it has one.
func (b *rows) tr(class, anchor string) {
	b.tag("\n<tr")
	if class != "" {
		b.tag(` class="` + class + `"`)
	}
	if anchor != "" {
		b.tag(` id="`)
		b.text(anchor)
		b.tag(`"`)
	}
	b.tag(">")
}

// cell writes a cell of that class.
func (b *rows) cell(class, s string) {
	b.tag("<td")
	if class != "" {
		b.tag(` class="` + class + `"`)
	}
	b.tag(">")
	b.text(s)
}

// lines are the class of a row of a ladder and the symbol between its ends, by Kind.
var lines = [...]struct{ class, arrow string }{ToRight: {"r", "R"}, ToLeft: {"l", "L"}, Timer: {"t", "T"}, Folded: {"f", "F"}}

// HTML are the rows of the ladder's table.
func (l *ladder) HTML() template.HTML {
	var b rows
	first := make(map[string]bool)
	for i := range l.Rows {
		r := &l.Rows[i]
		line := lines[min(r.Kind, Folded)]
		b.tr(line.class, r.Anchor)
		b.tag("<td>")
		if r.Frame != 0 {
			b.number(r.Frame)
		}
		b.cell("", r.Time)
		b.cell(r.States[0].cell(), r.States[0].String())
		b.cell("", r.Text)
		b.tag(`<svg><use href="#` + line.arrow + `"/></svg>`)
		b.cell(r.States[1].cell(), r.States[1].String())
		b.tag("<td>")
		if r.Revoked {
			b.tag("<b>revoked</b> ")
		}
		if r.Class != "" {
			b.tag("<i>")
			b.text(r.Class)
			b.tag("</i> ")
		}
		for j, name := range r.Rules {
			if j > 0 {
				b.tag(", ")
			}
			// The first time it leads to what the rule says: one stop for the keyboard.
			anchor := l.rules.anchors[name]
			if first[name] {
				anchor = ""
			}
			first[name] = true
			b.link(anchor, name)
			if short := l.rules.short[name]; short != "" {
				b.tag(" ")
				b.text(strings.TrimPrefix(short, "RFC 9293 ")) // the column's head says it
			}
		}
		for _, m := range r.Marks {
			b.tag(" <mark>")
			if m.Finding != l.finding {
				b.text(m.Finding + ": ")
			}
			b.text(m.Text)
			b.tag("</mark>")
		}
	}
	return template.HTML(b.String())
}

// cell is the class of a state in a ladder.
func (s State) cell() string {
	if s.confirmed() {
		return s.Class()
	}
	return s.Class() + " p"
}

// Table are the rows of the table of connections.
func (v *view) Table() template.HTML {
	var b rows
	for i := range v.Conns {
		c := &v.Conns[i]
		b.tr("", c.Anchor)
		b.tag(`<td class="num">`)
		b.link(c.Ladder, c.ID)
		b.cell("", c.When)
		b.cell("num", c.Took)
		b.cell("", c.Client)
		b.cell("", c.Server)
		for _, e := range c.Ends {
			b.cell("st "+e.Class(), e.String())
		}
		b.cell("", c.Close)
		b.cell("", c.By)
		b.cell("num", count(c.Packets))
		b.cell("num", count(c.Bytes))
		b.cell("wrap", strings.Join(c.Findings, ", "))
	}
	return template.HTML(b.String())
}

// HTML are the names of the connections above their bars, and how each ended beside them.
func (c *bars) HTML() template.HTML {
	var b rows
	for i := range c.Rows {
		r := &c.Rows[i]
		b.tag("\n" + `<a href="#`)
		b.text(r.Href)
		b.tag(`"><text x="4" y="` + strconv.Itoa(r.Y) + `">`)
		b.text(r.Name)
		b.tag(`</text></a><text class="end" x="` + strconv.Itoa(c.Right+6) + `" y="` + strconv.Itoa(r.Y+barClient-4) + `">`)
		b.text(r.Close)
		b.tag("</text>")
	}
	return template.HTML(b.String())
}
