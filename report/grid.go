package report

import (
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// grid is a small table of text: columns set apart by spaces, no lines. Names
// of columns that begin with > are flush right, and so are their cells.
//
// It is for tables with a cap on their rows; full data goes to NDJSON and CSV.
type grid struct {
	heads []string
	rows  [][]string
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// text renders the grid, each line indented and without blanks at its end.
func (g *grid) text(indent string, style *Style) string {
	var b strings.Builder
	right := make([]tw.Align, len(g.heads))
	heads := make([]string, len(g.heads))
	for i, h := range g.heads {
		right[i] = tw.AlignLeft
		if name, ok := strings.CutPrefix(h, ">"); ok {
			h, right[i] = name, tw.AlignRight
		}
		heads[i] = style.dim(h)
	}
	plain := tw.CellPadding{Global: tw.Padding{Left: "", Right: "  ", Overwrite: true}}
	align := tw.CellAlignment{PerColumn: right}
	t := tablewriter.NewTable(&b,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders: tw.BorderNone,
			Settings: tw.Settings{
				Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off, ShowHeader: tw.Off},
				Lines:      tw.Lines{ShowTop: tw.Off, ShowBottom: tw.Off, ShowHeaderLine: tw.Off, ShowFooterLine: tw.Off},
			},
		})),
		// The width of a character must not depend on the machine's locale.
		tablewriter.WithEastAsian(tw.Off),
		tablewriter.WithConfig(tablewriter.Config{
			Header: tw.CellConfig{Formatting: tw.CellFormatting{AutoFormat: tw.Off, AutoWrap: tw.WrapNone}, Padding: plain, Alignment: align},
			Row:    tw.CellConfig{Formatting: tw.CellFormatting{AutoFormat: tw.Off, AutoWrap: tw.WrapNone}, Padding: plain, Alignment: align},
		}),
	)
	t.Header(heads)
	for _, r := range g.rows {
		t.Append(r)
	}
	if err := t.Render(); err != nil {
		panic(err) // only for misuse: the writer is a strings.Builder
	}
	var out strings.Builder
	for _, line := range strings.Split(strings.TrimRight(b.String(), "\n"), "\n") {
		out.WriteString(strings.TrimRight(indent+line, " ") + "\n")
	}
	return out.String()
}

// The colours, used only where the user wants any.

func (s *Style) paint(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s *Style) bold(text string) string { return s.paint("1", text) }
func (s *Style) dim(text string) string  { return s.paint("2", text) }
func (s *Style) warn(text string) string { return s.paint("33", text) }
