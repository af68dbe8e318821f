package tracker

import "math"

// Peak is one count over time: now, at its highest, and how it got there.
type Peak struct {
	Now, Max    int
	At          int64   // when Max was first reached, ns
	Frame       uint64  // the frame that did it
	First, Last int64   // when the first was counted in (see Few), and the latest
	of          *summit // nil where no details are kept
	kept        uint8   // samples of it
	gone        uint8   // of these, those that are not to be shown
	marks       *climb
	usage       *Usage
}

// Sample is a connection that was counted at a peak.
type Sample struct {
	ID          uint64
	Incarnation uint32
	From        uint64 // frame of its SYN; of the FIN, where TIME-WAIT is counted; 0 not seen, or not the holder's
	Frame       uint64 // the frame by which it was counted in
}

// tally is one count of a group. What belongs to its peak is kept apart: most
// groups never count in most of theirs.
type tally struct {
	n, max uint32
	peak   uint32 // index plus one
}

// maxSamples is how many connections prove a peak.
const maxSamples = 5

// peak is what is remembered of one and looked at whenever a connection is counted
// in or out: two of them lie in a line of the cache. The rest is its summit.
type peak struct {
	last  int64
	names [maxSamples]uint32 // of the samples' connections
	gone  uint8              // bits: counted out since, and no sample of a higher peak
	n     uint8              // samples
}

// summit is what only changes with a higher peak.
type summit struct {
	at      int64
	frame   uint64
	first   int64
	beside  uint32             // what the pair's TIME-WAIT counted at the peak
	climb   uint32             // index plus one
	samples [maxSamples]uint32 // index plus one; those from peak.n on are to be used again
}

type sample struct {
	life        uint64
	from, frame uint64
}

// climb remembers when the count first reached each of the latest marks, of
// which eight lie within a doubling: back to about a quarter of the peak.
type climb struct {
	at   [climbLen]int64
	next uint32 // the mark not reached yet
}

const (
	climbLen  = 16
	climbFrom = 32 // the first mark: 16
)

// marks are the counts 2^(i/8), as whole numbers.
var marks = func() (m [8 * 32]uint32) {
	for i := range m {
		m[i] = uint32(math.Ceil(math.Exp2(float64(i) / 8)))
	}
	return m
}()

// less counts a connection out of a tally.
func (u *Usage) less(t *tally, x *gain) {
	if t.n > 0 { // or it was counted in where there was no room
		t.n--
	}
	if t.peak != 0 {
		u.peaks.at(t.peak).leave(x)
	}
}

// count counts a connection in, beside a TIME-WAIT of the same pair, or goes on to
// count it as another life. Details are kept once the tally counts so many.
func (u *Usage) count(t *tally, beside, detail uint32, x *gain) {
	if x.what&gainRenamed != 0 {
		if t.peak != 0 {
			u.peaks.at(t.peak).rename(x)
		}
		return
	}
	t.n++
	higher := t.n > t.max
	t.max = max(t.max, t.n)
	if t.max < detail {
		return
	}
	if t.peak == 0 {
		t.peak = u.summit(x.time)
	}
	p := u.peaks.at(t.peak)
	p.last = max(p.last, x.time) // time may run backwards
	if !higher {
		return
	}
	s := u.summits.at(t.peak)
	s.at, s.frame = x.time, x.frame()
	s.beside = beside
	u.enter(p, s, x)
	if t.max < marks[climbFrom] {
		return
	}
	if s.climb == 0 {
		s.climb = u.climbs.add()
		u.climbs.at(s.climb).next = climbFrom
	}
	c := u.climbs.at(s.climb)
	for c.next < uint32(len(marks)) && t.max >= marks[c.next] {
		c.at[c.next%climbLen] = x.time
		c.next++
	}
}

// summit makes a peak whose first was counted in at a time.
func (u *Usage) summit(first int64) (peak uint32) {
	u.peaks.add()
	peak = u.summits.add()
	u.summits.at(peak).first = first
	return peak
}

// enter takes the one that made a new peak for a sample, and drops those that
// are not counted any more, or the oldest.
func (u *Usage) enter(p *peak, s *summit, x *gain) {
	k := p.n
	if p.gone != 0 {
		k = 0
		for i := range p.n {
			if p.gone>>i&1 == 0 {
				s.swap(p, k, i)
				k++
			}
		}
	}
	if k == maxSamples {
		k--
		oldest := s.samples[0]
		copy(p.names[:], p.names[1:])
		copy(s.samples[:], s.samples[1:])
		s.samples[k] = oldest
	}
	if s.samples[k] == 0 {
		s.samples[k] = u.samples.add()
	}
	p.names[k] = x.name
	*u.samples.at(s.samples[k]) = sample{life: x.life, from: x.began(), frame: x.frame()}
	p.n, p.gone = k+1, 0
}

func (s *summit) swap(p *peak, i, j uint8) {
	p.names[i], p.names[j] = p.names[j], p.names[i]
	s.samples[i], s.samples[j] = s.samples[j], s.samples[i]
}

// leave marks a sample that is counted out. It stays one of the peak that is
// behind.
func (p *peak) leave(x *gain) {
	for i, name := range p.names[:p.n] {
		if name == x.name {
			p.gone |= 1 << i
		}
	}
}

// rename follows a connection whose next life goes on to count.
func (p *peak) rename(x *gain) {
	for i, name := range p.names[:p.n] {
		if name == x.from && p.gone>>i&1 == 0 {
			p.names[i] = x.name
		}
	}
}

// peak makes a tally public.
func (u *Usage) peak(t *tally) Peak {
	out := Peak{Now: int(t.n), Max: int(t.max)}
	if t.peak == 0 {
		if u.current {
			out.currently(nil)
		}
		return out
	}
	p, s := u.peaks.at(t.peak), u.summits.at(t.peak)
	out.At, out.Frame, out.First, out.Last, out.of, out.kept, out.usage = s.at, s.frame, s.first, p.last, s, p.n, u
	if s.climb != 0 {
		out.marks = u.climbs.at(s.climb)
	}
	if u.current {
		out.currently(p)
	}
	return out
}

// Samples are the latest connections to enter, of those counted at the peak.
func (p *Peak) Samples() (all []Sample) {
	if p.of == nil {
		return nil
	}
	for k, i := range p.of.samples[:p.kept] {
		if p.gone>>k&1 != 0 {
			continue
		}
		s := p.usage.samples.at(i)
		id := s.life >> incBits
		if p.usage.resolve != nil {
			id = p.usage.resolve(id)
		}
		all = append(all, Sample{id, uint32(s.life & (1<<incBits - 1)), s.from, s.frame})
	}
	return all
}

// Reached is a time at which the count had first reached at least level, at
// most a tenth more, and when. It looks back to about a quarter of the peak; what came
// before is told as if it had come then.
func (p *Peak) Reached(level int) (reached int, when int64) {
	if p.marks == nil || level >= p.Max {
		return p.Max, p.At
	}
	next := int(p.marks.next)
	for i := max(climbFrom, next-climbLen); i < next; i++ {
		if int(marks[i]) >= level {
			return int(marks[i]), p.marks.at[i%climbLen]
		}
	}
	return p.Max, p.At
}

// Growth is how fast the count rose to its peak, per second, from a given
// share of it on: 0.5 for the upper half. 0 where that cannot be told.
func (p *Peak) Growth(share float64) float64 {
	n, t := p.Reached(int(share * float64(p.Max)))
	if n >= p.Max || p.At <= t {
		return 0
	}
	return float64(p.Max-n) / (float64(p.At-t) / float64(second))
}
