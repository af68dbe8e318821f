package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// surrender is confine on Linux. Nothing is kept: a packet socket that is open
// goes on without any capability, also when its interface was down meanwhile.
func (c *cli) surrender(who *login, keep remains) ([]string, error) {
	// What is done to all threads at once needs the list of them, and the
	// library that does it ends the program where there is none.
	if _, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", os.Getpid())); err != nil {
		return nil, fmt.Errorf("/proc is needed: %w", err)
	}
	var words []string
	switch {
	case who == nil:
		words = append(words, "runs as "+whoAmI()+", who started it")
	case who.uid == 0:
		words = append(words, "runs as root, as -Z asks")
	default:
		if err := become(who, keep.files); err != nil {
			return nil, fmt.Errorf("to go on as %s: %w", who, err)
		}
		words = append(words, "runs as "+who.String())
	}
	if err := disarm(); err != nil {
		return nil, err
	}
	bound, err := checkThreads(who)
	if err != nil {
		return nil, err
	}
	words = append(words, "no capabilities"+bound, "no new privileges")
	for _, d := range keep.dirs {
		if err := unix.Access(d, unix.W_OK|unix.X_OK); err != nil {
			c.cannotWrite(d, err)
		}
	}
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		abi = 0
	}
	return append(words, closeFiles(abi, keep.dirs)...), nil
}

// become changes the user and groups of all threads. The capabilities that
// are permitted stay for now: disarm takes them, with those that it needs.
func become(who *login, files []*os.File) error {
	if err := handOver(who, files); err != nil {
		return err
	}
	if err := cap.SetGroups(who.gid, who.groups...); err != nil {
		return err
	}
	return cap.SetUID(who.uid)
}

// disarm drops all capabilities of all threads, and sets no_new_privs, after
// which running a program that is setuid or has capabilities gains none.
func disarm() error {
	// This takes also what running a program as root would give, but only
	// from who has CAP_SETPCAP.
	if cap.ModeNoPriv.Set() == nil {
		return nil
	}
	if err := cap.NewSet().SetProc(); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	return nil
}

// checkThreads does not take the word of anybody: it reads what the kernel says
// of each thread (proc_pid_status(5)), and tries to become root again.
func checkThreads(who *login) (bound string, err error) {
	if os.Getuid() != 0 && unix.Setuid(0) == nil {
		return "", errors.New("root could be had again")
	}
	uid, gid := os.Getuid(), os.Getgid()
	groups, err := os.Getgroups()
	if err != nil {
		return "", err
	}
	if who != nil {
		uid, gid = who.uid, who.gid
		if uid != 0 { // root's are left
			groups = who.groups
		}
	}
	const none = "0000000000000000"
	want := map[string]string{
		"Uid": fourTimes(uid), "Gid": fourTimes(gid), "NoNewPrivs": "1",
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapAmb": none,
	}
	dir := fmt.Sprintf("/proc/%d/task", os.Getpid())
	threads, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, t := range threads {
		b, err := os.ReadFile(dir + "/" + t.Name() + "/status")
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			return "", err
		}
		for l := range strings.Lines(string(b)) {
			name, value, _ := strings.Cut(strings.TrimSpace(l), ":")
			value = strings.TrimSpace(value)
			if w, asked := want[name]; asked && value != w {
				return "", fmt.Errorf("%s of a thread is %s and not %s", name, value, w)
			}
			if name == "Groups" && !sameGroups(value, groups) {
				return "", fmt.Errorf("groups of a thread are %s and not %v", value, groups)
			}
			if name == "CapBnd" && value == none {
				bound = " and none to be had"
			}
		}
	}
	return bound, nil
}

// sameGroups reports whether proc_pid_status(5) names these groups, in whatever order.
func sameGroups(value string, groups []int) bool {
	is, want := strings.Fields(value), make([]string, 0, len(groups))
	for _, g := range groups {
		want = append(want, strconv.Itoa(g))
	}
	slices.Sort(is)
	slices.Sort(want)
	return slices.Equal(slices.Compact(is), slices.Compact(want))
}

// fourTimes is an id as proc_pid_status(5) has it: real, effective, saved, and
// of the file system.
func fourTimes(id int) string {
	s := strconv.Itoa(id)
	return strings.Join([]string{s, s, s, s}, "\t")
}

// newFiles is what rotation does in a directory.
const newFiles = ll.AccessFSWriteFile | ll.AccessFSMakeReg | ll.AccessFSRemoveFile | ll.AccessFSTruncate

// Versions of Landlock's interface from which on it restricts more
// (landlock(7)).
const (
	landlockTCP   = 4
	landlockScope = 6
)

// closeFiles has Landlock forbid every file that is not open but writing in
// dirs, every further TCP port and connection, and signals to others; as far
// as the kernel's version of it can.
func closeFiles(abi int, dirs []string) []string {
	if abi < 1 {
		return []string{"the file system stays open: this kernel has no Landlock"}
	}
	var rules []landlock.Rule
	if len(dirs) > 0 {
		rules = append(rules, landlock.PathAccess(newFiles, dirs...))
	}
	if err := landlock.V11.BestEffort().Restrict(rules...); err != nil {
		return []string{fmt.Sprintf("the file system stays open: Landlock: %v", err)}
	}
	words := []string{fmt.Sprintf("the file system is closed by Landlock (ABI %d)", abi)}
	if len(dirs) > 0 {
		words[0] += ", but for writing in " + strings.Join(dirs, " and ")
	}
	if abi >= landlockTCP {
		words = append(words, "no further TCP ports or connections")
	}
	if abi >= landlockScope {
		words = append(words, "no signals to others")
	}
	return words
}
