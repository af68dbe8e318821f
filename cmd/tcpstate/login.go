package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
)

// login is whom a live capture goes on as once all is open.
type login struct {
	name     string
	uid, gid int
	groups   []int // the supplementary ones, gid among them
}

// String is what is said of it.
func (a *login) String() string { return fmt.Sprintf("%s (uid %d)", a.name, a.uid) }

// nobodyID is the user and the group of those who own nothing, where the system
// has no name for them.
const nobodyID = 65534

// checkUser finds whom a capture that root starts goes on as: -Z, else who
// called sudo, else nobody. For anybody else it is nil: they stay who they are.
// It is called before the capture begins, so that a wrong name costs nothing.
func (c *cli) checkUser(f *flags) (*login, error) {
	root := os.Geteuid() == 0
	if f.user != "" {
		if !root {
			return nil, usageError(fmt.Errorf("-Z %s: only root can go on as somebody else", f.user))
		}
		a, err := findLogin(user.Lookup(f.user))
		if err != nil {
			return nil, usageError(fmt.Errorf("-Z %s: there is no such user", f.user))
		}
		return a, nil
	}
	if !root {
		return nil, nil
	}
	if id := os.Getuid(); id != 0 { // the program is setuid
		if a, err := findLogin(user.LookupId(strconv.Itoa(id))); err == nil {
			return a, nil
		}
		return &login{strconv.Itoa(id), id, os.Getgid(), []int{os.Getgid()}}, nil
	}
	for _, name := range []string{c.env("SUDO_USER"), "nobody"} {
		if name == "" {
			continue
		}
		if a, err := findLogin(user.Lookup(name)); err == nil && a.uid != 0 {
			return a, nil
		}
	}
	return &login{"nobody", nobodyID, nobodyID, []int{nobodyID}}, nil
}

// findLogin reads what a look-up found.
func findLogin(u *user.User, err error) (*login, error) {
	if err != nil {
		return nil, err
	}
	a := &login{name: u.Username}
	if a.uid, err = strconv.Atoi(u.Uid); err != nil {
		return nil, err
	}
	if a.gid, err = strconv.Atoi(u.Gid); err != nil {
		return nil, err
	}
	groups, err := u.GroupIds()
	if err != nil {
		groups = []string{u.Gid}
	}
	for _, g := range groups {
		n, err := strconv.Atoi(g)
		if err != nil {
			return nil, err
		}
		a.groups = append(a.groups, n)
	}
	return a, nil
}
