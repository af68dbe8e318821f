package tracker

// alarms hold what is due when, or at which frame: a calendar of days, of which
// only the present one is kept in order. Most alarms are overtaken by events
// before their day comes (a SYN is answered), and then were never sorted.
//
// An alarm only names whom it concerns. Who is named knows when it is due, and
// an alarm that does not fit what it says any more is dropped.
type alarms struct {
	shift   uint
	today   uint64
	count   int // in days
	days    [calendarDays]uint32
	agendas pool[agenda]
	now     alarmHeap // due today, or before
	far     alarmHeap // beyond the calendar
	touched int64
}

// calendarDays is how many days the calendar has: with days of 8 ms, over a
// minute (TIME-WAIT).
const calendarDays = 8192

// agenda is a part of what is due on a day.
type agenda struct {
	refs [14]ref
	n    uint32
	next uint32 // index plus one
}

// day turns times into days that do not wrap where time is before 1970.
func (a *alarms) day(due int64) uint64 { return (uint64(due) + 1<<63) >> a.shift }

// add notes that r is due.
func (a *alarms) add(due int64, id uint64, r ref) {
	d := a.day(due)
	switch {
	case d <= a.today:
		a.now.push(alarm{due, id, r})
		return
	case d-a.today >= calendarDays:
		a.far.push(alarm{due, id, r})
		return
	}
	head := &a.days[d%calendarDays]
	if *head == 0 || a.agendas.at(*head-1).n == uint32(len(agenda{}.refs)) {
		i := a.agendas.take()
		a.agendas.at(i).next = *head
		*head = i + 1
	}
	p := a.agendas.at(*head - 1)
	p.refs[p.n] = r
	p.n++
	a.count++
}

// next is a time before which nothing is due.
func (a *alarms) next() int64 {
	end := int64((a.today+1)<<a.shift - 1<<63)
	if len(a.now) > 0 && a.now[0].due < end {
		return a.now[0].due
	}
	return end
}

// turn makes the day of now the present one. due tells when whoever was named
// on a day is due, and its id; not ok if it is not waiting any more.
func (a *alarms) turn(now int64, due func(ref) (at int64, id uint64, ok bool)) {
	for d := a.day(now); a.today < d; {
		next := a.today + 1
		if a.count == 0 { // nothing until then: decades may lie between
			next = d
			if len(a.far) > 0 {
				next = min(d, max(a.today+1, a.day(a.far[0].due)))
			}
		}
		a.today = next
		for len(a.far) > 0 && a.day(a.far[0].due) <= a.today {
			a.now.push(a.far.pop())
		}
		head := &a.days[a.today%calendarDays]
		for *head != 0 {
			i := *head - 1
			p := a.agendas.at(i)
			for _, r := range p.refs[:p.n] { // what they name is far away: fetched together
				at, _, _ := due(r)
				a.touched += at
			}
			for _, r := range p.refs[:p.n] {
				if at, id, ok := due(r); ok && a.day(at) == a.today {
					a.now.push(alarm{at, id, r})
				}
			}
			a.count -= int(p.n)
			*head = p.next
			a.agendas.put(i)
		}
	}
}

// alarm is one in order.
type alarm struct {
	due int64
	id  uint64
	ref ref
}

func (a alarm) before(b alarm) bool { return a.due < b.due || a.due == b.due && a.id < b.id }

// alarmHeap is a binary heap of alarms, the earliest first. container/heap would
// cost an interface call and an allocation for each.
type alarmHeap []alarm

func (h *alarmHeap) push(a alarm) {
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

func (h *alarmHeap) pop() alarm {
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
