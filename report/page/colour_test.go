package page

import (
	"math"
	"regexp"
	"strconv"
	"testing"
)

// rgb is a colour in linear light, 0 to 1.
type rgb [3]float64

// colours reads the variables of page.css: in light and dark.
func colours(t *testing.T) map[string][2]rgb {
	t.Helper()
	m := make(map[string][2]rgb)
	for _, v := range regexp.MustCompile(`--(\w+): light-dark\(#(\w{6}), #(\w{6})\);`).FindAllStringSubmatch(style, -1) {
		m[v[1]] = [2]rgb{readColour(t, v[2]), readColour(t, v[3])}
	}
	if len(m) < 20 {
		t.Fatalf("%d colours in the style", len(m))
	}
	return m
}

// readColour decodes sRGB (IEC 61966-2-1).
func readColour(t *testing.T, hex string) (c rgb) {
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	for i := range c {
		v := float64(n>>(16-8*i)&255) / 255
		if c[i] = v / 12.92; v > 0.04045 {
			c[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return c
}

// contrast is the ratio of WCAG 2.2.
func contrast(a, b rgb) float64 {
	l := func(c rgb) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] + 0.05 }
	return max(l(a), l(b)) / min(l(a), l(b))
}

func TestContrast(t *testing.T) {
	m := colours(t)
	check := func(front, back string, least float64) {
		t.Helper()
		for i, look := range [...]string{"light", "dark"} {
			if c := contrast(m[front][i], m[back][i]); c < least {
				t.Errorf("%s on %s, %s: contrast of %.2f, want %.1f", front, back, look, c, least)
			}
		}
	}
	for _, front := range []string{"text", "dim", "link", "error", "warning", "remark"} {
		check(front, "bg", 4.5)
		check(front, "raised", 4.5)
	}
	check("text", "marked", 4.5)
	check("warning", "marked", 3)
	check("frame", "bg", 3)
	check("sx", "bg", 3)
	for i := range stateNames {
		check("s"+strconv.Itoa(i), "bg", 3)
	}
}

// views are what of a colour the colour-blind see: Machado, Oliveira and Fernandes, "A
// Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), severity 1.
var views = map[string][9]float64{
	"all colours":  {1, 0, 0, 0, 1, 0, 0, 0, 1},
	"protanopia":   {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998},
	"deuteranopia": {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881},
	"tritanopia":   {1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900},
}

// perceived is c in the space OKLab (Ottosson, 2020) as seen through m.
func perceived(m [9]float64, c rgb) [3]float64 {
	var v rgb
	for i := range v {
		v[i] = min(max(m[3*i]*c[0]+m[3*i+1]*c[1]+m[3*i+2]*c[2], 0), 1)
	}
	l := math.Cbrt(0.4122214708*v[0] + 0.5363325363*v[1] + 0.0514459929*v[2])
	a := math.Cbrt(0.2119034982*v[0] + 0.6806995451*v[1] + 0.1073969566*v[2])
	s := math.Cbrt(0.0883024619*v[0] + 0.2817188376*v[1] + 0.6299787005*v[2])
	return [3]float64{0.2104542553*l + 0.793617785*a - 0.0040720468*s, 1.9779984951*l - 2.428592205*a + 0.4505937099*s, 0.0259040371*l + 0.7827717662*a - 0.808675766*s}
}

// Any two states can be told apart by their colours alone, by anybody: 0.02 is what can
// just be told when both are side by side.
func TestStatesCanBeToldApart(t *testing.T) {
	m := colours(t)
	for name, view := range views {
		for look := range 2 {
			for i := range stateNames {
				for j := range i {
					a, b := perceived(view, m["s"+strconv.Itoa(i)][look]), perceived(view, m["s"+strconv.Itoa(j)][look])
					if d := math.Hypot(math.Hypot(a[0]-b[0], a[1]-b[1]), a[2]-b[2]); d < 0.08 {
						t.Errorf("%s and %s with %s, look %d: %.3f apart", stateNames[i], stateNames[j], name, look, d)
					}
				}
			}
		}
	}
}

// No two states have the same kind of line.
func TestLinesDiffer(t *testing.T) {
	seen := make(map[string]string)
	for _, v := range regexp.MustCompile(`\.(s\w+) \{ --c: var\(--(s\w+)\); --d: ([^;]+); \}`).FindAllStringSubmatch(style, -1) {
		if v[1] != v[2] {
			t.Errorf("class %s has the colour of %s", v[1], v[2])
		}
		if seen[v[3]] != "" {
			t.Errorf("%s and %s have the same line", seen[v[3]], v[1])
		}
		seen[v[3]] = v[1]
	}
	if len(seen) != len(stateNames)+1 {
		t.Errorf("%d kinds of line", len(seen))
	}
}
