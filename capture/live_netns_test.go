//go:build linux && cgo && !nolibpcap

package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// count is the numbers from lo to hi.
func count(lo, hi uint32) (l []uint32) {
	for ; lo <= hi; lo++ {
		l = append(l, lo)
	}
	return l
}

// An interface that goes down is waited for, and its frames are numbered on.
func TestLiveInterfaceDown(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	pair(t)
	s, out := mustOpen(t, LiveOptions{Interface: "far"}), sendFrom(t, "near")
	if l := s.Stats().Link; l != (Link{State: LinkUp, Since: l.Since}) || l.Since == 0 {
		t.Fatalf("at the start %+v", l)
	}
	for round := range 3 {
		out.send(5, 0)
		lo := uint32(5*round + 1)
		if got, err := receive(t, s, 5); err != nil || !slices.Equal(got, count(lo, lo+4)) {
			t.Fatalf("%v %v", got, err)
		}
		out.send(2, 0)
		out.sent -= 2 // they come before the interface goes down, or are lost with it
		ip(t, "link set far down")
		await(t, s, LinkDown)
		ip(t, "link set far up")
		await(t, s, LinkUp)
	}
	ip(t, "link set near down")
	await(t, s, LinkNoCarrier)
	st := s.Stats()
	if st.Link.Changes != 7 || st.Packets < 15 || st.Packets > 21 || st.Packets != st.Segments {
		t.Errorf("%d packets, %+v", st.Packets, st.Link)
	}
}

// An interface that is removed ends the capture once its last frames are read.
func TestLiveInterfaceVanishes(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	for name, remove := range map[string]func(t *testing.T){
		"removed": func(t *testing.T) { ip(t, "link del far") },
		"moved": func(t *testing.T) {
			c := exec.Command("sleep", "60")
			c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Process.Kill(); c.Wait() })
			if out, err := exec.Command("ip", "link", "set", "far", "netns", strconv.Itoa(c.Process.Pid)).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
		},
	} {
		pair(t)
		s, out := mustOpen(t, LiveOptions{Interface: "far"}), sendFrom(t, "near")
		all := mustOpen(t, LiveOptions{Interface: "any", Selection: Selection{Filter: "tcp port 80"}})
		out.send(7, 0)
		remove(t)
		got, err := receive(t, s, 100)
		var gone *UnreadableError
		if !slices.Equal(got, count(1, 7)) || !errors.As(err, &gone) || err.Error() != "far: the interface vanished" {
			t.Errorf("%s: %v %v", name, got, err)
		}
		if st := s.Stats(); st.Link.State != LinkGone || st.Packets != 7 {
			t.Errorf("%s: %+v", name, st)
		}
		// To who listens everywhere it is nothing.
		if got, err := receive(t, all, 7); err != nil || len(got) < 7 {
			t.Errorf("%s: any: %v %v", name, got, err)
		}
		ip(t, "link add other type veth peer name other2")
		var b Batch
		for range 3 {
			if err := all.Next(&b); err != nil {
				t.Errorf("%s: any: %v", name, err)
			}
		}
		if l := all.Stats().Link; l != (Link{}) {
			t.Errorf("%s: any is %+v", name, l)
		}
		ip(t, "link del other")
		exec.Command("ip", "link", "del", "near").Run() // where it is left
	}
}

// Times are the system's, in nanoseconds.
func TestLiveTimes(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	pair(t)
	s, out := mustOpen(t, LiveOptions{Interface: "far"}), sendFrom(t, "near")
	from := time.Now().UnixNano()
	out.send(200, 0)
	to := time.Now().UnixNano()
	var b Batch
	fine := 0
	for n := 0; n < 200; n += len(b.Segments) {
		if err := s.Next(&b); err != nil {
			t.Fatal(err)
		}
		for _, g := range b.Segments {
			if g.Time < from || g.Time > to {
				t.Errorf("%d is not between %d and %d", g.Time, from, to)
			}
			if g.Time%1000 != 0 {
				fine++
			}
		}
	}
	if fine < 100 {
		t.Errorf("%d of 200 times are finer than microseconds", fine)
	}
}

