package detect

import (
	"slices"
	"testing"
)

func TestDoubtWords(t *testing.T) {
	for d := FlagsOnly; d <= Offloaded; d <<= 1 {
		if r := d.Reasons(); len(r) != 1 || r[0] == "" || d.words() != r[0] {
			t.Errorf("doubt %b: %q, %q", d, r, d.words())
		}
	}
	if d := Missed | Late; len(d.Reasons()) != 2 || d.words() != Missed.words() {
		t.Errorf("two doubts: %q", d.Reasons())
	}
	if d := Doubt(0); d.Reasons() != nil || d.words() != "" {
		t.Errorf("no doubt: %q", d.Reasons())
	}
}

// What rests on segments without SYN, FIN and RST is not raised where a filter
// kept them out.
func TestFlagsOnlyWithholds(t *testing.T) {
	for _, id := range []string{"syn-flood", "accept-queue-overflow", "half-open", "fin-unacked", "close-wait-buildup"} {
		if d := Find(id); d != nil && d.Withheld&FlagsOnly == 0 {
			t.Errorf("%s is not withheld", id)
		}
	}
	if CaptureQuality.Withheld|CaptureQuality.Lowered != 0 || slices.ContainsFunc(Catalogue, func(d *Detector) bool {
		return slices.Contains(d.Swallows, CaptureQuality.ID)
	}) {
		t.Error("capture-quality is withheld, lowered or swallowed")
	}
}
