package tracker

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"tcpstate/reassembly"
)

// eventOctets is how many octets make any event.
const eventOctets = 64

// eventOf makes an event of any octets.
func eventOf(b []byte) Event {
	u4, u2 := binary.LittleEndian.Uint32, binary.LittleEndian.Uint16
	return Event{Time: int64(binary.LittleEndian.Uint64(b)), Frame: binary.LittleEndian.Uint64(b[8:]),
		Seq: u4(b[16:]), Ack: u4(b[20:]), Len: u4(b[24:]), TSVal: u4(b[28:]), TSEcr: u4(b[32:]), Quote: u4(b[36:]), Idle: u4(b[40:]),
		Window: u2(b[44:]), IPID: u2(b[46:]), From: b[48] & 1, Flags: b[49], TTL: b[50], Opts: b[51], WScale: b[52],
		Class: reassembly.Class(b[53]), Reset: ResetClass(b[54]), What: What(u2(b[55:])),
		before: [2]step8{step8(b[57]), step8(b[58])}, after: [2]step8{step8(b[59]), step8(b[60])}}
}

// checkPen writes events on a strip and reads them again.
func checkPen(t *testing.T, events []Event) {
	t.Helper()
	var l leaves
	var w, r pen
	var fill uint8
	var head uint32
	var b [maxEvent]byte
	for i := range events {
		n := w.put(&b, &events[i], uint8(i&3))
		if n+8 > maxEvent {
			t.Fatalf("%d octets for %+v", n, events[i])
		}
		if h := l.write(&w.tail, &fill, b[:n]); h != 0 {
			head = h
		}
	}
	octets := l.read(nil, head)
	for i := range events {
		var got Event
		how, n := r.get(octets, &got)
		if got != events[i] || how != uint8(i&3) {
			t.Fatalf("event %d is\n%+v, written\n%+v", i, got, events[i])
		}
		octets = octets[n:]
	}
	if r.tail = w.tail; r != w {
		t.Fatalf("the reader expects %+v, the writer %+v", r, w)
	}
}

// Whatever an event is, it is read as it was written.
func FuzzPen(f *testing.F) {
	f.Add(make([]byte, 3*eventOctets))
	for seed := range uint64(4) {
		f.Add(randomEvents(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var events []Event
		for ; len(data) >= eventOctets && len(events) < 200; data = data[eventOctets:] {
			events = append(events, eventOf(data))
		}
		checkPen(t, events)
	})
}

// randomEvents are octets for eventOf, many of them as in the event before.
func randomEvents(seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 2))
	var b [eventOctets]byte
	var data []byte
	for range 40 {
		for range rng.IntN(12) {
			i := rng.IntN(eventOctets)
			switch rng.IntN(4) {
			case 0:
				b[i] = uint8(rng.Uint32())
			case 1:
				b[i] = 0
			case 2:
				b[i] = 0xff
			default:
				b[i]++
			}
		}
		data = append(data, b[:]...)
	}
	return data
}

func TestPen(t *testing.T) {
	for seed := range uint64(2000) {
		data := randomEvents(seed)
		var events []Event
		for ; len(data) > 0; data = data[eventOctets:] {
			events = append(events, eventOf(data))
		}
		checkPen(t, events)
	}
}