// A trickle does not keep Next from returning: where the clock is read after so
// many frames alone, or after a turn without any, batches are of 64.
func TestLiveTickInATrickle(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	pair(t)
	s, out := mustOpen(t, LiveOptions{Interface: "far"}), sendFrom(t, "near")
	stop := make(chan bool)
	go func() {
		for {
			select {
			case <-stop:
				close(stop)
				return
			case <-time.After(20 * time.Millisecond):
				out.send(1, 0)
			}
		}
	}()
	var b Batch
	short := 0
	for until := time.Now().Add(20 * time.Second); short < 5 && time.Now().Before(until); {
		if err := s.Next(&b); err != nil {
			t.Fatal(err)
		}
		if n := len(b.Segments); n > 0 && n < 40 {
			short++
		}
	}
	stop <- true
	<-stop
	if short < 5 {
		t.Errorf("%d batches by the tick in 20 s", short)
	}
}

// What was captured before Stop is still delivered, and what comes later not.
func TestLiveStop(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	pair(t)
	s, out := mustOpen(t, LiveOptions{Interface: "far"}), sendFrom(t, "near")
	out.send(3000, 0)
	s.(Stopper).Stop()
	got, err := receive(t, s, 10000)
	lost := int(cableLoss(t)) // what a busy machine loses on the cable was never captured
	if err != io.EOF || len(got)+lost != 3000 || lost == 0 && !slices.Equal(got, count(1, 3000)) {
		t.Errorf("%d segments and %d lost on the cable, %v", len(got), lost, err)
	}
	s = mustOpen(t, LiveOptions{Interface: "far"})
	stop := make(chan bool)
	go func() {
		for {
			select {
			case <-stop:
				close(stop)
				return
			default:
				out.send(100, 0)
			}
		}
	}()
	if _, err := receive(t, s, 1000); err != nil {
		t.Fatal(err)
	}
	s.(Stopper).Stop()
	if _, err := receive(t, s, 1<<30); err != io.EOF {
		t.Errorf("in a flood: %v", err)
	}
	stop <- true
	<-stop
	s = mustOpen(t, LiveOptions{Interface: "far", MaxPackets: 4})
	out.send(9, 0)
	if got, err := receive(t, s, 9); err != io.EOF || len(got) != 4 || s.Stats().Packets != 4 {
		t.Errorf("-c 4: %v %v", got, err)
	}
}

// The kernel keeps of each frame only what is wanted of it, with and without an
// expression: 6 MB of frames go into 2 MiB.
func TestLiveSnapLength(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	pair(t)
	for _, filter := range []string{"", "tcp"} {
		for try := 1; ; try++ {
			dropped, slow := captureCut(t, filter)
			if dropped == 0 {
				break
			}
			// At each tick the kernel hands over a block of the buffer, however little is
			// in it: where a busy machine sends for many ticks, blocks run out.
			if !slow || try == 20 {
				t.Errorf("filter %q: %d dropped", filter, dropped)
				break
			}
		}
	}
}

