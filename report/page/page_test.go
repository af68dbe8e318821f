package page

import (
	"bytes"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func written(t testing.TB, p *Page) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// shape is the tree of elements with the names of their attributes, and the values of
// those that do not come from the page's strings.
func shape(t testing.TB, page []byte) []string {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var l []string
	var walk func(n *html.Node, depth int)
	walk = func(n *html.Node, depth int) {
		if n.Type == html.ElementNode {
			s := strings.Repeat(" ", depth) + n.Data
			for _, a := range n.Attr {
				s += " " + a.Key
			}
			l = append(l, s)
		}
		if n.Type == html.CommentNode {
			l = append(l, "comment")
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, depth+1)
		}
	}
	walk(root, 0)
	return l
}

// replaceStrings changes all strings in v by f; empty ones stay so.
func replaceStrings(v reflect.Value, f func(string) string) {
	switch v.Kind() {
	case reflect.String:
		if v.String() != "" {
			v.SetString(f(v.String()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			replaceStrings(v.Field(i), f)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			replaceStrings(v.Index(i), f)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			replaceStrings(v.Elem(), f)
		}
	}
}

// hostile are texts that would be something else than text where they are not escaped.
var hostile = map[string]string{
	"end of script": `</script></style></title></textarea><script>alert(1)</script>`,
	"image":         `"'><img src=http://192.0.2.1/x onerror=alert(1)>`,
	"comment":       `<!-- --><![CDATA[ ]]><!--<script>`,
	"attribute":     "\" onmouseover=alert(1) style=x '`${alert(1)}`",
	"link":          `javascript:alert(1)//`,
	"template":      `{{.Title}} {{template "x"}}`,
	"control":       "\x00\x01\x07\x08\x1b[31m\r\n\t\x7f\u0085\u2028\u2029",
	"direction":     "\u202e\u2066\u200f\ufeff\u00ad",
	"broken":        "\xff\xfe\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80",
	"long":          strings.Repeat("<b>&amp;\xff", 1<<13),
}

// hostileSample is the sample with text after each of its strings. States, severities and
// the like get it too.
func hostileSample(text string) *Page {
	p := sample()
	replaceStrings(reflect.ValueOf(p).Elem(), func(s string) string { return s + text })
	return p
}

// What the page is given, nothing of it is markup.
func TestHostileText(t *testing.T) {
	want := shape(t, written(t, hostileSample(" and more")))
	for name, text := range hostile {
		page := written(t, hostileSample(text))
		if got := shape(t, page); !slices.Equal(got, want) {
			for i := range got {
				if i >= len(want) || got[i] != want[i] {
					t.Errorf("%s: element %d of %d is %s", name, i, len(got), got[i])
					break
				}
			}
		}
		for _, r := range string(page) {
			if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == '\ufffd' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029 || r == 0x200f || r == 0xfeff {
				t.Errorf("%s: the page holds %U", name, r)
				break
			}
		}
	}
}

// A megabyte in one string does not make a page of megabytes.
func TestLongText(t *testing.T) {
	p := sample()
	p.Title += strings.Repeat("<>&'", 1<<20)
	p.Ladders[0].Rows[0].Text += strings.Repeat("\x00", 1<<20)
	if n, usual := len(written(t, p)), len(written(t, sample())); n > usual+20*maxText {
		t.Errorf("%d octets instead of %d", n, usual)
	}
}

// The text arrives whole, but for what is spelt out.
func TestTextArrives(t *testing.T) {
	p := &Page{Title: `a <b> & "c" 'd' ☃`, Quality: []string{"\x1b[31m \u202e\xff\n."}, Findings: []Finding{{ID: strings.Repeat("é", maxText)}}}
	root, err := html.Parse(bytes.NewReader(written(t, p)))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			text.WriteString(n.Data)
		}
	}
	for _, want := range []string{p.Title, `\x1b[31m \u202e\xff .`, strings.Repeat("é", maxText/2) + "…"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the page does not say %.60q", want)
		}
	}
}

