package tcpstate

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bounds are the rows of the table in SECURITY.md, and the constant of the code that each
// number is, in the unit that the page uses.
var bounds = []struct {
	row, number string
	dir, name   string
	unit        int64
}{
	{"pcapng block", "16 MiB", "capture", "MaxBlock", 1 << 20},
	{"pcap record", "256 KiB", "capture", "MaxRecord", 1 << 10},
	{"interfaces of a pcapng section", "65 536", "capture", "MaxInterfaces", 1},
	{"interfaces of a file that `-w` writes", "4096", "capture", "MaxDescribed", 1},
	{"zstd window", "128 MiB", "capture", "MaxZstdWindow", 1 << 20},
	{"packet times of pcapng", "9 200 000 000", "capture", "lastTime", 1e9},
	{"packets inside packets", "16", "capture", "maxDepth", 1},
	{"IPv6 headers before TCP", "16", "capture", "maxHeaders", 1},
	{"VLAN tags looked at in a frame", "8", "capture", "maxTags", 1},
	{"IP datagrams in fragments", "128 fragments", "reassembly", "MaxPieces", 1},
	{"transitions that wait for what", "8", "report", "holdShare", 1},
	{"ranges held beyond a hole", "3", "reassembly", "maxIsles", 1},
	{"ICMP errors kept of one connection", "8", "tracker", "quoteMax", 1},
	{"connections shown as evidence", "5", "report/detect", "maxShown", 1},
	{"connections that one detector holds", "262 144", "report/detect", "maxItems", 1},
	{"subjects that one detector holds", "65 536", "report/detect", "maxGroups", 1},
	{"servers' ports that findings are judged by", "32 768", "report/detect", "maxServices", 1},
	{"services of the report", "65 536", "report", "maxServices", 1},
	{"a policy, baseline or filter file", "64 MiB", "cmd/tcpstate", "longestText", 1 << 20},
}

// The numbers of SECURITY.md are those of the code.
func TestBoundsAreTold(t *testing.T) {
	b, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range bounds {
		var row string
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "| "+x.row) {
				row = line
			}
		}
		cells := strings.Split(row, "|")
		if len(cells) < 4 || !strings.Contains(cells[1]+cells[2], x.number) {
			t.Errorf("SECURITY.md has no row %q with %s: %q", x.row, x.number, row)
			continue
		}
		digits, _, _ := strings.Cut(strings.ReplaceAll(x.number, " ", "")+"M", "M")
		digits = strings.TrimRight(digits, "KMGiBfragments")
		want := constant.BinaryOp(constant.MakeFromLiteral(digits, token.INT, 0), token.MUL, constant.MakeInt64(x.unit))
		if got := constantIn(t, x.dir, x.name); !constant.Compare(got, token.EQL, want) {
			t.Errorf("%s: SECURITY.md says %s, and %s is %s", x.row, x.number, x.name, got)
		}
	}
}

// constantIn is the value of a package's constant that is a number by itself.
func constantIn(t *testing.T, dir, name string) constant.Value {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				for i, n := range v.Names {
					if n.Name != name || i >= len(v.Values) {
						continue
					}
					x, err := types.Eval(token.NewFileSet(), nil, token.NoPos, types.ExprString(v.Values[i]))
					if err != nil {
						t.Fatalf("%s.%s: %v", dir, name, err)
					}
					return x.Value
				}
			}
		}
	}
	t.Fatalf("%s has no constant %s", dir, name)
	return nil
}
