// Package tcpstate holds no code: only the tests of what the whole tree keeps to.
package tcpstate

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "tcpstate/"

// knows says which of the others a package may import. Data walks one way:
// capture reads bytes and knows no connection, tracker prints nothing, report
// sees no bytes.
var knows = map[string][]string{
	"reassembly":     {},
	"capture":        {"reassembly"},
	"tracker":        {"reassembly", "capture"},
	"report/detect":  {"reassembly", "capture", "tracker"},
	"report/page":    {},
	"report":         {"reassembly", "capture", "tracker", "report/detect", "report/page"},
	"report/verdict": {"report", "report/detect"},
	"report/policy":  {"tracker", "report", "report/detect", "report/verdict"},
	"report/compare": {"tracker", "report", "report/detect", "report/verdict"},
	"report/screen":  {"capture", "tracker", "report", "report/detect"},
	"report/metrics": {"capture", "tracker", "report", "report/detect"},
	"cmd/tcpstate":   {"reassembly", "capture", "tracker", "report", "report/detect", "report/policy", "report/verdict", "report/compare", "report/screen", "report/metrics"},
}

// keepers are the only places that may import a library, and what lies below
// its path: gopacket, because its fork is to replace it in one step; the
// others, because a library that everybody uses belongs to nobody.
var keepers = map[string][]string{
	"github.com/google/gopacket":        {"capture/slow.go"},
	"github.com/google/gopacket/layers": {"capture/slow.go", "capture/filter_libpcap.go"},
	"github.com/google/gopacket/pcap":   {"capture/live_libpcap.go", "capture/filter_libpcap.go"},
	"github.com/klauspost/compress":     {"capture"},
	"golang.org/x/net/bpf":              {"capture"},
	"github.com/expr-lang/expr":         {"report", "report/policy"},
	"github.com/olekukonko/tablewriter": {"report"},
	"github.com/spf13/pflag":            {"cmd/tcpstate"},
	"go.yaml.in/yaml/v3":                {"report/policy"},
	"github.com/schollz/progressbar/v3": {"cmd/tcpstate"},
	"golang.org/x/term":                 {"cmd/tcpstate"},
	"golang.org/x/sys/unix":             {"cmd/tcpstate", "capture/watch_linux.go"},
	"charm.land/bubbletea/v2":           {"report/screen"},
	"charm.land/lipgloss/v2":            {"report/screen"},
	"charm.land/bubbles/v2":             {"report/screen"},

	"github.com/prometheus/client_golang/prometheus": {"report/metrics"},
	"kernel.org/pub/linux/libs/security/libcap/cap":  {"cmd/tcpstate"},
	"github.com/landlock-lsm/go-landlock/landlock":   {"cmd/tcpstate"},
	"github.com/google/gopacket/pcapgo":              {}, // panics on hostile pcapng
}

// nobody may import these: an analyser opens no connection, runs no program
// and takes no short cuts through memory. One file asks for large pages, and one
// serves --metrics.
var nobody = []string{"net", "net/http", "net/rpc", "net/smtp", "net/textproto", "crypto/tls", "os/exec", "plugin", "unsafe", "C", "log", "flag"}

// but are the files that may.
var but = map[string][]string{
	"unsafe":   {"tracker/pages.go"},
	"net":      {"cmd/tcpstate/serve.go"},
	"net/http": {"cmd/tcpstate/serve.go", "report/metrics/handler.go"},
}

// outside are the names that only cmd/tcpstate uses: it alone prints, exits,
// and reads the environment and the clock. The live source has to know when a
// second is over.
var outside = map[string][]string{
	"os.Exit": nil, "os.Getenv": nil, "os.LookupEnv": nil, "os.Environ": nil, "os.Args": nil,
	"os.Stdin": nil, "os.Stdout": nil, "os.Stderr": nil,
	"fmt.Print": nil, "fmt.Println": nil, "fmt.Printf": nil,
	"time.Now": {"capture/live_libpcap.go"}, "time.Since": {"capture/live_libpcap.go"}, "time.Sleep": nil,
}

// sources calls f for each Go file of the program; tests are free.
func sources(t *testing.T, f func(file, dir string, tree *ast.File)) {
	t.Helper()
	n := 0
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		n++
		f(name, path.Dir(name), tree)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 50 {
		t.Errorf("only %d files", n)
	}
}

func TestDependencyDirection(t *testing.T) {
	sources(t, func(file, dir string, tree *ast.File) {
		mayKnow, listed := knows[dir]
		if !listed {
			t.Errorf("%s: %s is no room of this house", file, dir)
		}
		for _, i := range tree.Imports {
			what, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(nobody, what) && !slices.Contains(but[what], file) {
				t.Errorf("%s imports %s", file, what)
			}
			if room, ours := strings.CutPrefix(what, module); ours && !slices.Contains(mayKnow, room) {
				t.Errorf("%s: %s must not know %s", file, dir, room)
			}
			if !strings.Contains(what, ".") {
				continue
			}
			who, known := keeper(what)
			if !known {
				t.Errorf("%s imports %s, which no room keeps yet", file, what)
			} else if !slices.Contains(who, file) && !slices.Contains(who, dir) {
				t.Errorf("%s imports %s, which is for %v", file, what, who)
			}
		}
	})
}

// keeper finds the longest entry of keepers that an import path begins with.
func keeper(what string) (who []string, known bool) {
	longest := -1
	for lib, files := range keepers {
		if strings.HasPrefix(what, lib) && len(lib) > longest {
			longest, who = len(lib), files
		}
	}
	return who, longest >= 0
}

func TestOnlyTheCommandTalks(t *testing.T) {
	sources(t, func(file, dir string, tree *ast.File) {
		if dir == "cmd/tcpstate" {
			return
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := s.X.(*ast.Ident)
			if !ok {
				return true
			}
			if except, listed := outside[pkg.Name+"."+s.Sel.Name]; listed && !slices.Contains(except, file) {
				t.Errorf("%s uses %s.%s", file, pkg.Name, s.Sel.Name)
			}
			return true
		})
	})
}

// elsewhere are names of places on some machine.
var elsewhere = regexp.MustCompile(`(?m)(^|[^\w.~/-])/(` + strings.Join([]string{"work", "root", "home", "Users", "mnt", "workspace"}, "|") + `)/|[A-Z]:\\\\?Users`)

// A clone is complete: no file of it names a place outside.
func TestNoMachinePaths(t *testing.T) {
	list, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		t.Skip("not a git working tree")
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		b, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // removed, but not yet from git
		}
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(b, 0) >= 0 {
			continue // no text
		}
		if m := elsewhere.FindIndex(b); m != nil {
			line := 1 + bytes.Count(b[:m[0]], []byte("\n"))
			t.Errorf("%s:%d names a place on a machine: %q", name, line, b[m[0]:min(m[1]+20, len(b))])
		}
	}
}
