package tcpstate

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// linked are the modules of which code may be in the program, on Linux, where it has most.
// What only tests use is not in it. A line more is one more author who is trusted with
// what strangers send: it is added on purpose.
var linked = strings.Fields(`
	charm.land/bubbles/v2
	charm.land/bubbletea/v2
	charm.land/lipgloss/v2
	github.com/beorn7/perks
	github.com/cespare/xxhash/v2
	github.com/charmbracelet/colorprofile
	github.com/charmbracelet/ultraviolet
	github.com/charmbracelet/x/ansi
	github.com/charmbracelet/x/term
	github.com/charmbracelet/x/termios
	github.com/charmbracelet/x/windows
	github.com/clipperhouse/displaywidth
	github.com/clipperhouse/uax29/v2
	github.com/expr-lang/expr
	github.com/fatih/color
	github.com/google/gopacket
	github.com/klauspost/compress
	github.com/landlock-lsm/go-landlock
	github.com/lucasb-eyer/go-colorful
	github.com/mattn/go-colorable
	github.com/mattn/go-isatty
	github.com/mattn/go-runewidth
	github.com/mitchellh/colorstring
	github.com/muesli/cancelreader
	github.com/munnerz/goautoneg
	github.com/olekukonko/cat
	github.com/olekukonko/errors
	github.com/olekukonko/ll
	github.com/olekukonko/tablewriter
	github.com/prometheus/client_golang
	github.com/prometheus/client_model
	github.com/prometheus/common
	github.com/prometheus/procfs
	github.com/rivo/uniseg
	github.com/schollz/progressbar/v3
	github.com/spf13/pflag
	github.com/xo/terminfo
	go.yaml.in/yaml/v3
	golang.org/x/net
	golang.org/x/sync
	golang.org/x/sys
	golang.org/x/term
	google.golang.org/protobuf
	kernel.org/pub/linux/libs/security/libcap/cap
	kernel.org/pub/linux/libs/security/libcap/psx
`)

func TestLinkedModules(t *testing.T) {
	c := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./cmd/tcpstate")
	c.Env = append(os.Environ(), "GOOS=linux")
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(string(out))
	slices.Sort(got)
	got = slices.DeleteFunc(slices.Compact(got), func(m string) bool { return m+"/" == module })
	if d := cmp.Diff(linked, got); d != "" {
		t.Errorf("the modules that are linked, as listed and as they are:\n%s", d)
	}
}
