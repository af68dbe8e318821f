package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// remains is what a live capture still needs when its privileges are gone,
// besides what is open.
type remains struct {
	files []*os.File // written from now on: they become the user's
	dirs  []string   // more files are made, and old ones removed, in these
}

// packets adds what -w goes on to write.
func (k *remains) packets(r *recorder) {
	if r == nil {
		return
	}
	if out := r.spool.files.out; out != nil {
		k.files = append(k.files, out.File)
	}
	if r.spool.files.limit > 0 {
		k.dirs = append(k.dirs, filepath.Dir(r.spool.files.name))
	}
}

// confine gives up what a capture that has begun needs no more: root, the
// capabilities, the way to gain any, and the file system. It returns the
// protections that hold, in words. Whoever is taken over by a hostile packet
// then can write to what is open, and little else.
//
// It is called when the handle, the outputs and the listener are open, and
// before much is running.
func (c *cli) confine(who *login, keep remains) ([]string, error) {
	_ = time.Local.String() // reads the time zone's file
	words, err := c.surrender(who, keep)
	if err != nil {
		return nil, statusError{exitNoCapture, fmt.Errorf("privileges cannot be given up: %w", err)}
	}
	return words, nil
}

// handOver makes the files that are written those of the user who goes on
// writing, as tcpdump does. What is no regular file is none of ours.
func handOver(who *login, files []*os.File) error {
	for _, f := range files {
		fi, err := f.Stat()
		if err != nil {
			return err
		}
		if !fi.Mode().IsRegular() {
			continue
		}
		if err := f.Chown(who.uid, who.gid); err != nil {
			return err
		}
	}
	return nil
}

// cannotWrite warns of a directory in which no next file can be made.
func (c *cli) cannotWrite(dir string, err error) {
	c.complain("-w: in %s no further file can be made (%s, as which the capture goes on: %v); choose another directory, or another user by -Z",
		dir, whoAmI(), err)
}

// whoAmI is the user id.
func whoAmI() string { return fmt.Sprintf("uid %d", os.Geteuid()) }
