package tracker

// alarm is one connection's next timer.
type alarm struct {
	due  int64
	id   uint64
	slot uint32
}

func (a alarm) before(b alarm) bool { return a.due < b.due || a.due == b.due && a.id < b.id }

// alarms is a binary heap of alarms, the earliest first. container/heap would
// cost an interface call and an allocation for each.
type alarms []alarm

func (h *alarms) push(a alarm) {
	*h = append(*h, a)
	q := *h
	i := len(q) - 1
	for i > 0 {
		p := (i - 1) / 2
		if !q[i].before(q[p]) {
			break
		}
		q[i], q[p] = q[p], q[i]
		i = p
	}
}

func (h *alarms) pop() alarm {
	q := *h
	top := q[0]
	n := len(q) - 1
	q[0] = q[n]
	q = q[:n]
	i := 0
	for {
		l := 2*i + 1
		if l >= n {
			break
		}
		if r := l + 1; r < n && q[r].before(q[l]) {
			l = r
		}
		if !q[l].before(q[i]) {
			break
		}
		q[i], q[l] = q[l], q[i]
		i = l
	}
	*h = q
	return top
}
