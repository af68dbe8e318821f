package report

import (
	"math"
	"time"

	"tcpstate/tracker"
)

// Record is one connection, as JSON, CSV and --where know it. The tags are
// the names; both are the same, and a test holds them and the encoder in
// connjson.go together.
//
// Durations are seconds. A number that is not known is NaN here, and null in
// JSON; a word that is not known is "" here, and null in JSON.
type Record struct {
	// ID is Wireshark's tcp.stream number.
	ID int `json:"id" expr:"id"`
	// Incarnation counts how often the stream lived again with the same ISN;
	// (id, incarnation) is unique.
	Incarnation int `json:"incarnation" expr:"incarnation"`
	// Continues is the stream whose states this one carries on: Wireshark
	// begins a new number there, the endpoints did not begin anew.
	Continues float64 `json:"continues" expr:"continues"`
	// Start and End are the times of the first and the last segment.
	Start time.Time `json:"start" expr:"start"`
	End   time.Time `json:"end" expr:"end"`
	// Duration is End - Start; 0 where the capture's time runs back.
	Duration   float64 `json:"duration" expr:"duration"`
	FirstFrame int     `json:"first_frame" expr:"first_frame"`
	LastFrame  int     `json:"last_frame" expr:"last_frame"`
	// VLAN is the 802.1Q id of the first segment.
	VLAN   float64   `json:"vlan" expr:"vlan"`
	Client EndRecord `json:"client" expr:"client"`
	Server EndRecord `json:"server" expr:"server"`
	// Roles says why the client is taken for the client: syn, syn-ack, port
	// or guess.
	Roles string      `json:"roles" expr:"roles"`
	Close CloseRecord `json:"close" expr:"close"`
	// Midstream: the capture does not hold the connection's beginning.
	Midstream bool            `json:"midstream" expr:"midstream"`
	Handshake HandshakeRecord `json:"handshake" expr:"handshake"`
	TimeWait  TimeWaitRecord  `json:"time_wait" expr:"time_wait"`
	// HalfClosedFor is the time from the first FIN to the second FIN, a RST or
	// the last segment; 0 without a FIN.
	HalfClosedFor float64    `json:"half_closed_for" expr:"half_closed_for"`
	Zeek          ZeekRecord `json:"zeek" expr:"zeek"`
	// Completeness is the number of Wireshark's tcp.completeness.
	Completeness int `json:"completeness" expr:"completeness"`
	// Findings are the ids of the findings known when the record was written.
	Findings []string `json:"findings" expr:"findings"`
}

// EndRecord is one endpoint of a Record.
type EndRecord struct {
	Addr string `json:"addr" expr:"addr"`
	Port int    `json:"port" expr:"port"`
	// State is the best estimate at the end, e.g. CLOSE-WAIT; Certainty says
	// how it is known: confirmed, presumed or elapsed.
	State     string `json:"state" expr:"state"`
	Certainty string `json:"certainty" expr:"certainty"`
	// Packets and Bytes were sent by this end; Bytes is payload, and what was
	// retransmitted counts again.
	Packets int `json:"packets" expr:"packets"`
	Bytes   int `json:"bytes" expr:"bytes"`
	// MSS and WScale (a shift count) are as offered in its SYN.
	MSS             float64 `json:"mss" expr:"mss"`
	WScale          float64 `json:"wscale" expr:"wscale"`
	Retransmissions int     `json:"retransmissions" expr:"retransmissions"`
	OutOfOrder      int     `json:"out_of_order" expr:"out_of_order"`
	Keepalives      int     `json:"keepalives" expr:"keepalives"`
	ZeroWindows     int     `json:"zero_windows" expr:"zero_windows"`
	// TTL is that of its first segment; null if it sent none.
	TTL float64 `json:"ttl" expr:"ttl"`
}

// CloseRecord says how a connection ended.
type CloseRecord struct {
	// Kind: graceful, reset, half-closed, refused, unanswered,
	// aborted-handshake, timed-out or open.
	Kind string `json:"kind" expr:"kind"`
	// By: client, server, both or nobody (null).
	By string `json:"by" expr:"by"`
	// Frame is that of the first FIN or of the RST that closed it.
	Frame float64 `json:"frame" expr:"frame"`
	// Reset is the class of the RST, where one was sent.
	Reset string `json:"reset" expr:"reset"`
}

