package capture

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// openLoopback opens the loopback interface or says what is lacking.
func openLoopback(t *testing.T, o LiveOptions) Source {
	t.Helper()
	o.Interface = "lo"
	s, err := OpenLive(o)
	var perm *PermissionError
	var no *UnreadableError
	if errors.As(err, &perm) || errors.As(err, &no) {
		lacking(t, "no live capture here: run as root or under unshare -Urn with lo up ("+err.Error()+")")
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLiveWithoutLibpcap(t *testing.T) {
	if haveLibpcap {
		t.Skip("built with libpcap")
	}
	if _, err := OpenLive(LiveOptions{Interface: "lo"}); !errors.Is(err, ErrNoLibpcap) {
		t.Errorf("OpenLive: %v", err)
	}
	if _, err := Interfaces(); !errors.Is(err, ErrNoLibpcap) {
		t.Errorf("Interfaces: %v", err)
	}
}

func TestLive(t *testing.T) {
	if !haveLibpcap {
		t.Skip("built without libpcap")
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	for _, c := range []struct {
		name string
		o    LiveOptions
	}{
		{"kernel-filter", LiveOptions{Selection: Selection{Filter: fmt.Sprintf("tcp port %d", port)}}},
		{"marks", LiveOptions{Selection: Selection{Ports: []uint16{uint16(port)}}, SnapLen: 96, BufferKiB: 512}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Tick = 50 * time.Millisecond
			s := openLoopback(t, c.o)
			defer s.Close()
			var b Batch
			from := time.Now()
			if err := s.Next(&b); err != nil || time.Since(from) > 5*time.Second {
				t.Fatalf("the tick: %v after %v", err, time.Since(from))
			}
			if len(b.Segments) == 0 && (b.Now < from.Add(-time.Second).UnixNano() || b.Now > time.Now().UnixNano()) {
				t.Errorf("now %d", b.Now)
			}
			go func() {
				a, err := net.Dial("tcp4", l.Addr().String())
				if err != nil {
					return
				}
				z, err := l.Accept()
				if err == nil {
					a.Write([]byte("hello"))
					a.Close()
					io.Copy(io.Discard, z)
					z.Close()
				}
			}()
			var syns, fins int
			var octets uint32
			for until := time.Now().Add(10 * time.Second); time.Now().Before(until) && fins < 2; {
				if err := s.Next(&b); err != nil {
					t.Fatal(err)
				}
				for i := range b.Segments {
					g := &b.Segments[i]
					if g.Mark&Unselected != 0 {
						continue
					}
					octets += g.Len
					if g.Has(SYN) {
						syns++
					}
					if g.Has(FIN) {
						fins++
					}
					if d := time.Since(time.Unix(0, g.Time)); d < -time.Second || d > time.Minute {
						t.Errorf("captured %v ago", d)
					}
				}
			}
			if syns < 2 || fins < 2 || octets != 5 {
				t.Errorf("%d SYN, %d FIN, %d octets", syns, fins, octets)
			}
			st := s.Stats()
			if st.TotalBytes != -1 || st.Files[0].Format != "live" || st.Files[0].LinkTypes[0] != "Ethernet" || st.Segments < 7 {
				t.Errorf("%+v", st)
			}
			done := make(chan error)
			go func() {
				for {
					if err := s.Next(&b); err != nil {
						done <- err
						return
					}
				}
			}()
			s.(Stopper).Stop()
			select {
			case err := <-done:
				if err != io.EOF {
					t.Errorf("after Stop: %v", err)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("Stop is not heeded")
			}
		})
	}
}

func TestLiveErrors(t *testing.T) {
	if !haveLibpcap {
		t.Skip("built without libpcap")
	}
	var no *UnreadableError
	var perm *PermissionError
	if _, err := OpenLive(LiveOptions{Interface: "no-such-if0"}); !errors.As(err, &no) && !errors.As(err, &perm) {
		t.Errorf("no interface: %v", err)
	}
	s := openLoopback(t, LiveOptions{MaxPackets: 1})
	s.Close()
	s.Close()
	var b Batch
	if err := s.Next(&b); err != io.EOF {
		t.Errorf("after Close: %v", err)
	}
	s.Stats()
	var fe *FilterError
	if _, err := OpenLive(LiveOptions{Interface: "lo", Selection: Selection{Filter: "tcp prot 5"}}); !errors.As(err, &fe) {
		t.Errorf("bad filter: %v", err)
	}
	is, err := Interfaces()
	if err != nil || len(is) == 0 {
		t.Errorf("interfaces: %v %v", is, err)
	}
}

func TestInterfaceString(t *testing.T) {
	i := Interface{Name: "eth0", Description: "first", Up: true, Loopback: true}
	if got := i.String(); got != "eth0 (first) [Up, Loopback]" {
		t.Error(got)
	}
}
