package main

import (
	"errors"
	"fmt"
	"os"

	"tcpstate/capture"
	"tcpstate/report"
)

// openLive starts a capture from an interface.
func (c *cli) openLive(f *flags) (capture.Source, error) {
	src, err := capture.OpenLive(capture.LiveOptions{
		Interface: f.iface, Selection: f.selection, SnapLen: f.snapLen, BufferKiB: f.bufferKiB,
		NoPromisc: f.noPromisc, MaxPackets: f.count,
	})
	var filter *capture.FilterError
	var perm *capture.PermissionError
	switch {
	case err == nil:
		return src, nil
	case errors.As(err, &filter):
		return nil, usageError(err)
	case errors.As(err, &perm):
		err = fmt.Errorf("%w\ncapturing needs the capability CAP_NET_RAW, and CAP_NET_ADMIN for promiscuous mode; grant them with\n  %s", err, setcap())
	}
	return nil, statusError{exitNoCapture, err}
}

// setcap is the command that lets this very program capture.
func setcap() string {
	exe, err := os.Executable()
	if err != nil {
		exe = "tcpstate"
	}
	return "sudo setcap cap_net_raw,cap_net_admin=eip " + exe
}

// listInterfaces is -D.
func (c *cli) listInterfaces() error {
	ifs, err := capture.Interfaces()
	if err != nil {
		return statusError{exitNoCapture, err}
	}
	for i, x := range ifs {
		fmt.Fprintf(c.stdout, "%d.%s\n", i+1, report.Printable(x.String()))
	}
	return nil
}
