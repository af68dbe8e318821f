package page

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// scheme makes the system's look light or dark.
func scheme(name string) step {
	return command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
}

// The page in a browser, driven as a reader does: by mouse and keys.
func TestBrowser(t *testing.T) {
	browser := newBrowser(t)
	for name, f := range map[string]func(*testing.T, context.Context){
		"draws": testDraws, "filters": testFilters, "sorts": testSorts, "zooms": testZooms, "reads out": testReadsOut,
		"switches states": testSwitchesStates, "opens ladders": testOpensLadders, "copies": testCopies, "looks": testLooks,
		"fits": testFits, "without script": testWithoutScript, "keyboard": testKeyboard,
		"hostile": testHostile, "marks": testMarks, "parts missing": testPartsMissing, "prints": testPrints,
	} {
		t.Run(name, func(t *testing.T) { f(t, browser) })
	}
}

func testDraws(t *testing.T, browser context.Context) {
	o := open(t, browser, sample(), 1400)
	for what, least := range map[string]int{"#chart-lines path": 9, "#bars-paths path.b": 5, "#chart-marks circle": 3, "#chart-grid text": 8, ".ladder svg": 30} {
		n := eval[int](o, `[...document.querySelectorAll(`+strconv.Quote(what)+`)].filter((e) => { const r = e.getBoundingClientRect(); return r.width > 0 && (r.height > 0 || e.getAttribute("d")); }).length`)
		if n < least {
			t.Errorf("%d of %s are drawn, want %d or more", n, what, least)
		}
	}
	if w := o.box("#chart").Width; w < 1000 {
		t.Errorf("the chart is %v wide in a window of 1400", w)
	}
	if n := eval[int](o, `new Set([...document.querySelectorAll("#chart-lines path")].map((e) => getComputedStyle(e).stroke)).size`); n < 9 {
		t.Errorf("the lines of 9 states have %d colours", n)
	}
	if n := eval[int](o, `new Set([...document.querySelectorAll("#chart-lines path")].map((e) => getComputedStyle(e).strokeDasharray)).size`); n < 9 {
		t.Errorf("the lines of 9 states have %d kinds of line", n)
	}
}

// visible are the numbers of the rows shown, in their order.
const visible = `[...document.querySelectorAll("#table tbody tr")].filter((r) => r.offsetHeight > 0).map((r) => r.cells[0].textContent)`

func testFilters(t *testing.T, browser context.Context) {
	o := open(t, browser, sample(), 1400)
	if n := len(eval[[]string](o, visible)); n != 40 {
		t.Fatalf("%d rows at first", n)
	}
	o.click("#f-text")
	o.do(chromedp.KeyEvent("10.0.0.1:40012"))
	if got := eval[[]string](o, visible); !slices.Equal(got, []string{"12"}) {
		t.Errorf("text filters to %v", got)
	}
	if s := o.text("#shown"); s != "1 of 40" {
		t.Errorf("it says %q", s)
	}
	barred := `[...document.querySelectorAll("#bars a")].filter((e) => e.getBoundingClientRect().height > 0).map((e) => e.textContent.split(" ")[0])`
	if got := eval[[]string](o, barred); !slices.Equal(got, []string{"12"}) || o.text("#barred") != "1 of 40" {
		t.Errorf("the bars are those of %v, %s", got, o.text("#barred"))
	}
	paths := `[...document.querySelectorAll("#bars-paths path.b")].map((e) => e.getAttribute("d")).join("")`
	if d := eval[string](o, paths); strings.Count(d, "M") != 8 || strings.Trim(regexp.MustCompile(`M\S+ (19|26)h`).ReplaceAllString(d, ""), "0123456789.") != "" {
		t.Errorf("the bars of 12 are %s", d)
	}
	o.do(chromedp.KeyEvent(strings.Repeat(kb.Backspace, 14)))
	if n := len(eval[[]string](o, visible)); n != 40 {
		t.Errorf("%d rows after the text is gone", n)
	}
	if n, d := len(eval[[]string](o, barred)), eval[string](o, paths); n != 40 || strings.Count(d, "M") != 320 {
		t.Errorf("%d connections have bars after the text is gone", n)
	}
	for id, want := range map[string][]string{"f-state": {"0", "6", "12", "18", "24", "30", "36"}, "f-close": {"0", "6", "12", "18", "24", "30", "36"}, "f-finding": {"1.1", "11.1", "21.1", "31.1"}} {
		eval[bool](o, `document.getElementById("`+id+`").focus(), true`)
		o.do(chromedp.KeyEvent(map[string]string{"f-state": "CLOSE-W", "f-close": "half", "f-finding": "abort"}[id]))
		if got := eval[[]string](o, visible); !slices.Equal(got, want) {
			t.Errorf("%s filters to %v, want %v", id, got, want)
		}
		o.click("#filter button")
		if n := len(eval[[]string](o, visible)); n != 40 {
			t.Errorf("%d rows after clearing", n)
		}
	}
	o.click("#f-text")
	o.do(chromedp.KeyEvent("refused" + kb.Enter))
	if got := eval[[]string](o, visible); len(got) != 4 {
		t.Errorf("after Enter: %v", got)
	}
}

func testSorts(t *testing.T, browser context.Context) {
	o := open(t, browser, sample(), 1400)
	column := func(n int) string { return "#table th:nth-child(" + strconv.Itoa(n) + ")" }
	sort := func(n int) string { return eval[string](o, `document.querySelector("`+column(n)+`").ariaSort`) }
	o.click(column(10) + " button")
	if got := eval[[]string](o, visible); got[0] != "0" || got[39] != "39" || sort(10) != "ascending" {
		t.Errorf("by packets: %v, %s", got, sort(10))
	}
	o.do(chromedp.KeyEvent(kb.Enter)) // the button has the focus
	if got := eval[[]string](o, visible); got[0] != "39" || got[39] != "0" || sort(10) != "descending" {
		t.Errorf("by packets, again: %v, %s", got, sort(10))
	}
	o.click(column(3) + " button")
	if got := eval[[]string](o, visible); !slices.Equal(got[:7], []string{"0", "7", "14", "21.1", "28", "35", "1.1"}) {
		t.Errorf("by duration: %v", got)
	}
	if n := eval[int](o, `document.querySelectorAll("#table [aria-sort]").length`); n != 1 {
		t.Errorf("%d columns say that they sort", n)
	}
	o.click(column(8) + " button")
	if got := eval[[]string](o, visible); got[0] != "2" || got[len(got)-1] != "31.1" {
		t.Errorf("by close: %v", got)
	}
}

func testZooms(t *testing.T, browser context.Context) {
	o := open(t, browser, sample(), 1400)
	state := func() string {
		return o.text("#range") + eval[string](o, `document.querySelector("#chart-lines path").getAttribute("d") + document.getElementById("bars-paths").getAttribute("transform")`)
	}
	whole := state()
	if r := o.text("#range"); r != "0 to 120 s" {
		t.Errorf("at first: %s", r)
	}
	zoomed := func(how string) {
		t.Helper()
		if state() == whole || o.text("#range") == "0 to 120 s" {
			t.Errorf("%s does not zoom", how)
		}
	}
	back := func(how string) {
		t.Helper()
		if state() != whole {
			t.Errorf("%s does not show all again: %s", how, o.text("#range"))
		}
	}
	for _, id := range []string{"#chart", "#bars"} {
		b := o.box(id)
		if id == "#bars" {
			b.Y, b.Height = 300, 200
		}
		x, y := b.X+b.Width*.3, b.Y+b.Height*.5
		o.do(chromedp.MouseEvent(chromedp.MousePressed, x, y, chromedp.ButtonLeft, chromedp.ClickCount(1)),
			chromedp.MouseEvent(chromedp.MouseMoved, x+100, y, chromedp.ButtonLeft), chromedp.MouseEvent(chromedp.MouseMoved, x+200, y, chromedp.ButtonLeft),
			chromedp.MouseEvent(chromedp.MouseReleased, x+200, y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
		zoomed("dragging over " + id)
		o.do(chromedp.KeyEvent("0"))
		back("0 on " + id)
		o.do(chromedp.MouseEvent(chromedp.MouseWheel, x, y, func(p *input.DispatchMouseEventParams) { p.DeltaX, p.DeltaY = 0.01, -240 }))
		zoomed("the wheel on " + id)
		o.do(chromedp.KeyEvent(kb.Escape))
		back("Escape on " + id)
	}
	o.do(chromedp.KeyEvent("+"))
	zoomed("+")
	near := o.text("#range")
	o.do(chromedp.KeyEvent(kb.ArrowRight, chromedp.KeyModifiers(chromedp.ModifierShift)))
	if o.text("#range") == near {
		t.Error("Shift and an arrow do not move the view")
	}
	o.do(chromedp.KeyEvent("-"))
	o.do(chromedp.KeyEvent("-"))
	back("-")
	o.click("#zoom-in")
	zoomed("the button")
	o.click("#zoom-all")
	back("the button")
	if !eval[bool](o, `document.getElementById("zoom-all").disabled`) {
		t.Error("one can show all where all is shown")
	}
}

// Where there are too many findings for the axis, the most severe are marked, and more of
// them when one looks closer.
func testMarks(t *testing.T, browser context.Context) {
	p := sample()
	for i := range 400 {
		f := p.Findings[2]
		f.First += int64(i) * 1e8
		p.Findings = append(p.Findings, f)
	}
	o := open(t, browser, p, 1400)
	shown := `[...document.querySelectorAll("#chart-marks circle")].filter((e) => e.getBoundingClientRect().width > 0).map((e) => e.nextElementSibling.textContent)`
	all := eval[[]string](o, shown)
	if len(all) < 10 || len(all) > 120 || !slices.Equal(all[:3], []string{"1", "2", "3"}) {
		t.Errorf("%d marks: %v", len(all), all)
	}
	b := o.box("#chart")
	o.do(chromedp.MouseClickXY(b.X+b.Width*.8, b.Y+b.Height/2))
	for range 5 {
		o.do(chromedp.KeyEvent("+"))
	}
	near := eval[[]string](o, shown)
	if !slices.ContainsFunc(near, func(s string) bool { return !slices.Contains(all, s) }) {
		t.Errorf("looking closer shows no other marks: %v", near)
	}
}

func testReadsOut(t *testing.T, browser context.Context) {
	o := open(t, browser, sample(), 1400)
	values := `[...document.querySelectorAll("#legend .value")].map((e) => e.textContent).join()`
	peaks := eval[string](o, values)
	b := o.box("#chart")
	o.do(chromedp.MouseEvent(chromedp.MouseMoved, b.X+b.Width/2, b.Y+b.Height/2))
	if s := o.text("#reading"); !strings.HasPrefix(s, "at 6") {
		t.Errorf("over the chart it says %q", s)
	}
	over := eval[string](o, values)
	if over == peaks {
		t.Error("the values do not follow the pointer")
	}
	o.do(chromedp.MouseEvent(chromedp.MouseMoved, 5, 5))
	if s := eval[string](o, values); s != peaks {
		t.Errorf("after the pointer left: %s", s)
	}
	eval[bool](o, `document.getElementById("chart").focus(), true`)
	o.do(chromedp.KeyEvent(kb.ArrowRight))
	first := o.text("#reading")
	o.do(chromedp.KeyEvent(kb.ArrowRight))
	if first == "" || o.text("#reading") == first {
		t.Errorf("arrows read %q, then %q", first, o.text("#reading"))
	}
	bar := eval[rect](o, `(() => { document.getElementById("bars").scrollIntoView({behavior: "instant"}); const r = document.getElementById("bars-clip").getBoundingClientRect(); return {X: r.x, Y: r.y, Width: r.width, Height: r.height}; })()`)
	top := eval[float64](o, `document.getElementById("bars").getBoundingClientRect().top`)
	o.do(chromedp.MouseEvent(chromedp.MouseMoved, bar.X+bar.Width*5.2/120, top+34*2+19))
	if s := o.text("#reading"); !strings.Contains(s, " · 2, client: ") {
		t.Errorf("over a bar it says %q", s)
	}
}

func testSwitchesStates(t *testing.T, browser context.Context) {
	o := open(t, browser, sample(), 1400)
	shown := `[...document.querySelectorAll("#chart-lines path")].filter((e) => e.getBoundingClientRect().width > 0).length`
	n := eval[int](o, shown)
	o.click("#legend li:last-child button")
	if got := eval[int](o, shown); got != n-1 {
		t.Errorf("%d lines of %d after one was switched off", got, n)
	}
	if s := eval[string](o, `document.querySelector("#legend li:last-child button").ariaPressed`); s != "false" {
		t.Errorf("pressed is %s", s)
	}
	o.do(chromedp.KeyEvent(" "))
	if got := eval[int](o, shown); got != n {
		t.Errorf("%d lines of %d after it was switched on", got, n)
	}
}

func testOpensLadders(t *testing.T, browser context.Context) {
	o := open(t, browser, sample(), 1400)
	seen := func(id string) string {
		return `(() => { const e = document.getElementById("` + id + `"); const r = e.getBoundingClientRect(); return e.closest("details").open && r.height > 0 && r.top < innerHeight && r.bottom > 0; })()`
	}
	// The page hears of a new place some time after a click, and may scroll to the last one
	// while the mouse is on its way: who misses clicks again.
	opens := func(o *tab, link, what string) bool {
		for range 5 {
			o.click(link)
			for range 40 {
				if eval[bool](o, what) {
					return true
				}
				time.Sleep(50 * time.Millisecond)
			}
		}
		return false
	}
	for _, id := range []string{"ladder-24", "ladder-36"} {
		if eval[bool](o, seen(id)) {
			t.Fatalf("%s is open", id)
		}
		if !opens(o, `#table a[href="#`+id+`"]`, seen(id)) {
			t.Errorf("the link in the table does not open %s", id)
		}
	}
	if !opens(o, `.evidence a[href="#ladder-6-4"]`, seen("ladder-6-4")) {
		t.Error("the link of a frame does not open its ladder")
	}
	other := open(t, browser, sample(), 1400)
	other.do(chromedp.Navigate(other.url + "#ladder-12"))
	if _, err := chromedp.Run(other.ctx, chromedp.Poll[bool](`document.getElementById("ladder-12").closest("details").open`)); err != nil {
		t.Error("an address with a place does not open it")
	}
	if !opens(other, `#chart-marks a[href="#finding-3"] circle`, `location.hash === "#finding-3"`) {
		t.Error("a mark on the axis is no link")
	}
}

func testCopies(t *testing.T, browser context.Context) {
	o := open(t, browser, sample(), 1400)
	o.click("#finding-1 .copy")
	if _, err := chromedp.Run(o.ctx, chromedp.Poll[bool](`document.querySelector("#finding-1 .copy").textContent !== "Copy"`)); err != nil {
		t.Error(err)
	}
}

func testLooks(t *testing.T, browser context.Context) {
	background := `getComputedStyle(document.body).backgroundColor`
	for _, width := range []int64{400, 1400} {
		var seen []string
		for _, look := range []string{"light", "dark"} {
			o := open(t, browser, sample(), width, scheme(look))
			seen = append(seen, eval[string](o, background))
			o.shoot(look + "-" + strconv.FormatInt(width, 10))
			if look != "light" {
				continue
			}
			o.click("#theme") // light
			o.click("#theme") // dark
			seen = append(seen, eval[string](o, background))
		}
		if seen[0] == seen[2] || seen[1] != seen[2] {
			t.Errorf("backgrounds in light, chosen dark, dark: %v", seen)
		}
	}
}

func testFits(t *testing.T, browser context.Context) {
	for _, width := range []int64{360, 768, 1400, 2560} {
		o := open(t, browser, sample(), width)
		if n := eval[int64](o, `document.documentElement.scrollWidth`); n > width {
			t.Errorf("in a window of %d the page is %d wide", width, n)
		}
		if n := eval[int64](o, `Math.round(document.getElementById("chart").getBoundingClientRect().width)`); n > width || n < width/2 && n < 1400 {
			t.Errorf("in a window of %d the chart is %d wide", width, n)
		}
	}
}

func testWithoutScript(t *testing.T, browser context.Context) {
	o := open(t, browser, sample(), 1400, command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	o.shoot("without-script")
	// The tools of the browser run scripts all the same.
	if n := eval[int](o, `[...document.querySelectorAll(".js-only")].filter((e) => e.offsetHeight > 0).length`); n != 0 {
		t.Errorf("%d controls show that need the script", n)
	}
	if n := eval[int](o, `[...document.querySelectorAll("#chart-lines path, #bars-paths path.b")].filter((e) => e.getBoundingClientRect().width > 0).length`); n < 14 {
		t.Errorf("%d lines are drawn", n)
	}
	o.click(`#table a[href="#ladder-24"]`)
	if !eval[bool](o, `document.getElementById("ladder-24").getBoundingClientRect().height > 0`) {
		t.Error("a link does not open a ladder")
	}
	if n := len(eval[[]string](o, visible)); n != 40 {
		t.Errorf("%d rows", n)
	}
}

// All that can be used can be reached by Tab, and shows that it has been.
func testKeyboard(t *testing.T, browser context.Context) {
	o := open(t, browser, sample(), 1400)
	o.do(chromedp.KeyEvent(kb.Tab))
	if s := eval[string](o, `document.activeElement.className`); s != "skip" {
		t.Errorf("the first is %q", s)
	}
	want := []string{"theme", "zoom-in", "chart", "bars", "f-text", "f-state"}
	seen := make(map[string]bool)
	for range 400 {
		o.do(chromedp.KeyEvent(kb.Tab))
		at := eval[string](o, `(() => { const e = document.activeElement; if (e === document.body) return "end"; const s = getComputedStyle(e.closest("a") && e.querySelector("circle") ? e.querySelector("circle") : e); return (e.id || e.tagName) + (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0 || s.strokeWidth === "4px" ? "" : " without outline"); })()`)
		if at == "end" {
			break
		}
		if strings.HasSuffix(at, " without outline") {
			t.Errorf("the focus does not show on %s", at)
		}
		seen[at] = true
	}
	for _, w := range want {
		if !seen[w] {
			t.Errorf("Tab does not reach %s", w)
		}
	}
}

// Whatever the texts are, the page works, and nothing of them does.
func testHostile(t *testing.T, browser context.Context) {
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		all.WriteString(hostile[name][:min(len(hostile[name]), 200)])
	}
	o := open(t, browser, hostileSample(all.String()), 1400)
	usual := open(t, browser, hostileSample(" and more"), 1400)
	elements := `[...document.querySelectorAll("*")].map((e) => e.tagName).join()`
	if eval[string](o, elements) != eval[string](usual, elements) {
		t.Error("other elements than with harmless texts")
	}
	o.click("#f-text")
	o.do(chromedp.KeyEvent("10.0.0.1:40012<script>"))
	if got := eval[[]string](o, visible); len(got) != 0 {
		t.Errorf("filters to %d rows", len(got))
	}
	o.click("#table th:nth-child(4) button")
	o.click("#zoom-in")
}

// The script takes a page without any of its parts.
func testPartsMissing(t *testing.T, browser context.Context) {
	whole := sample()
	for name, p := range map[string]*Page{
		"all":              {Title: "nothing"},
		"connections":      {Series: whole.Series, Findings: whole.Findings},
		"chart":            {Connections: whole.Connections},
		"ladders, series":  {Connections: whole.Connections, Findings: whole.Findings},
		"all but a ladder": {Ladders: whole.Ladders[:1]},
		"bars":             {Series: whole.Series, Connections: []Connection{{ID: "1", Client: "a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, browser, p, 1000)
			if eval[bool](o, `document.getElementById("time") !== null`) {
				o.click("#zoom-in")
				if o.text("#range") == "" {
					t.Error("no range is shown")
				}
			}
			o.click("#theme")
		})
	}
}

// On paper all ladders are open, controls are gone, and nothing lies beyond the edge.
func testPrints(t *testing.T, browser context.Context) {
	o := open(t, browser, sample(), 800, command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"}))
	if n := eval[int](o, `[...document.querySelectorAll("button, input, nav")].filter((e) => e.offsetHeight > 0 && !e.closest("th, .legend")).length`); n != 0 {
		t.Errorf("%d controls are printed", n)
	}
	if n := eval[int](o, `[...document.querySelectorAll(".ladder")].filter((e) => e.getBoundingClientRect().right > innerWidth).length`); n != 0 {
		t.Errorf("%d ladders are wider than the paper", n)
	}
	eval[bool](o, `dispatchEvent(new Event("beforeprint"))`)
	if n := eval[int](o, `[...document.querySelectorAll(".ladder")].filter((e) => e.offsetHeight === 0).length`); n != 0 {
		t.Errorf("%d ladders are closed", n)
	}
	eval[bool](o, `dispatchEvent(new Event("afterprint"))`)
	if n := eval[int](o, `document.querySelectorAll("details:not([open])").length`); n == 0 {
		t.Error("all ladders stay open")
	}
}
