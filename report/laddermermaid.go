package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// mermaidMost bounds the rows of one diagram: GitHub draws none of more than 50,000
// characters (mermaid, maxTextSize), and nobody reads one that is longer than a few pages.
const (
	mermaidMost  = 150
	mermaidChars = 40_000
)

// Markdown writes the ladders as Mermaid sequence diagrams, each in a fenced block.
func (s *LadderSheet) Markdown(to io.Writer) error {
	w := bufio.NewWriterSize(to, outputBuffer)
	for i, l := range s.Ladders {
		if i > 0 {
			fmt.Fprintln(w)
		}
		s.diagram(w, l)
	}
	for i, x := range s.Left {
		if len(s.Ladders) > 0 || i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, ladderMarkup(x))
	}
	return w.Flush()
}

func (s *LadderSheet) diagram(w io.Writer, l *Told) {
	fmt.Fprintf(w, "### Connection %s: %s → %s\n\n%s\n\n", recordName(l.ref()), l.Left, l.Right, ladderMarkup(s.note(l.Ladder)))
	for _, f := range l.Findings {
		fmt.Fprintf(w, "- **%s** `%s`: %s\n", f.Severity, f.ID, ladderMarkup(firstSentence(f.Explanation)))
	}
	if len(l.Findings) > 0 {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "```mermaid\nsequenceDiagram\n  participant C as client<br/>%s\n  participant S as server<br/>%s\n", mermaidText(l.Left.String()), mermaidText(l.Right.String()))
	var b strings.Builder
	before := [2]LadderState{{Any: true}, {Any: true}}
	shown := 0
	for i := range l.Rows {
		if shown == mermaidMost || b.Len() > mermaidChars {
			break
		}
		r := &l.Rows[i]
		s.message(&b, l, r)
		if r.States != before {
			fmt.Fprintf(&b, "  Note over C,S: %s / %s\n", r.States[0], r.States[1])
			before = r.States
		}
		for _, m := range r.Marks {
			fmt.Fprintf(&b, "  Note over C,S: ◆ %s\n", mermaidText(m))
		}
		shown++
	}
	io.WriteString(w, b.String())
	fmt.Fprint(w, "```\n")
	if n := len(l.Rows) - shown; n > 0 {
		fmt.Fprintf(w, "\n… %s more of this connection (`tcpstate explain --stream %d` has all)\n", plural(uint64(n), "line"), l.Stream)
	}
}

// message is a row: an arrow, or a note where there is none.
func (s *LadderSheet) message(b *strings.Builder, l *Told, r *LadderRow) {
	text := mermaidText(l.rowText(r))
	why := strings.Join(r.whyWords(), ", ")
	if r.Class != "" {
		text += " (" + r.Class + ")"
	}
	if why != "" {
		text += "<br/>" + mermaidText(why)
	}
	at := mermaidText(s.time(l.Ladder, r))
	switch {
	case r.Folded != nil:
		fmt.Fprintf(b, "  Note over C,S: %s\n", text)
		return
	case r.Timer():
		fmt.Fprintf(b, "  Note over C,S: %s %s\n", at, text)
		return
	}
	from, to := "C", "S"
	if l.toLeft(r) {
		from, to = to, from
	}
	line := "->>"
	if r.Quote != nil {
		line = "-->>"
	}
	fmt.Fprintf(b, "  %s%s%s: #35;%d %s %s\n", from, line, to, r.Segment.Frame, at, text)
}

// mermaidText makes text part of a line of a diagram: what ends a statement, begins an
// entity or is markup becomes an entity.
func mermaidText(s string) string {
	return mermaidSigns.Replace(Printable(s))
}

var mermaidSigns = strings.NewReplacer("#", "#35;", ";", "#59;", "<", "#lt;", ">", "#gt;", "&", "#amp;", "`", "#96;", `"`, "#quot;", "%", "#37;", "{", "#123;", "}", "#125;")

// ladderMarkup makes text part of a paragraph of Markdown.
func ladderMarkup(s string) string {
	return ladderSigns.Replace(Printable(s))
}

var ladderSigns = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`, "#", `\#`, "@", "&#64;", "~", `\~`)
