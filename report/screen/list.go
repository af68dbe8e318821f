package screen

// list is where one is in a list that changes: it stays with what it is at, not with
// the place, but for the first place.
type list[K comparable] struct {
	at, top int // the one that keys act on, and the first shown
	key     K   // of the one
	room    int // rows shown at the last look
}

// follow finds the place again after the list changed.
func (l *list[K]) follow(n int, key func(int) K) {
	if l.at > 0 && (l.at >= n || key(l.at) != l.key) {
		for i := range n {
			if key(i) == l.key {
				l.at = i
				break
			}
		}
	}
	l.move(0, n, key)
}

// move goes by some rows, as far as there are any.
func (l *list[K]) move(by, n int, key func(int) K) {
	l.at = max(min(l.at+by, n-1), 0)
	if l.at < n {
		l.key = key(l.at)
	}
}

// window is what is shown in room rows: from, to.
func (l *list[K]) window(n, room int) (from, to int) {
	l.room = max(room, 0)
	l.top = scroll(l.top, n, l.room)
	if l.at < l.top {
		l.top = l.at
	}
	if l.room > 0 && l.at >= l.top+l.room {
		l.top = l.at - l.room + 1
	}
	return l.top, min(l.top+l.room, n)
}

// scroll keeps the first row shown such that no room is wasted.
func scroll(top, n, room int) int { return max(min(top, n-room), 0) }
