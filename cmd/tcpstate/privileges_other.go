//go:build unix && !linux

package main

import (
	"errors"
	"fmt"
	"syscall"
)

// surrender is confine where there are neither capabilities nor Landlock: root
// is given up, and no more.
func (c *cli) surrender(who *login, keep remains) ([]string, error) {
	open := "the file system stays open: only Linux has Landlock"
	switch {
	case who == nil:
		return []string{"runs as " + whoAmI() + ", who started it", open}, nil
	case who.uid == 0:
		return []string{"runs as root, as -Z asks", open}, nil
	}
	if err := handOver(who, keep.files); err != nil {
		return nil, err
	}
	if err := syscall.Setgroups(who.groups); err != nil {
		return nil, fmt.Errorf("groups: %w", err)
	}
	if err := syscall.Setgid(who.gid); err != nil {
		return nil, fmt.Errorf("group: %w", err)
	}
	if err := syscall.Setuid(who.uid); err != nil {
		return nil, fmt.Errorf("to go on as %s: %w", who, err)
	}
	if syscall.Setuid(0) == nil {
		return nil, errors.New("root could be had again")
	}
	for _, d := range keep.dirs {
		if err := syscall.Access(d, 3); err != nil { // W_OK and X_OK
			c.cannotWrite(d, err)
		}
	}
	return []string{"runs as " + who.String(), open}, nil
}