// HandshakeRecord is about the opening.
type HandshakeRecord struct {
	// RTT runs from the SYN's last copy to the ACK that completed the handshake.
	RTT                   float64 `json:"rtt" expr:"rtt"`
	SynRetransmissions    int     `json:"syn_retransmissions" expr:"syn_retransmissions"`
	SynAckRetransmissions int     `json:"syn_ack_retransmissions" expr:"syn_ack_retransmissions"`
}

// TimeWaitRecord says who holds or held TIME-WAIT. In JSON it is null where
// nobody did.
type TimeWaitRecord struct {
	// Endpoint: client, server, or both after a simultaneous close.
	Endpoint string    `json:"endpoint" expr:"endpoint"`
	Since    time.Time `json:"since" expr:"since"`
	// Until is when it elapses or ended; it may lie after the capture.
	Until time.Time `json:"until" expr:"until"`
}

// ZeekRecord names the connection as Zeek's conn.log does.
type ZeekRecord struct {
	ConnState string `json:"conn_state" expr:"conn_state"`
	History   string `json:"history" expr:"history"`
}

var nan = math.NaN()

// Fill sets r to what l says. Text is shared with static tables where it can
// be; r holds no reference to l.
func (r *Record) Fill(l *tracker.Life) {
	*r = Record{
		ID:          int(l.ID),
		Incarnation: int(l.Incarnation),
		Continues:   nan,
		Start:       instant(l.Start),
		End:         instant(l.End),
		Duration:    seconds(max(l.End-l.Start, 0)),
		FirstFrame:  int(l.FirstFrame),
		LastFrame:   int(l.LastFrame),
		VLAN:        nan,
		Roles:       l.Roles.String(),
		Close:       CloseRecord{Kind: l.Close.String(), By: who(l.ClosedBy), Frame: orNaN(l.CloseAt), Reset: l.ResetAs.String()},
		Midstream:   l.Midstream,
		Handshake: HandshakeRecord{RTT: nan, SynRetransmissions: int(l.SynRetransmits),
			SynAckRetransmissions: int(l.SynAckRetransmits)},
		HalfClosedFor: seconds(max(l.HalfClosedFor, 0)),
		Zeek:          ZeekRecord{ConnState: l.ZeekState, History: l.ZeekHistory},
		Completeness:  int(l.Completeness),
	}
	if l.Continues >= 0 {
		r.Continues = float64(l.Continues)
	}
	if l.VLAN < 4096 {
		r.VLAN = float64(l.VLAN)
	}
	if l.HandshakeRTT >= 0 {
		r.Handshake.RTT = seconds(l.HandshakeRTT)
	}
	if l.TimeWaitBy != tracker.Nobody {
		r.TimeWait = TimeWaitRecord{Endpoint: who(l.TimeWaitBy), Since: instant(l.TimeWaitSince), Until: instant(l.TimeWaitUntil)}
	}
	r.Client.fill(&l.Ends[0])
	r.Server.fill(&l.Ends[1])
}

func (r *EndRecord) fill(e *tracker.End) {
	*r = EndRecord{
		Addr:            e.Addr.Addr().String(),
		Port:            int(e.Addr.Port()),
		State:           e.State.String(),
		Certainty:       e.Certainty.String(),
		Packets:         int(e.Packets),
		Bytes:           int(e.Bytes),
		MSS:             orNaN(uint64(e.MSS)),
		WScale:          nan,
		Retransmissions: int(e.Retransmissions),
		OutOfOrder:      int(e.OutOfOrder),
		Keepalives:      int(e.Keepalives),
		ZeroWindows:     int(e.ZeroWindows),
		TTL:             nan,
	}
	if e.WScale >= 0 {
		r.WScale = float64(e.WScale)
	}
	if e.Packets > 0 {
		r.TTL = float64(e.TTL)
	}
}

// who is the word for a role, "" for nobody.
func who(w tracker.Who) string {
	if w == tracker.Nobody {
		return ""
	}
	return w.String()
}

// orNaN is n, or NaN where 0 stands for "none".
func orNaN(n uint64) float64 {
	if n == 0 {
		return nan
	}
	return float64(n)
}