// captureCut sends 4000 frames of 1400 octets of data, takes them from a buffer of 2 MiB
// with 96 octets each, and says how many the kernel dropped and whether sending was slow.
func captureCut(t *testing.T, filter string) (dropped uint64, slow bool) {
	t.Helper()
	s, err := OpenLive(LiveOptions{Interface: "far", SnapLen: 96, BufferKiB: 2048, Selection: Selection{Filter: filter}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	lost := cableLoss(t)
	out, start := sendFrom(t, "near"), time.Now()
	out.send(4000, 1400)
	slow = time.Since(start) > 200*time.Millisecond
	lost = cableLoss(t) - lost
	var b Batch
	for n := lost; n < 4000; n += uint64(len(b.Segments)) {
		if err := s.Next(&b); err != nil {
			t.Fatal(err)
		}
		if len(b.Segments) == 0 && s.Stats().Dropped > 0 {
			break
		}
		for _, g := range b.Segments {
			if g.Len != 1400 {
				t.Fatalf("%d octets of data", g.Len)
			}
		}
	}
	s.Close()
	return s.Stats().Dropped, slow
}

// What the kernel drops is counted, all of it, and the count never shrinks.
func TestLiveDrops(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	pair(t)
	s, out := mustOpen(t, LiveOptions{Interface: "far", BufferKiB: 512, SnapLen: 1 << 16}), sendFrom(t, "near")
	var last uint64
	for range 3 {
		out.send(3000, 1400)
		s.(*liveSource).asked = time.Time{}
		d := s.Stats().Dropped
		if d <= last {
			t.Errorf("%d dropped after %d", d, last)
		}
		last = d
		if _, err := receive(t, s, 100); err != nil {
			t.Fatal(err)
		}
	}
	s.(Stopper).Stop()
	for {
		if _, err := receive(t, s, 1<<20); err != nil {
			break
		}
	}
	// What a busy machine loses on the cable never comes to the interface.
	st := s.Stats()
	if n := st.Packets + st.Dropped; n > 9000 || n+cableLoss(t) < 9000 {
		t.Errorf("%d captured and %d dropped of 9000, of which the cable lost %d", st.Packets, st.Dropped, cableLoss(t))
	}
}

// cableLoss is how many frames were lost between near and far.
func cableLoss(t *testing.T) (n uint64) {
	t.Helper()
	out, err := exec.Command("ip", "-j", "-s", "link").Output()
	if err != nil {
		t.Fatal(err)
	}
	type dir struct{ Dropped uint64 }
	var all []struct {
		Name  string               `json:"ifname"`
		Stats struct{ RX, TX dir } `json:"stats64"`
	}
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if l.Name == "near" || l.Name == "far" {
			n += l.Stats.RX.Dropped + l.Stats.TX.Dropped
		}
	}
	return n
}

// A tag that the network card takes off is put back by libpcap.
func TestLiveVLAN(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	pair(t)
	for _, i := range []string{"far", "any"} {
		s, err := OpenLive(LiveOptions{Interface: i})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		// On its way in the kernel takes the tag off, as a card does.
		f := eth(etherVLAN, vlan(7, etherIPv4, ip4("10.0.0.1", "10.0.0.2", protoTCP, plainSeg.bytes())))
		out := sendFrom(t, "near")
		if err := unix.Sendto(out.fd, f, 0, &out.to); err != nil {
			t.Fatal(err)
		}
		var b Batch
		ids := map[uint16]int{}
		for until := time.Now().Add(20 * time.Second); ids[7] == 0 && time.Now().Before(until); {
			if err := s.Next(&b); err != nil {
				t.Fatal(err)
			}
			for _, g := range b.Segments {
				ids[g.VLAN]++
			}
		}
		if ids[7] == 0 || s.Stats().TaggedTCP == 0 {
			t.Errorf("%s: VLANs %v", i, ids)
		}
	}
}

// Interfaces are listed as tcpdump lists them.
func TestInterfacesAsTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		lacking(t, "no tcpdump")
	}
	if !inNamespace(t) {
		return
	}
	pair(t)
	ip(t, "link set near down")
	ip(t, "addr add 192.0.2.7/24 dev far")
	ip(t, "link add idle type veth peer name idle2")
	is, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var ours strings.Builder
	for n, i := range is {
		if i.Name == "far" && !strings.Contains(i.String()+" ", " 192.0.2.7 ") {
			t.Errorf("%s: %v", i, i.Addresses)
		}
		i.Addresses = nil
		ours.WriteString(strconv.Itoa(n+1) + "." + i.String() + "\n")
	}
	theirs, err := exec.Command("tcpdump", "-D").Output()
	if err != nil {
		t.Fatal(err)
	}
	if ours.String() != string(theirs) {
		t.Errorf("ours\n%stcpdump's\n%s", ours.String(), theirs)
	}
	if !regexp.MustCompile(`(?m)\.far \[Up`).Match(theirs) {
		t.Errorf("far is not up:\n%s", theirs)
	}
}

