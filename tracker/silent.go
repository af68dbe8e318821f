package tracker

import "tcpstate/capture"

// Silent is a life of one SYN that nobody answered, without all that is the same of
// any such life: there may be millions, told of one right after the other.
type Silent struct {
	ID        uint64
	Key       capture.Key
	Client    uint8 // side of Key
	Time      int64 // of the SYN
	Frame     uint64
	Now       int64 // packet time at which it is told of
	Signs     Sign
	TSVal     uint32 // with Opts&capture.OptTS
	MSS, VLAN uint16
	Opts      uint8
	WScale    uint8
	TTL       uint8
	Alike     *Life // the life, but for what stands above
}

// Life says all of it in l.
func (s *Silent) Life(l *Life) {
	*l = *s.Alike
	l.ID, l.Key, l.Client, l.Start, l.End, l.FirstFrame, l.LastFrame, l.VLAN = s.ID, s.Key, s.Client, s.Time, s.Time, s.Frame, s.Frame, s.VLAN
	l.Ends[Client].Addr, l.Ends[Server].Addr = s.Key.End(s.Client), s.Key.End(s.Client^1)
	a := &l.Ends[Client]
	if a.TTL, a.MSS = s.TTL, 0; s.Opts&capture.OptMSS != 0 {
		a.MSS = s.MSS
	}
	if s.Opts&capture.OptWScale != 0 {
		a.WScale = int8(min(s.WScale, 14))
	}
}

// Case makes c its case, of the life l, with no trail.
func (s *Silent) Case(c *Case, l *Life) {
	c.Life, c.Signs, c.Now, c.Idle, c.IdleFrames, c.FinAt, c.Ends = l, s.Signs, s.Now, 0, [2]uint64{}, 0, [2]Account{}
	c.Trail.Events, c.Trail.Quotes, c.Trail.Missing = c.Trail.Events[:0], c.Trail.Quotes[:0], 0
	a := &c.Ends[Client]
	a.Segments, a.LastAt, a.LastFrame, a.TTL, a.TTLSeen, a.SynOpts, a.SynTSVal = 1, s.Time, s.Frame, s.TTL, 1, s.Opts, s.TSVal
	if s.Opts&capture.OptTS != 0 {
		a.HasTS, a.MaxTSVal = true, s.TSVal
	}
}

// hear makes t.quiet the life of x, which is like others.
func (t *Tracker) hear(o *alike, x *embryo) {
	s := &t.quiet
	t.table.putKey(&s.Key, &x.name, x.v6)
	s.ID, s.Client, s.Time, s.Frame, s.Now = x.id, x.side, x.time, x.frame, t.now
	s.TSVal, s.MSS, s.VLAN, s.Opts, s.WScale, s.TTL, s.Alike = x.tsVal, x.mss, x.vlan, x.opts, x.wScale, x.ttl, &o.life
	if s.Signs = o.signs | SignBare; x.opts&(capture.OptWScale|capture.OptSACKOK) != 0 {
		s.Signs |= SignOpening // see opening
	}
}

// tellSilent tells o of t.quiet, the life of x: its case, the life itself, or both.
func (t *Tracker) tellSilent(x *embryo, asCase, asLife bool, o *Observer) {
	s, l := &t.quiet, &t.last
	filled := false
	if asCase && o.Case != nil {
		if o.SilentCase != nil {
			o.SilentCase(s)
		} else {
			s.Life(l)
			filled = true
			c := &t.told
			s.Case(c, l)
			if p := &t.trails; p.trailFor == 0 || c.Signs&p.trailFor != 0 {
				c.Trail.Events = append(c.Trail.Events, x.event())
			}
			o.Case(c)
		}
	}
	if asLife && o.Life != nil {
		if o.SilentLife != nil {
			o.SilentLife(s)
			return
		}
		if !filled {
			s.Life(l)
		}
		o.Life(l)
	}
}

// tellEmbryo tells o of an embryo that is left when the capture ends: its case, or the
// life itself. It reports whether it could.
func (t *Tracker) tellEmbryo(x *embryo, asCase bool, o *Observer) bool {
	if !t.draws || t.obs.Zeek {
		return false
	}
	a := t.waiting.of(x)
	if a.shape == 0 {
		slot := t.gestate(x, 0)
		e := t.table.at(slot)
		a.shape, a.life = 1, t.life(e)
		a.signs = SignLife | e.conn.signs(&a.life)
		t.release(slot)
	}
	t.hear(a, x)
	t.tellSilent(x, asCase, !asCase, o)
	return true
}
