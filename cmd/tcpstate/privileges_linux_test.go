package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"tcpstate/capture"
)

// alone runs the test that calls it once more, in a process of its own that
// may give up what it has. It returns true there.
func alone(t *testing.T, attr *syscall.SysProcAttr) bool {
	t.Helper()
	const mark = "TCPSTATE_TEST_ALONE"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	if os.Geteuid() != 0 {
		lacking(t, "only root has privileges to give up")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// Whoever the process is, it may run the program. It cannot tidy up in the
	// end, which is left to us, and by which it fails.
	exe := program(t, "tests")
	tmp := filepath.Join(filepath.Dir(exe), "tmp")
	if err := errors.Join(os.Mkdir(tmp, 0o755), os.Chmod(tmp, 0o777)); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(ctx, exe, "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v")
	c.Env = append(os.Environ(), mark+"="+t.Name(), "TZ=Asia/Kathmandu", "TMPDIR="+tmp)
	attr.Pdeathsig = syscall.SIGKILL
	c.SysProcAttr = attr
	if out, err := c.CombinedOutput(); !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// own makes a directory of root's.
func own(t *testing.T, perm fs.FileMode) string {
	t.Helper()
	dir := filepath.Join(os.TempDir(), "own")
	if err := errors.Join(os.Mkdir(dir, perm), os.Chmod(dir, perm)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// program is a copy of this test binary under a name, where everybody can run
// it. As tcpstate it is the program itself (TestMain).
func program(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tcpstate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, b, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

// drop confines this process, and returns what is said.
func drop(t *testing.T, f *flags, keep remains) (words []string, warned string) {
	t.Helper()
	var stderr bytes.Buffer
	c := &cli{stderr: &stderr, env: func(string) string { return "" }}
	who, err := c.checkUser(f)
	if err != nil {
		t.Fatal(err)
	}
	if words, err = c.confine(who, keep); err != nil {
		t.Fatal(err)
	}
	return words, stderr.String()
}

// held tells what Landlock of this kernel adds to the words.
func held(t *testing.T, but string) (words []string, abi int) {
	t.Helper()
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		return []string{"the file system stays open: this kernel has no Landlock"}, 0
	}
	words = []string{fmt.Sprintf("the file system is closed by Landlock (ABI %d)%s", abi, but)}
	if abi >= landlockTCP {
		words = append(words, "no further TCP ports or connections")
	}
	if abi >= landlockScope {
		words = append(words, "no signals to others")
	}
	return words, abi
}

// powerless tries what the program may no longer do.
func powerless(t *testing.T, abi int) {
	t.Helper()
	if unix.Setuid(0) == nil || unix.Setgid(0) == nil {
		t.Error("root again")
	}
	if fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); err == nil {
		unix.Close(fd)
		t.Error("a new packet socket")
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); n != 1 {
		t.Errorf("no_new_privs is %d, %v", n, err)
	}
	if n := cap.GetProc().String(); n != "=" {
		t.Errorf("capabilities %s", n)
	}
	if abi < 1 {
		return
	}
	if _, err := os.ReadFile("/etc/passwd"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("/etc/passwd: %v", err)
	}
	if err := os.WriteFile("/tmp/tcpstate-confined", nil, 0o600); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("writing: %v", err)
	}
	if err := exec.Command("/bin/true").Run(); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("/bin/true: %v", err)
	}
	if abi >= landlockTCP {
		var lc net.ListenConfig
		lc.SetMultipathTCP(false)
		if l, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:0"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("listening: %v, %v", l, err)
		}
	}
	if abi >= landlockScope {
		if err := syscall.Kill(os.Getppid(), 0); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("a signal to the parent: %v", err)
		}
	}
}

