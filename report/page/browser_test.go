package page

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// missing skips, or fails where everything has to be there.
func missing(t *testing.T, want string) {
	t.Helper()
	if os.Getenv("TCPSTATE_REQUIRE_ALL") == "1" {
		t.Fatal("TCPSTATE_REQUIRE_ALL: " + want)
	}
	t.Skip(want)
}

// newBrowser starts a browser that lasts as long as the test.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, "no chromium here: install the package chromium")
	}
	alloc, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(program), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true))
	t.Cleanup(cancel)
	ctx, done := chromedp.NewContext(alloc)
	t.Cleanup(done)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal("the browser does not start: ", err)
	}
	return ctx
}

// tab is a page in a browser. What it asks of the network, and what goes wrong in it, fails
// the test in the end.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string
}

// step is an action without a result.
type step = chromedp.Action[chromedp.Void]

// command is a command of the protocol of which only the error matters.
func command[P, R any](c cdp.Command[P, R], params P) step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// open shows p in a tab of that width, after what comes before.
func open(t *testing.T, browser context.Context, p *Page, width int64, before ...step) *tab {
	t.Helper()
	name := filepath.Join(t.TempDir(), "page.html")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(f, p); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, done := chromedp.NewContext(browser)
	t.Cleanup(done)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	o := &tab{t: t, ctx: ctx, url: "file://" + name}
	var mu sync.Mutex
	var wrong []string
	bad := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		wrong = append(wrong, s)
	}
	if err := chromedp.Listen(ctx, func(ev any) {
		switch e := ev.(type) {
		case *network.EventRequestWillBeSent:
			if u, _, _ := strings.Cut(e.Request.URL, "#"); u != o.url {
				bad("request for " + e.Request.URL)
			}
		case *log.EventEntryAdded:
			bad("log: " + e.Entry.Text)
		case *runtime.EventExceptionThrown:
			bad("exception: " + e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			bad("console: " + string(e.Type))
		}
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		mu.Lock()
		defer mu.Unlock()
		for _, w := range wrong {
			t.Error(w)
		}
	})
	o.do(command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{}), command(runtime.Enable, cdp.Empty{}), chromedp.EmulateViewport(width, 900))
	o.do(before...)
	o.do(chromedp.Navigate(o.url))
	return o
}

func (o *tab) do(steps ...step) {
	o.t.Helper()
	if err := chromedp.Do(o.ctx, steps...); err != nil {
		o.t.Fatal(err)
	}
}

// eval is the value of an expression in the page.
func eval[T any](o *tab, js string) T {
	o.t.Helper()
	v, err := chromedp.Run(o.ctx, chromedp.Evaluate[T](js))
	if err != nil {
		o.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// rect is where an element is in the window.
type rect struct{ X, Y, Width, Height float64 }

// box scrolls to the element, and says where it then is.
func (o *tab) box(selector string) rect {
	o.t.Helper()
	return eval[rect](o, "(() => { const e = document.querySelector("+strconv.Quote(selector)+"); e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getBoundingClientRect(); return {X: r.x, Y: r.y, Width: r.width, Height: r.height}; })()")
}

// click presses the mouse in the middle of the element.
func (o *tab) click(selector string) {
	o.t.Helper()
	b := o.box(selector)
	o.do(chromedp.MouseClickXY(b.X+b.Width/2, b.Y+b.Height/2))
}

// text is what the element says.
func (o *tab) text(selector string) string {
	o.t.Helper()
	return eval[string](o, "document.querySelector("+strconv.Quote(selector)+").textContent")
}

// shoot saves a picture of the whole page where TCPSTATE_SCREENSHOTS names a folder; else
// it goes with the test.
func (o *tab) shoot(name string) {
	o.t.Helper()
	picture, err := chromedp.Run(o.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		o.t.Fatal(err)
	}
	if !bytes.HasPrefix(picture, []byte("\x89PNG")) || len(picture) < 10000 {
		o.t.Errorf("%s: a picture of %d octets", name, len(picture))
	}
	dir := os.Getenv("TCPSTATE_SCREENSHOTS")
	if dir == "" {
		dir = o.t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		o.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
		o.t.Fatal(err)
	}
}
