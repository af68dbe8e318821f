package report

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"tcpstate/capture"
	"tcpstate/tracker"
)

var zeekFormat = &Format{
	Name:    "zeek",
	Doc:     "conn.log as Zeek writes it (TSV with header)",
	Parts:   PartConnections,
	Can:     PartConnections,
	OnePart: true,
	Ordered: true,
	Whole:   true,
	New:     func(e *Env) Formatter { return newZeekLog(e) },
}

// zeekLog writes Zeek's conn.log. Its rows are not this program's
// connections: a tracker.Zeek splits them as Zeek does, so that the segments
// themselves are needed (BatchReader). The fields service, local_orig,
// local_resp and tunnel_parents need what Zeek's scripts know and stay unset.
type zeekLog struct {
	*Env
	zeek  *tracker.Zeek
	buf   []byte
	key   []byte // what the name of a row is made of; reused
	begun bool
	now   int64 // time of the latest frame, ns
}

// zeekFields and zeekTypes are the columns of Zeek's default conn.log.
const (
	zeekFields = "ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents"
	zeekTypes  = "time\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tbool\tbool\tcount\tstring\tcount\tcount\tcount\tcount\tset[string]"
)

// zeekStamp is the time format of #open and #close. It is the packets' time,
// not the clock's: the same capture gives the same file.
const zeekStamp = "2006-01-02-15-04-05"

func newZeekLog(e *Env) *zeekLog {
	o := &zeekLog{Env: e}
	o.zeek = tracker.NewZeek(o.row)
	return o
}

// Batch takes the segments of one batch.
func (o *zeekLog) Batch(b *capture.Batch) {
	if !o.begun {
		o.open(firstTime(b))
	}
	o.now = max(o.now, b.Now)
	o.zeek.Process(b)
}

func firstTime(b *capture.Batch) int64 {
	if len(b.Segments) > 0 {
		return b.Segments[0].Time
	}
	return b.Now
}

func (o *zeekLog) open(ns int64) {
	o.begun, o.now = true, ns
	o.W.WriteString("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n" +
		"#open\t" + instant(ns).Format(zeekStamp) + "\n#fields\t" + zeekFields + "\n#types\t" + zeekTypes + "\n")
}

func (o *zeekLog) Begin(*Capture)                 {}
func (o *zeekLog) Transition(*tracker.Transition) {}
func (o *zeekLog) Connection(*Conn)               {}

func (o *zeekLog) End(*Final) {
	if !o.begun {
		o.open(0)
	}
	o.zeek.Finish()
	o.W.WriteString("#close\t" + instant(o.now).Format(zeekStamp) + "\n")
}

func (o *zeekLog) row(r *tracker.ZeekRow) {
	b := appendMicro(o.buf[:0], r.Start)
	b = append(b, '\t')
	b = o.appendUID(b, r)
	b = append(b, '\t')
	b = r.Orig.Addr().AppendTo(b)
	b = append(b, '\t')
	b = strconv.AppendUint(b, uint64(r.Orig.Port()), 10)
	b = append(b, '\t')
	b = r.Resp.Addr().AppendTo(b)
	b = append(b, '\t')
	b = strconv.AppendUint(b, uint64(r.Resp.Port()), 10)
	b = append(b, "\ttcp\t-\t"...)
	if r.End == r.Start {
		b = append(b, "-\t-\t-"...)
	} else {
		b = appendMicro(b, r.End-r.Start)
		b = append(b, '\t')
		b = strconv.AppendUint(b, r.OrigBytes, 10)
		b = append(b, '\t')
		b = strconv.AppendUint(b, r.RespBytes, 10)
	}
	b = append(b, '\t')
	b = append(b, r.State...)
	b = append(b, "\t-\t-\t"...)
	b = strconv.AppendUint(b, r.MissedBytes, 10)
	b = append(b, '\t')
	if r.History == "" {
		b = append(b, '-')
	}
	b = append(b, r.History...)
	for _, n := range [...]uint64{r.OrigPkts, r.OrigIPBytes, r.RespPkts, r.RespIPBytes} {
		b = append(b, '\t')
		b = strconv.AppendUint(b, n, 10)
	}
	o.buf = append(b, "\t-\n"...)
	o.W.Write(o.buf)
}

// appendMicro appends seconds with six decimals, rounded as Zeek's %.6f does.
func appendMicro(b []byte, ns int64) []byte {
	half := int64(500)
	if ns < 0 {
		half = -half // a division cuts towards 0
	}
	b = appendEpoch(b, (ns+half)/1000*1000)
	return b[:len(b)-3]
}

// appendUID appends C and 17 base-62 digits: a hash of the ends and the start, so
// that the same capture gives the same name.
func (o *zeekLog) appendUID(b []byte, r *tracker.ZeekRow) []byte {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	k, _ := r.Orig.AppendBinary(o.key[:0])
	k = append(k, '>')
	k, _ = r.Resp.AppendBinary(k)
	k = binary.BigEndian.AppendUint64(k, uint64(r.Start))
	k = binary.BigEndian.AppendUint64(k, r.FirstFrame)
	o.key = k
	h := sha256.Sum256(k)
	b = append(b, 'C')
	hi, lo := binary.BigEndian.Uint64(h[:]), binary.BigEndian.Uint64(h[8:])
	for range 9 {
		b = append(b, digits[hi%62])
		hi /= 62
	}
	for range 8 {
		b = append(b, digits[lo%62])
		lo /= 62
	}
	return b
}
