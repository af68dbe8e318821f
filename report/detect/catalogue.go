package detect

// Catalogue lists all detectors, by chapter: opening, established life,
// closing, the capture itself. A new one is a file and a line here.
var Catalogue = []*Detector{
	// Opening
	Refused,
	SynUnanswered,
	SlowConnect,
	Unreachable,
	PathMTU,
	SynQueueOverflow,
	SynFlood,
	OddFlags,
	AcceptQueueOverflow,
	ResetAfterAccept,
	StaleSyn,
	PortScan,
	HostSweep,
	SelfConnect,
	SimultaneousOpen,
	PortReuseInTimeWait,
	SynCookiesActive,

	// Established life
	HalfOpen,
	IdleTimeout,
	KeepaliveRace,
	MiddleboxStateExpired,
	KeepaliveTooSlow,
	NoKeepalive,
	ZeroWindowStall,
	RstInjected,
	TcpkillLike,
	ChallengeAck,
	ServiceDied,
	PacketLoss,

	// Closing
	CloseWaitBuildup,
	FinWait2Buildup,
	TimeWaitBuildup,
	PortExhaustion,
	ConnectionChurn,
	FinUnacked,
	LastAckStuck,
	AbortiveClose,
	CloseWithUnreadData,
	ResetLateData,
	TimeWaitAssassination,
	SimultaneousClose,
	HalfClose,

	// The capture itself
	CaptureQuality,
}
