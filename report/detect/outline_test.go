package detect

import (
	"testing"

	"tcpstate/capture"
	"tcpstate/tracker"
)

// An outline names the events of the life itself, by what they are to its RSTs.
func TestOutline(t *testing.T) {
	ev := []tracker.Event{
		{From: 0, Flags: capture.ACK, Len: 9, What: tracker.Earlier},
		{From: 0, Flags: capture.SYN},
		{From: 1, Flags: capture.SYN | capture.ACK},
		{From: 0, Flags: capture.ACK},
		{From: 0, Flags: capture.ACK, Len: 100}, // 4: payload
		{From: 1, Flags: capture.ACK | capture.FIN},
		{From: 1, Flags: capture.RST},                                                // 6: neither meant nor taken
		{From: 0, Flags: capture.RST | capture.ACK, What: tracker.Own | tracker.Odd}, // none
		{From: 0, Flags: capture.ACK, Len: 100, What: tracker.Quoted},
		{From: 1, Flags: capture.RST, What: tracker.Took},                // 9: ends it
		{From: 0, Flags: capture.RST | capture.ACK, What: tracker.Own},   // 10: is meant
		{From: 0, Flags: capture.ACK, Len: 100},                          // goes on
		{From: 1, Flags: capture.SYN | capture.ACK, What: tracker.Holed}, // speaks
	}
	want := outline{ending: 9, meant: 10, fin: 5, payload: 4, before: [2]int16{4, 6}, reset: [2]int16{10, 6},
		resets: [2]uint8{1, 2}, bare: [2]uint8{0, 2}, goesOn: [2]bool{true, false}, spoke: true}
	got := outline{ending: 3, resets: [2]uint8{7, 7}, doubtful: true}
	got.draw(ev)
	if got != want {
		t.Errorf("%+v\nnot %+v", got, want)
	}
	got.draw(ev[:6])
	if none := (outline{ending: -1, meant: -1, fin: 5, payload: 4, before: [2]int16{4, 5}, reset: [2]int16{-1, -1}}); got != none {
		t.Errorf("without RST: %+v\nnot %+v", got, none)
	}
	ev = []tracker.Event{{From: 1, Flags: capture.RST, Reset: tracker.ResetInexact}}
	if got.draw(ev); !got.doubtful {
		t.Error("an inexact RST that nobody took may have been challenged")
	}
}