// In a network namespace that was entered alone, /sys is that of another: its
// counters are not those of our interface.
func TestWatchForeignSys(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	pair(t)
	w := newWatch("far")
	if w == nil || w.drops[0] == nil {
		t.Fatalf("%+v", w)
	}
	for patience := time.Now().Add(10 * time.Second); w.look() != LinkUp; time.Sleep(time.Millisecond) {
		if time.Now().After(patience) {
			t.Fatalf("%+v", w) // a new pair takes a moment until it has its carrier
		}
	}
	done := make(chan *watch)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with us
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
		}
		for _, name := range []string{"x", "far"} { // so that the numbers differ
			if out, err := exec.Command("ip", "link", "add", name, "type", "veth", "peer", "name", name+"2").CombinedOutput(); err != nil {
				t.Errorf("%v %s", err, out)
			}
		}
		done <- newWatch("far")
	}()
	w = <-done
	if w == nil || w.drops[0] != nil || w.look() != LinkDown {
		t.Fatalf("%+v", w)
	}
	if n, known := w.lost(); known || n != 0 {
		t.Errorf("%d dropped", n)
	}
}

func TestLiveNotUp(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	ip(t, "link add idle type veth peer name idle2")
	for name, want := range map[string]string{"idle": "idle: the interface is not up", "none": "none: no such interface"} {
		_, err := OpenLive(LiveOptions{Interface: name})
		var no *UnreadableError
		if !errors.As(err, &no) || err.Error() != want {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

// Where so large a buffer cannot be had, a smaller one is taken, unless a size was
// asked for.
func TestLiveSmallerBuffer(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	pair(t)
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, _, _ := strings.Cut(string(b), " ")
	taken := number([]byte(pages)) * uint64(os.Getpagesize())
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_AS, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: taken + 16<<20, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	_, asked := OpenLive(LiveOptions{Interface: "far", BufferKiB: 32 << 10})
	s, err := OpenLive(LiveOptions{Interface: "far"})
	unix.Setrlimit(unix.RLIMIT_AS, &was)
	if asked == nil || err != nil {
		t.Fatalf("32 MiB: %v; by itself: %v", asked, err)
	}
	defer s.Close()
	sendFrom(t, "near").send(1, 0)
	if got, err := receive(t, s, 1); len(got) != 1 {
		t.Errorf("%v %v", got, err)
	}
}

func TestCounters(t *testing.T) {
	var w wrapping
	for _, v := range []uint32{0, 5, 5, 0xffff_fff0, 3, 3, 0, 1} {
		w.read(v)
	}
	if w.total != 1<<32+1<<32+1 {
		t.Errorf("wrapping: %d", w.total)
	}
	var g growing
	for _, v := range []uint64{100, 107, 107, 2, 4} {
		g.read(v)
	}
	if g.total != 7+4 {
		t.Errorf("growing: %d", g.total)
	}
	var l Link
	for i, is := range []LinkState{LinkUnknown, LinkUp, LinkUp, LinkUnknown, LinkDown, LinkDown, LinkUnknown, LinkUp} {
		l.seen(is, int64(i))
	}
	if l != (Link{State: LinkUp, Since: 7, Changes: 2}) {
		t.Errorf("%+v", l)
	}
	if number([]byte("42\n")) != 42 || number([]byte("x")) != 0 || number(bytes.Repeat([]byte("9"), 24)) != 0 {
		t.Error("number")
	}
}