// Root becomes nobody and nothing, and what was open works on: the capture, also
// over an interface that goes down meanwhile, files and their rotation, a
// connection, the time zone.
func TestConfineRoot(t *testing.T) {
	if !alone(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}) {
		return
	}
	sh := func(script string) *exec.Cmd {
		c := exec.Command("sh", "-c", script)
		c.Stderr = os.Stderr
		return c
	}
	if err := sh("ip link set lo up && ip link add near type veth peer name far && ip link set near up && ip link set far up").Run(); err != nil {
		lacking(t, "no ip (package iproute2): "+err.Error())
	}
	src, err := capture.OpenLive(capture.LiveOptions{Interface: "lo"})
	if err == nil {
		defer src.Close()
	} else if !errors.Is(err, capture.ErrNoLibpcap) {
		t.Fatal(err)
	}
	far, err := capture.OpenLive(capture.LiveOptions{Interface: "far"})
	if err == nil {
		defer far.Close()
	} else if !errors.Is(err, capture.ErrNoLibpcap) {
		t.Fatal(err)
	}
	// This one stays root, and is told through a pipe when to do what.
	cable := sh("read x; ip link set far down; read x; ip link set far up; read x")
	tell, err := cable.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cable.Start(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	z, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	// As a client does that finds --metrics: it is taken later.
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dir := own(t, 0o777)
	first, err := os.Create(filepath.Join(dir, "first"))
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var before, after syscall.Stat_t
	syscall.Fstat(int(null.Fd()), &before)

	words, warned := drop(t, &flags{}, remains{files: []*os.File{first, null}, dirs: []string{dir}})
	more, abi := held(t, ", but for writing in "+dir)
	want := append([]string{"runs as nobody (uid 65534)", "no capabilities and none to be had", "no new privileges"}, more...)
	if !slices.Equal(words, want) || warned != "" {
		t.Errorf("%q %s", words, warned)
	}
	powerless(t, abi)

	if syscall.Fstat(int(null.Fd()), &after); before != after {
		t.Error("/dev/null is changed")
	}
	var st syscall.Stat_t
	if syscall.Fstat(int(first.Fd()), &st); st.Uid != nobodyID {
		t.Errorf("the file is of %d", st.Uid)
	}
	if _, err := first.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"first", "second"} { // over the old, and a new one
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Error(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "first")); err != nil {
		t.Error(err)
	}
	if served, err := l.Accept(); err != nil {
		t.Error(err)
	} else {
		served.Write([]byte("!"))
		if n, err := client.Read(make([]byte, 9)); n != 1 || err != nil {
			t.Errorf("the client got %d, %v", n, err)
		}
	}
	if s := time.Unix(0, 0).Format("15:04 -0700"); s != "05:30 +0530" {
		t.Errorf("local time: %s", s)
	}
	if src == nil {
		return
	}
	from := src.Stats().Packets
	for range 3 {
		a.Write([]byte("hello"))
		z.Read(make([]byte, 5))
	}
	waitFor(t, src, func(st *capture.Stats) bool { return st.Packets >= from+6 })
	waitFor(t, far, func(st *capture.Stats) bool { return st.Link.State == capture.LinkUp })
	tell.Write([]byte("\n"))
	waitFor(t, far, func(st *capture.Stats) bool { return st.Link.State == capture.LinkDown })
	was := far.Stats()
	tell.Write([]byte("\n"))
	// The peers look for each other by IPv6 when the link is there.
	waitFor(t, far, func(st *capture.Stats) bool {
		return st.Link.State == capture.LinkUp && st.Packets > was.Packets && st.IfDropped == 0
	})
}

// waitFor reads until the statistics are as wanted.
func waitFor(t *testing.T, src capture.Source, is func(*capture.Stats) bool) {
	t.Helper()
	var b capture.Batch
	for until := time.Now().Add(20 * time.Second); ; {
		st := src.Stats()
		if is(&st) {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("still %+v", st)
		}
		if err := src.Next(&b); err != nil {
			t.Fatal(err)
		}
	}
}

// Who may capture by a capability of the file loses it.
func TestConfineCapabilities(t *testing.T) {
	if !alone(t, &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: nobodyID, Gid: nobodyID},
		AmbientCaps: []uintptr{uintptr(cap.NET_RAW), uintptr(cap.NET_ADMIN)},
	}) {
		return
	}
	if s := cap.GetProc().String(); s != "cap_net_admin,cap_net_raw=eip" {
		t.Fatalf("at first: %s", s)
	}
	words, warned := drop(t, &flags{}, remains{})
	more, abi := held(t, "")
	if want := append([]string{"runs as uid 65534, who started it", "no capabilities", "no new privileges"}, more...); !slices.Equal(words, want) || warned != "" {
		t.Errorf("%q %s", words, warned)
	}
	powerless(t, abi)
}

// As root by name it keeps its files, and nothing else.
func TestConfineAsRoot(t *testing.T) {
	if !alone(t, &syscall.SysProcAttr{}) {
		return
	}
	words, _ := drop(t, &flags{user: "root"}, remains{})
	if words[0] != "runs as root, as -Z asks" || words[1] != "no capabilities and none to be had" {
		t.Errorf("%q", words)
	}
	if s := cap.GetProc().String(); s != "=" {
		t.Errorf("capabilities %s", s)
	}
	if err := os.Chown("/tmp", 1, 1); err == nil {
		t.Error("another's file")
	}
}

// A directory in which the next file cannot be made is said at once.
func TestConfineDirectory(t *testing.T) {
	if !alone(t, &syscall.SysProcAttr{}) {
		return
	}
	dir := own(t, 0o755)
	_, warned := drop(t, &flags{user: "daemon"}, remains{dirs: []string{dir}})
	if want := "tcpstate: -w: in " + dir + " no further file can be made (uid 1, as which the capture goes on: permission denied)"; !strings.HasPrefix(warned, want) {
		t.Errorf("%q", warned)
	}
}

