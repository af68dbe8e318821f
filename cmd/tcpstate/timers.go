package main

import "time"

// stack is how long a system keeps its closing states by default.
type stack struct{ timeWait, finTimeout time.Duration }

// timers are the systems that --os knows.
var timers = map[string]stack{
	"linux":   {60 * time.Second, 60 * time.Second},   // TCP_TIMEWAIT_LEN; net.ipv4.tcp_fin_timeout
	"windows": {120 * time.Second, 120 * time.Second}, // TcpTimedWaitDelay since Vista, TcpFinWait2Delay
	"macos":   {30 * time.Second, 60 * time.Second},   // twice net.inet.tcp.msl of 15 s; net.inet.tcp.fin_timeout
	"freebsd": {60 * time.Second, 60 * time.Second},   // twice net.inet.tcp.msl of 30 s; net.inet.tcp.finwait2_timeout
	"rfc":     {240 * time.Second, 240 * time.Second}, // RFC 9293 section 3.4.2: MSL is 2 minutes; it bounds no FIN-WAIT-2
}
