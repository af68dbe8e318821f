package main

import (
	"testing"
	"time"

	"tcpstate/capture"
)

func TestLinkNews(t *testing.T) {
	at := func(s capture.LinkState, changes uint64, since time.Duration) capture.Link {
		return capture.Link{State: s, Changes: changes, Since: int64(since)}
	}
	up := at(capture.LinkUp, 0, 1)
	for _, c := range []struct {
		was, is capture.Link
		want    string
	}{
		{capture.Link{}, capture.Link{}, ""},
		{capture.Link{}, up, ""},
		{up, up, ""},
		{capture.Link{}, at(capture.LinkNoCarrier, 0, 1), "eth0: the interface has no carrier: nothing is connected, or the other end is down"},
		{up, at(capture.LinkDown, 1, 5), "eth0: the interface went down; the capture waits for it"},
		{at(capture.LinkDown, 1, time.Second), at(capture.LinkUp, 2, 3212*time.Millisecond), "eth0: the interface is up again after 2.2s"},
		{up, at(capture.LinkUp, 2, 9), "eth0: the interface went down and is up again"},
		{up, at(capture.LinkGone, 1, 9), ""},
	} {
		if got := linkNews("eth0", c.was, c.is); got != c.want {
			t.Errorf("%+v to %+v: %q", c.was, c.is, got)
		}
	}
}