// Without Landlock that is what is said.
func TestNoLandlock(t *testing.T) {
	if w := closeFiles(0, nil); !slices.Equal(w, []string{"the file system stays open: this kernel has no Landlock"}) {
		t.Errorf("%q", w)
	}
}

func TestCheckUser(t *testing.T) {
	if os.Geteuid() != 0 {
		lacking(t, "only root can become another user")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		lacking(t, "no user nobody")
	}
	for _, c := range []struct{ z, sudo, want string }{
		{"", "", "nobody"}, {"", "daemon", "daemon"}, {"", "root", "nobody"}, {"", "no such", "nobody"},
		{"daemon", "nobody", "daemon"}, {"root", "daemon", "root"},
	} {
		x := &cli{env: func(string) string { return c.sudo }}
		who, err := x.checkUser(&flags{user: c.z})
		if err != nil || who.name != c.want || c.want == "nobody" && who.String() != "nobody (uid "+nobody.Uid+")" {
			t.Errorf("%+v: %v, %v", c, who, err)
		}
	}
	var stdout, stderr bytes.Buffer
	x := &cli{stdout: &stdout, stderr: &stderr, env: func(string) string { return "" }}
	var s statusError
	if _, err := x.checkUser(&flags{user: "no such"}); !errors.As(err, &s) || s.code != exitUsage || !strings.HasPrefix(err.Error(), "-Z no such: there is no such user") {
		t.Errorf("%v", err)
	}
}

// Others than root stay who they are, and are told so.
func TestCheckUserOrdinary(t *testing.T) {
	if !alone(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyID, Gid: nobodyID}}) {
		return
	}
	x := &cli{env: func(string) string { return "daemon" }}
	if who, err := x.checkUser(&flags{}); who != nil || err != nil {
		t.Errorf("%v, %v", who, err)
	}
	var s statusError
	if _, err := x.checkUser(&flags{user: "nobody"}); !errors.As(err, &s) || s.code != exitUsage || !strings.HasPrefix(err.Error(), "-Z nobody: only root") {
		t.Errorf("%v", err)
	}
}

// Without the right to capture, the program says what is lacking, and the line
// that it gives is enough.
func TestNoRightToCapture(t *testing.T) {
	if os.Geteuid() != 0 {
		lacking(t, "only root can run the program as somebody else and grant capabilities")
	}
	if _, err := capture.Interfaces(); errors.Is(err, capture.ErrNoLibpcap) {
		t.Skip("built without libpcap")
	}
	exe := program(t, "tcpstate")
	capturing := func(exe string, args ...string) (int, string) {
		c := exec.Command(exe, append([]string{"-i", "lo", "--duration", "10ms"}, args...)...)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyID, Gid: nobodyID}}
		var stderr bytes.Buffer
		c.Stderr = &stderr
		var exit *exec.ExitError
		if err := c.Run(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return c.ProcessState.ExitCode(), stderr.String()
	}
	link := filepath.Join(filepath.Dir(exe), "link", "tcpstate")
	if err := errors.Join(os.Mkdir(filepath.Dir(link), 0o755), os.Symlink(exe, link)); err != nil {
		t.Fatal(err)
	}
	const grant = "sudo setcap "
	for _, as := range []string{exe, link} { // a link has no capabilities
		code, said := capturing(as)
		if want := "\n  " + grant + "cap_net_raw,cap_net_admin=eip " + exe + "\n"; code != exitNoCapture || !strings.HasSuffix(said, want) {
			t.Errorf("%s: status %d, %q", as, code, said)
		}
	}
	_, said := capturing(exe)
	_, line, _ := strings.Cut(said, grant)
	words := strings.Fields(line)
	if len(words) != 2 {
		t.Fatalf("%q", line)
	}
	set, err := cap.FromText(words[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := set.SetFile(words[1]); err != nil {
		t.Fatal(err)
	}
	if code, said := capturing(exe); code != exitOK {
		t.Errorf("with %s: status %d, %s", set, code, said)
	}
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"/usr/bin/tcpstate": "/usr/bin/tcpstate", "/opt/my tools/t": "'/opt/my tools/t'",
		"/a'b": `'/a'\''b'`, "": "''", "/a;b": "'/a;b'", "-x": "./-x",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("%q: %s", in, got)
		}
	}
}

// Groups that somebody kept are seen.
func TestSameGroups(t *testing.T) {
	for _, c := range []struct {
		value  string
		groups []int
		same   bool
	}{
		{"", nil, true}, {"27 1000 ", []int{1000, 27, 27}, true}, {"0 1000", []int{1000}, false}, {"1000", []int{1000, 27}, false}, {"0", nil, false},
	} {
		if got := sameGroups(c.value, c.groups); got != c.same {
			t.Errorf("%q and %v: %v", c.value, c.groups, got)
		}
	}
}
