package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"tcpstate/capture"
	"tcpstate/report"
)

// openLive starts a capture from an interface.
func (c *cli) openLive(f *flags) (capture.Source, error) {
	src, err := capture.OpenLive(capture.LiveOptions{
		Interface: f.iface, Selection: f.selection, SnapLen: f.snapLen, BufferKiB: f.bufferKiB,
		NoPromisc: f.noPromisc, MaxPackets: f.count, Raw: f.write != "",
	})
	var filter *capture.FilterError
	var perm *capture.PermissionError
	switch {
	case err == nil:
		return src, nil
	case errors.As(err, &filter):
		return nil, usageError(err)
	case errors.As(err, &perm):
		err = fmt.Errorf("%w\ncapturing needs the capability CAP_NET_RAW, and with some drivers CAP_NET_ADMIN; grant both with\n  %s", err, setcap())
	}
	return nil, statusError{exitNoCapture, err}
}

// setcap is the command that lets this very program capture. Capabilities are
// the file's: a symbolic link to it has none.
func setcap() string {
	exe, err := os.Executable()
	if err != nil {
		exe = "tcpstate"
	} else if to, err := filepath.EvalSymlinks(exe); err == nil {
		exe = to
	}
	return "sudo setcap cap_net_raw,cap_net_admin=eip " + shellWord(exe)
}

// shellWord writes a file name as a shell reads it back.
func shellWord(s string) string {
	if strings.HasPrefix(s, "-") {
		s = "./" + s
	}
	plain := s != ""
	for _, r := range s {
		plain = plain && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/._-+:@%,", r))
	}
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// linkNews is what there is to say of an interface of which the capture knew
// less before: "" for nothing.
func linkNews(name string, was, is capture.Link) string {
	if is == was {
		return ""
	}
	switch is.State {
	case capture.LinkDown:
		return name + ": the interface went down; the capture waits for it"
	case capture.LinkNoCarrier:
		return name + ": the interface has no carrier: nothing is connected, or the other end is down"
	case capture.LinkUp:
		if was.Changes == is.Changes {
			return "" // as it has to be
		}
		if was.State == capture.LinkUp || was.State == capture.LinkUnknown {
			return name + ": the interface went down and is up again"
		}
		away := time.Duration(is.Since - was.Since).Round(100 * time.Millisecond)
		return fmt.Sprintf("%s: the interface is up again after %v", name, away)
	}
	return "" // its vanishing is an error of the source
}

// listInterfaces is -D.
func (c *cli) listInterfaces() error {
	ifs, err := capture.Interfaces()
	if err != nil {
		return statusError{exitNoCapture, err}
	}
	for i, x := range ifs {
		if _, err := fmt.Fprintf(c.stdout, "%d.%s\n", i+1, report.Printable(x.String())); err != nil {
			return quiet(err)
		}
	}
	return nil
}
