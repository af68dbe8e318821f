package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
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

// browserCommand is a command of the protocol of which only the error matters.
func browserCommand[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// Pages of real captures, and of a hostile one, in a browser: nothing goes wrong in them, they
// ask nobody for anything, the charts are drawn, and each evidence leads to its ladder.
func TestPagesInBrowser(t *testing.T) {
	program, err := exec.LookPath("chromium")
	if err != nil {
		lacking(t, "no chromium here: install the package chromium")
	}
	alloc, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(program), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))
	defer cancel()
	browser, done := chromedp.NewContext(alloc)
	defer done()
	if err := chromedp.Do(browser); err != nil {
		t.Fatal("the browser does not start: ", err)
	}
	pages := map[string]string{}
	for _, name := range []string{"close-wait-leak", "syn-flood", "half-open-path-dies", "port-scan", "loss", "time-wait-reuse", "icmp-unreachable"} {
		pages[name] = htmlPage(t, "../../testdata/pcaps/"+name+".pcap")
	}
	pages["hostile"], _ = hostilePage(t)
	pages["crowd"] = htmlPage(t, crowded(t))
	for name, page := range pages {
		t.Run(name, func(t *testing.T) { showPage(t, browser, page) })
	}
}

// shownPage is what is counted in a page.
type shownPage struct {
	Lines, Bars, Rows, Evidence, Dead, Foreign int
}

func showPage(t *testing.T, browser context.Context, page string) {
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(page), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, done := chromedp.NewContext(browser)
	defer done()
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var mu sync.Mutex
	var wrong []string
	if err := chromedp.Listen(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := ev.(type) {
		case *network.EventRequestWillBeSent:
			if u, _, _ := strings.Cut(e.Request.URL, "#"); u != "file://"+file {
				wrong = append(wrong, "request for "+e.Request.URL)
			}
		case *log.EventEntryAdded:
			wrong = append(wrong, "log: "+e.Entry.Text)
		case *runtime.EventExceptionThrown:
			wrong = append(wrong, "exception: "+e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			wrong = append(wrong, "console: "+string(e.Type))
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, browserCommand(network.Enable, network.EnableParams{}), browserCommand(log.Enable, cdp.Empty{}),
		browserCommand(runtime.Enable, cdp.Empty{}), chromedp.EmulateViewport(1400, 900), chromedp.Navigate("file://"+file)); err != nil {
		t.Fatal(err)
	}
	got, err := chromedp.Run(ctx, chromedp.Evaluate[shownPage](`(() => {
	const n = (s) => document.querySelectorAll(s).length;
	const links = [...document.querySelectorAll('a[href^="#"]')];
	return {Lines: [...document.querySelectorAll("#chart-lines path")].filter((e) => e.getAttribute("d").length > 5).length,
		Bars: n("#bars-paths path"), Rows: n("#table tbody tr"), Evidence: links.filter((a) => a.getAttribute("href").startsWith("#ladder-")).length,
		Dead: links.filter((a) => !document.getElementById(a.getAttribute("href").slice(1))).length,
		Foreign: n("img, iframe, object, embed, link, form[action], script[src], base")};
	})()`))
	if err != nil {
		t.Fatal(err)
	}
	if got.Lines == 0 || got.Bars == 0 || got.Rows == 0 || got.Evidence == 0 {
		t.Errorf("something is not drawn: %+v", got)
	}
	if got.Dead > 0 || got.Foreign > 0 {
		t.Errorf("links lead nowhere, or there are elements that are not the page's: %+v", got)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, w := range wrong {
		t.Error(w)
	}
}
