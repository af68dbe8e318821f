package report

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	gmhtml "github.com/yuin/goldmark/renderer/html"
	xhtml "golang.org/x/net/html"

	"tcpstate/report/detect"
)

// rendered is a page of Markdown as a parser that is not ours understands it: GitHub's
// dialect, with HTML passed on.
func rendered(t testing.TB, text string) *xhtml.Node {
	t.Helper()
	var b bytes.Buffer
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(gmhtml.WithUnsafe()))
	if err := md.Convert([]byte(text), &b); err != nil {
		t.Fatal(err)
	}
	n, err := xhtml.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// nodes are all elements of that name, in order.
func nodes(n *xhtml.Node, name string) (l []*xhtml.Node) {
	for d := range n.Descendants() {
		if d.Type == xhtml.ElementNode && d.Data == name {
			l = append(l, d)
		}
	}
	return l
}

// words is the text of a node as it is read.
func words(n *xhtml.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == xhtml.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// cellsOf are the words of a table's cells, row by row, the heads first.
func cellsOf(table *xhtml.Node) (rows [][]string) {
	for _, tr := range nodes(table, "tr") {
		var row []string
		for c := range tr.ChildNodes() {
			if c.Type == xhtml.ElementNode {
				row = append(row, words(c))
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// found is what GitHub looks for in the text of a page outside of code: mentions,
// references, emoji, and addresses.
var found = regexp.MustCompile(`(?i)@\w|#\d|\bgh-\d|:(?:[a-z_+-][a-z0-9_+-]*|\d+[a-z_+-][a-z0-9_+-]*|100|1234):|://|www\.`)

// inert complains of what text should not have become.
func inert(t testing.TB, n *xhtml.Node) {
	t.Helper()
	own := []string{"html", "head", "body", "h2", "h3", "h4", "p", "ul", "li", "strong", "b", "code", "span", "table", "thead", "tbody",
		"tr", "th", "td", "details", "summary"}
	for d := range n.Descendants() {
		switch {
		case d.Type == xhtml.ElementNode && !slices.Contains(own, d.Data):
			t.Errorf("text became <%s>: %q", d.Data, words(d.Parent))
		case d.Type == xhtml.TextNode && d.Parent.Data != "code" && found.MatchString(d.Data):
			t.Errorf("GitHub would find %q in %q", found.FindString(d.Data), d.Data)
		}
	}
}

// alien are texts as a network or a file system may send them.
var alien = []string{
	"x\x1b]0;t\x07\r\n::error::y\n%0A|`a`*_<b>&amp;]]></c>\"'[l](http://e)@all #1 $x$\u202e\ufffe\xff\x00~www.e.org\\",
	"plain", "a | b", "`", "``x``", "a`b|c", `\|`, `\`, `a\\`, "*a* _b_ ~~c~~ __init__", "<script>alert(1)</script>", "<!-- x", "&lt;", "&#64;", "&copy",
	"@somebody", "a@b.example", "see #12, GH-34 and o/r#5", "http://e.example/x?y=1", "HTTPS://e.example", "ftp://e", "www.e.example", "WWW.E.example",
	"![i](x)", "[a]: http://e", "[x]", "- item", "+ item", "* item", "1. item", "2) item", "1.", "---", "===", "# head", "> quote", "    code", "\tcode",
	"[2001:db8:100::1]:80", ":+1: :smile: :100:", "fe80::8ball:abc:1", "12:34:56", "```", "~~~", "|---|", "$$x$$", " both ends ", "", "\t", "\n \v", "é ß 漢字 e\u0301",
	"</summary></details>", "mailto:a@b.example", "xmpp:a@b.example",
}

// Whatever the text and wherever it stands, it is read as it is, and is nothing else.
func TestMarkdownIsRead(t *testing.T) {
	for _, s := range alien {
		t.Run(s, func(t *testing.T) { markdownIsRead(t, s) })
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, s := range alien {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { markdownIsRead(t, s) })
}

func markdownIsRead(t *testing.T, s string) {
	blanks := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	want := blanks(Printable(s))
	for _, place := range []struct{ name, before, after, element string }{
		{"list", "- **x:** ", "\n", "li"},
		{"heading", "#### x: ", "\n", "h4"},
		{"cell", "| a | b |\n|---|---|\n| x: ", " | x |\n", "td"},
		{"summary", "<details>\n<summary>x: ", "</summary>\n\nx\n\n</details>\n", "summary"},
	} {
		for how, fit := range map[string]func(string) string{"text": Markdown, "code": MarkdownCode} {
			if how == "code" && place.name == "summary" {
				continue // HTML, where a backtick is one
			}
			page := rendered(t, place.before+fit(s)+place.after)
			inert(t, page)
			at := nodes(page, place.element)
			if len(at) == 0 {
				t.Errorf("%s in a %s: there is none", how, place.name)
				continue
			}
			if got := blanks(strings.TrimPrefix(words(at[0]), "x:")); got != want {
				t.Errorf("%s in a %s is read as %q, not %q, of %q", how, place.name, got, want, fit(s))
			}
		}
	}
	page := rendered(t, MarkdownParagraph(s)+"\n")
	inert(t, page)
	want = blanks(Printable(strings.Join(strings.Fields(s), " "))) // other than elsewhere, a tab is a blank
	if got := blanks(words(page)); got != want {
		t.Errorf("a paragraph is read as %q, not %q", got, want)
	}
	if l := nodes(page, "p"); want != "" && len(l) != 1 {
		t.Errorf("%d paragraphs of %q", len(l), MarkdownParagraph(s))
	}
}

// What a finding says is read where it belongs, whatever it says; those beyond the first
// few unfold.
func TestFindingsInMarkdown(t *testing.T) {
	var all []detect.Finding
	for _, s := range alien[:8] {
		x := hostile()
		x.Subject, x.Explanation, x.Advice, x.Wireshark = "server "+s, s, s, s
		x.Evidence.Connections[0].Frames[0].Text = s
		all = append(all, x)
	}
	page := rendered(t, final(t, "markdown", Style{Verbose: true}, PartFindings, all...))
	inert(t, page)
	if h := nodes(page, "h2"); len(h) != 1 || words(h[0]) != "tcpstate: 8 errors" {
		t.Errorf("%d headings, the first %q", len(h), words(h[0]))
	}
	tables := nodes(page, "table")
	if len(tables) != 1+len(all) {
		t.Fatalf("%d tables", len(tables))
	}
	rows := cellsOf(tables[0])
	for i := range all {
		want := []string{"error", "refused", Printable(all[i].Subject), "2"}
		if !slices.Equal(rows[1+i], want) {
			t.Errorf("finding %d: %q, not %q", i, rows[1+i], want)
		}
		if got := cellsOf(tables[1+i])[1]; !slices.Equal(got, []string{"3.1", "7", Printable(alien[i])}) {
			t.Errorf("finding %d is proven by %q", i, got)
		}
	}
	if open, folded := nodes(page, "h4"), nodes(page, "details"); len(open) != openFindings || len(folded) != len(all)-openFindings {
		t.Errorf("%d findings at once, %d that unfold", len(open), len(folded))
	}
	lists := nodes(page, "ul")[1:] // the first is of the files
	for i, ul := range lists {
		var items []string
		for _, li := range nodes(ul, "li") {
			items = append(items, words(li))
		}
		for _, want := range []string{"To do: " + Printable(all[i].Advice), "Who must act: the capture does not tell", "Wireshark: " + Printable(all[i].Wireshark),
			"Frames: 7, 8 (connection 3.1); 1 connection more", "Measured: attempts 2, rate -"} {
			if !slices.Contains(items, want) {
				t.Errorf("finding %d does not say %q: %q", i, want, items)
			}
		}
	}
	if len(lists) != len(all) {
		t.Errorf("%d lists", len(lists))
	}
}

func TestMarkdownOfNothing(t *testing.T) {
	all := markdownFormat.Can
	text := final(t, "markdown", Style{}, all)
	page := rendered(t, text)
	if h := nodes(page, "h2"); words(h[0]) != "tcpstate: no findings" {
		t.Errorf("%q", words(h[0]))
	}
	if n := strings.Count(text, "\nNone.\n"); n != 7 || len(nodes(page, "table")) != 0 {
		t.Errorf("%d parts are empty:\n%s", n, text)
	}
	if text := final(t, "markdown", Style{Quiet: true, Color: true}, PartFindings); text != "## tcpstate: no findings\n\n### Findings\n\nNone.\n" {
		t.Errorf("quiet: %q", text)
	}
}
