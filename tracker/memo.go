package tracker

// What may become context of the next life on the tuple: the latest segments
// of both sides and the latest with payload, on a strip of their own that begins
// with their number.

// maxCarry is how many there are at most.
const maxCarry = 4

// carry writes them down. It returns the strip's head, 0 where there are none.
func (p *trails) carry(ev []Event) (head uint32) {
	if len(ev) == 0 {
		return 0
	}
	var b [1 + maxCarry*maxEvent]byte
	n := record(b[:], p.epoch, ev)
	var tail uint32
	var fill uint8
	return p.leaves.write(&tail, &fill, b[:n])
}

// record writes events to b, beginning with their number, and returns how many
// octets that took.
func record(b []byte, epoch int64, ev []Event) int {
	b[0] = uint8(len(ev))
	k, n := pen{at: epoch}, 1
	for i := range ev {
		ev[i].What &^= Context // it will be again, or nothing
		n += k.put((*[maxEvent]byte)(b[n:]), &ev[i], 0)
	}
	return n
}

// recall reads what carry wrote, and returns how many events there are.
func (p *trails) recall(carry uint32, ev []Event) int {
	if carry == 0 {
		return 0
	}
	p.octets = p.leaves.read(p.octets[:0], carry)
	return recalled(p.octets, p.epoch, ev)
}

func recalled(b []byte, epoch int64, ev []Event) int {
	n := int(b[0])
	k, b := pen{at: epoch}, b[1:]
	for i := range ev[:n] {
		_, size := k.get(b, &ev[i])
		b = b[size:]
	}
	return n
}
