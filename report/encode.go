package report

import (
	"math"
	"net/netip"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// Schema is the value of "schema" in every line and object written.
const Schema = "tcpstate/v1"

// The append functions build JSON without reflection: a capture may hold
// millions of connections, and each of them is a line.

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. What is not printable is escaped,
// also where JSON would allow it bare: file names and other text may carry
// control sequences, and this output may end on a terminal.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f {
			if c == '"' || c == '\\' {
				b = append(b, '\\')
			}
			b = append(b, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\t':
			b = append(b, '\\', 't')
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			b = appendU(b, 0xd800+(r-0x10000)>>10)
			b = appendU(b, 0xdc00+(r-0x10000)&0x3ff)
		default:
			b = appendU(b, r)
		}
	}
	return append(b, '"')
}

func appendU(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// appendPlain appends a string of this program's own words, which need no escaping.
func appendPlain(b []byte, s string) []byte {
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendWord is appendPlain, and null for the empty string.
func appendWord(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendPlain(b, s)
}

// appendTime appends ns since 1970 as RFC 3339 in UTC with nine decimals.
func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, rfc3339nano)
	return append(b, '"')
}

// rfc3339nano always has nine decimals, unlike time.RFC3339Nano.
const rfc3339nano = "2006-01-02T15:04:05.000000000Z07:00"

// appendEpoch appends ns since 1970 as seconds with exactly nine decimals, bare.
func appendEpoch(b []byte, ns int64) []byte {
	u := uint64(ns)
	if ns < 0 {
		b = append(b, '-')
		u = -u
	}
	b = strconv.AppendUint(b, u/1e9, 10)
	b = append(b, '.')
	f := u % 1e9
	for d := uint64(1e8); d > 0; d /= 10 {
		b = append(b, byte('0'+f/d%10))
	}
	return b
}

// appendSeconds appends a number of seconds, null for NaN. Nine decimals at
// most: the records are in nanoseconds.
func appendSeconds(b []byte, s float64) []byte {
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return append(b, "null"...)
	}
	n := len(b)
	b = strconv.AppendFloat(b, s, 'f', 9, 64)
	for len(b) > n && b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	if string(b[n:]) == "-0" {
		b = append(b[:n], '0')
	}
	return b
}

// appendAddrPort appends ip:port, or [ip]:port, as a JSON string.
func appendAddrPort(b []byte, a netip.AddrPort) []byte {
	b = append(b, '"')
	b = a.AppendTo(b)
	return append(b, '"')
}

// seconds turns nanoseconds into seconds.
func seconds(ns int64) float64 { return float64(ns) / 1e9 }

// instant turns ns since 1970 into a time in UTC.
func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }
