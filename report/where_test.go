package report

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tcpstate/tracker"
)

// What is null in JSON is nil in an expression, whatever holds its place here.
func TestWhereNil(t *testing.T) {
	at := time.Unix(1, 0)
	bare := Record{Continues: nan, VLAN: nan, Handshake: HandshakeRecord{RTT: nan}}
	full := Record{Continues: 3, VLAN: 7, Handshake: HandshakeRecord{RTT: 0.1}, Close: CloseRecord{By: "client", Reset: "abort"},
		TimeWait: TimeWaitRecord{Endpoint: "client", Since: at, Until: at}}
	for _, field := range []string{"continues", "vlan", "handshake.rtt", "close.by", "close.reset", "time_wait", "time_wait.since"} {
		for _, src := range []string{field + " == nil", "nil == " + field, "not (" + field + " != nil)"} {
			w, err := ParseWhere(src)
			if err != nil {
				t.Errorf("%s: %v", src, err)
				continue
			}
			for _, c := range []struct {
				r    *Record
				want bool
			}{{&bare, true}, {&full, false}} {
				if got, err := w.Match(c.r); got != c.want || err != nil {
					t.Errorf("%s: %v (%v), want %v", src, got, err, c.want)
				}
			}
		}
	}
}

// Words of the expression stand in messages as they were written.
func TestWhereMessages(t *testing.T) {
	for src, want := range map[string]string{
		"print(3)":         "unknown name print",
		"1 % 0 == 1":       "integer divide by zero",
		"client.state > 3": "mismatched types string and number",
		"client.colour":    "an endpoint has no field colour",
		"start > duration": "mismatched types time and number",
	} {
		if _, err := ParseWhere(src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", src, err, want)
		}
	}
}

// The caret stands below the place, also where what is before it is longer on a terminal than
// in the expression, and no part of an expression controls the terminal.
func TestWherePointsAtThePlace(t *testing.T) {
	for src, want := range map[string]string{
		`id == nonsense`:            "\n  id == nonsense\n        ^",
		"\"\x1b[2J\" == nonsense":   "\n  \"\\x1b[2J\" == nonsense\n               ^",
		"\"\u6f22\"\t== nonsense":   "\n  \"\u6f22\" == nonsense\n         ^",
		"id ==\n\tnonsense":         "\n   nonsense\n   ^",
		"true matches \"(\x1b[2J\"": "",
	} {
		_, err := ParseWhere(src)
		if err == nil || !strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %q, want %q", src, err, want)
		}
	}
}

// Of a long line what is about the place is shown, with the caret below it.
func TestWhereShowsWhatIsAboutThePlace(t *testing.T) {
	long := strings.Repeat("duration > 1 and ", 1800)
	for _, src := range []string{
		long + "nonsense == 3", "nonsense == 3 and " + long + "true", long + "nonsense == 3 and " + long[:9999] + " 1 < 2",
		"duration > 1 and\n" + long + "nonsense == 3 and\n" + long + "true", "\n\t\"\x1b\u200b\xff\"\t== \"\" or " + long + "\t\tnonsense == \"" + strings.Repeat("\x1b[2J", 999) + "\"",
		"id == 3 or \"" + strings.Repeat("\x1b\xff", 9999) + "\" == nonsense", strings.Repeat("\u6f22", 9999) + "nonsense",
		"nonsense" + strings.Repeat("x", 60_000), long + "nonsense" + strings.Repeat("x", 9999), "id == \"" + strings.Repeat("x", 60_000),
		"client.state == \"" + strings.Repeat("x", 60_000) + "\"", long + "close.kind matches \"(" + strings.Repeat("y", 999) + "\"",
	} {
		_, err := ParseWhere(src)
		var x *ExprError
		if !errors.As(err, &x) || x.Line == 0 {
			t.Errorf("%.20q: %v", src, err)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != 3 {
			t.Errorf("%.20q: %q", src, lines)
			continue
		}
		for i, most := range []int{2 * reasonMost, 2 + excerptMost + 2, 2 + excerptMost + 2} {
			if n := utf8.RuneCountInString(lines[i]); n > most || Printable(lines[i]) != lines[i] {
				t.Errorf("%.20q: a line of %d: %q", src, n, lines[i])
			}
		}
		// What stands above the caret is what is there, as it is printed.
		source := strings.ReplaceAll(strings.Split(src, "\n")[x.Line-1], "\t", " ")
		for range x.Column - 1 {
			_, n := utf8.DecodeRuneInString(source)
			source = source[n:]
		}
		at := string([]rune(lines[1])[min(len([]rune(lines[1])), len([]rune(lines[2]))-1):])
		part, cut := strings.CutSuffix(at, "…")
		if !strings.HasPrefix(Printable(source), part) || !cut && Printable(source) != part || len(part) < min(len(source), 20) {
			t.Errorf("%.20q: above the caret is %q, and not %.50q", src, at, source)
		}
	}
	// What fits is shown whole.
	if _, err := ParseWhere(strings.Repeat(" ", excerptMost-8) + "nonsense"); err == nil || strings.Contains(err.Error(), "…") {
		t.Errorf("%v", err)
	}
}

// An expression that says nothing is told of as such.
func TestWhereEmpty(t *testing.T) {
	for _, src := range []string{"", " ", "\n\t \u00a0\n"} {
		if _, err := ParseWhere(src); err == nil || err.Error() != "the expression is empty" {
			t.Errorf("%q: %v", src, err)
		}
	}
}

// What is written too deep or too long is refused.
func TestWhereLimits(t *testing.T) {
	for _, src := range []string{strings.Repeat("(", 10_000_000), strings.Repeat("!", MaxExpr) + "true", strings.Repeat("[", MaxExpr), "1" + strings.Repeat(" or 1", 15_000)} {
		if w, err := ParseWhere(src); err == nil || w != nil {
			t.Errorf("%.10s...: it compiles", src)
		}
	}
}

// FuzzWhere compiles expressions and asks them of two records: they are understood or
// refused, and answer or say why not.
func FuzzWhere(f *testing.F) {
	for _, src := range []string{
		`client.state == "CLOSE-WAIT" && server.port == 443 && duration > 60`, `"half-open" in findings`, `any(findings, {# startsWith "half"})`,
		`time_wait != nil and time_wait.until - time_wait.since > duration("1s")`, `vlan in 1..100 or handshake.rtt < 0.1`, `start > date("2026-01-01")`,
		`len(map(filter(findings, len(#) > 3), upper(#))) > 0 ? client.port % 7 == 0 : not (close.kind matches "^[a-z]+$")`, `let x = client.packets; x ** 2 > 1e300`,
		`server?.addr contains ":" ?? false`, `$env["id"] == 3`, `client.state[1:3] == "ST"`, `findings[-1] == "x"`, `1 / 0 > 3 || int("x") == 2`, `reduce(findings, #acc + len(#), 0) == 4`,
	} {
		f.Add(src)
	}
	life := tracker.Life{Continues: -1, HandshakeRTT: -1, VLAN: 0xffff, Start: playStart, End: playStart + 1_500_000_081}
	var bare, full Record
	bare.Fill(&life)
	life.Continues, life.HandshakeRTT, life.VLAN, life.TimeWaitBy, life.TimeWaitSince, life.TimeWaitUntil = 3, 1e6, 7, tracker.ByClient, playStart, playStart+60e9
	full.Fill(&life)
	full.Findings = []string{"half-open", "refused"}
	f.Fuzz(func(t *testing.T, src string) {
		// Who writes an expression may have it work for long, or make large texts.
		if len(src) > 500 || strings.Count(src, "(")+strings.Count(src, "{") > 12 {
			return
		}
		for _, word := range []string{"..", "repeat", "replace", "**", "concat"} {
			if strings.Count(src, word) > 1 {
				return
			}
		}
		w, err := ParseWhere(src)
		if err != nil {
			if x, ok := err.(*ExprError); !ok || x.Error() == "" || strings.Contains(x.Error(), "\x1b") {
				t.Fatalf("%T %q", err, err)
			}
			return
		}
		for _, r := range []*Record{&bare, &full} {
			yes, err := w.Match(r)
			again, err2 := w.Clone().Match(r)
			if !strings.Contains(src, "now") && (yes != again || (err == nil) != (err2 == nil)) {
				t.Fatalf("%v (%v), and then %v (%v)", yes, err, again, err2)
			}
		}
	})
}
