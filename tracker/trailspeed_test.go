package tracker

import (
	"testing"
	"unsafe"

	"tcpstate/capture"
	"tcpstate/reassembly"
)

// spoken is one connection's segments, each with what write and prior are
// given of it: the connection as the segment left it.
type spoken struct {
	seg   capture.Segment
	conn  Conn
	class reassembly.Class
}

// speak applies segments to a connection and keeps every state of it.
func speak(segs []capture.Segment) []spoken {
	cfg := DefaultConfig()
	k := sink{cfg: &cfg}
	c := Conn{Key: segs[0].Key}
	all := make([]spoken, len(segs))
	for i := range segs {
		class := c.apply(&k, &segs[i])
		all[i] = spoken{segs[i], c, class}
	}
	return all
}

// BenchmarkWrite is what the notebook costs beside the inference: a segment of
// an established connection, and a whole short life with its telling.
func BenchmarkWrite(b *testing.B) {
	b.Run("established", func(b *testing.B) {
		all := speak(talk(1, 100))
		tr := New(DefaultConfig(), Observer{Case: func(*Case) {}})
		n := tr.books.at(0)
		for i := range all[:len(all)-7] {
			s := &all[i]
			was := s.conn.prior(&s.seg)
			tr.write(n, &s.conn, &s.seg, s.class, &was)
		}
		round := all[len(all)-7 : len(all)-3] // data, its acknowledgment, and the same of the peer
		b.ReportAllocs()
		i := 0
		for range b.N {
			s := &round[i&3]
			s.seg.Frame += 4
			s.seg.Time += 4000
			was := s.conn.prior(&s.seg)
			tr.write(n, &s.conn, &s.seg, s.class, &was)
			i++
		}
	})
	b.Run("life", func(b *testing.B) {
		all := speak(talk(1, 1))
		tr := New(DefaultConfig(), Observer{Case: func(*Case) {}})
		n := tr.books.at(0)
		e := &entry{conn: all[len(all)-1].conn}
		l := e.conn.Life()
		b.ReportAllocs()
		for b.Loop() {
			for i := range all {
				s := &all[i]
				was := s.conn.prior(&s.seg)
				tr.write(n, &s.conn, &s.seg, s.class, &was)
			}
			tr.tell(&l, e, 0)
			n.clear(&tr.trails)
		}
	})
}

func TestNotebookSizes(t *testing.T) {
	for _, s := range []struct {
		name      string
		got, want uintptr
	}{
		{"notebook", unsafe.Sizeof(notebook{}), 64},
		{"dossier", unsafe.Sizeof(dossier{}), 848},
		{"rare", unsafe.Sizeof(rare{}), 384},
		{"leaf", unsafe.Sizeof(leaf{}), 64},
	} {
		if s.got != s.want {
			t.Errorf("a %s has %d octets, not %d", s.name, s.got, s.want)
		}
	}
}