// Nothing in the page refers to anything outside of it, and nothing depends on what the
// policy forbids.
func TestSelfContained(t *testing.T) {
	page := written(t, sample())
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]bool)
	var links []string
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			switch {
			case a.Key == "id" && ids[a.Val]:
				t.Errorf("two elements are %s", a.Val)
			case a.Key == "id":
				ids[a.Val] = true
			case a.Key == "href":
				if !strings.HasPrefix(a.Val, "#") {
					t.Errorf("a link to %s", a.Val)
				}
				links = append(links, strings.TrimPrefix(a.Val, "#"))
			case a.Key == "src", a.Key == "style", a.Key == "srcset", a.Key == "action", strings.HasPrefix(a.Key, "on"):
				t.Errorf("%s has %s=%q", n.Data, a.Key, a.Val)
			case a.Key == "aria-labelledby":
				links = append(links, a.Val)
			}
		}
	}
	for _, l := range links {
		if !ids[l] {
			t.Errorf("a link to #%s, which is nowhere", l)
		}
	}
	for _, s := range []string{style, script, head} {
		if regexp.MustCompile(`(?i)https?://(?:[^w]|w[^w])|@import|url\(|\beval\(|\bfetch\(|\bimport\(`).MatchString(s) {
			t.Error("style or script refer to something outside")
		}
	}
}

// The same page is the same octets.
func TestDeterministic(t *testing.T) {
	first := written(t, sample())
	for range 5 {
		if !bytes.Equal(first, written(t, sample())) {
			t.Fatal("two pages of the same differ")
		}
	}
}

// Write leaves what it was given as it was.
func TestWriteChangesNothing(t *testing.T) {
	p := hostileSample("\x1b<")
	written(t, p)
	if !reflect.DeepEqual(p, hostileSample("\x1b<")) {
		t.Error("the page was changed")
	}
}

func TestSizes(t *testing.T) {
	if n := len(written(t, &Page{})); n > 60_000 {
		t.Errorf("an empty page has %d octets", n)
	}
	p := sample()
	without := len(written(t, p))
	l := &p.Ladders[len(p.Ladders)-1]
	const rows = 1000
	for i := range uint64(rows) {
		r := l.Rows[i%6]
		r.Frame, r.Marks = 1000+i, nil
		l.Rows = append(l.Rows, r)
	}
	if n := (len(written(t, p)) - without) / rows; n > 300 {
		t.Errorf("a row of a ladder has %d octets", n)
	}
	p = sample()
	for i := range rows {
		c := p.Connections[2]
		c.ID = strconv.Itoa(100 + i)
		p.Connections = append(p.Connections, c)
	}
	if n := (len(written(t, p)) - without) / rows; n > 800 {
		t.Errorf("a connection has %d octets", n)
	}
}

// A page of nothing, and of odd numbers, is a page all the same.
func TestOddPages(t *testing.T) {
	for name, p := range map[string]*Page{
		"nothing":         {},
		"no steps":        {Series: &Series{Step: 1, States: []string{"LISTEN"}}},
		"uneven":          {Series: &Series{Step: 1, States: []string{"LISTEN", "CLOSED", "CLOSING"}, Most: [][]uint64{{1, 2, 3}, {1}}, Last: [][]uint64{{}}}},
		"one instant":     {Connections: []Connection{{ID: "1", Start: 5, End: 5, Bar: [2][]Span{{{5, 5, State{"CLOSED", "elapsed"}}}}}}},
		"backwards":       {Connections: []Connection{{ID: "1", Start: 9, End: 5, Bar: [2][]Span{{{9, 5, State{}}}}}}},
		"huge":            {Series: &Series{Step: 1 << 60, States: []string{"LISTEN"}, Most: [][]uint64{{1 << 63, 1}}}},
		"ladder alone":    {Ladders: []Ladder{{ID: "7", Rows: []Row{{}}}}},
		"same names":      {Ladders: []Ladder{{ID: "7"}, {ID: "7"}}, Connections: []Connection{{ID: "7"}, {ID: "7"}}},
		"finding of none": {Findings: []Finding{{ID: "x", Evidence: []Evidence{{"7", true, []Frame{{1, ""}}}}}}},
	} {
		if s := string(written(t, p)); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
			t.Errorf("%s: the page holds no number", name)
		}
	}
}
