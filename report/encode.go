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

// appendTime appends a time as RFC 3339 in UTC with nine decimals, as a JSON
// string.
func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, rfc3339nano)
	return append(b, '"')
}

// rfc3339nano always has nine decimals, unlike time.RFC3339Nano.
const rfc3339nano = "2006-01-02T15:04:05.000000000Z07:00"

// appendInstant appends ns since 1970 in the form of rfc3339nano, bare. It is what
// package time would write, in a tenth of its time: a record has up to four.
func appendInstant(b []byte, ns int64) []byte {
	sec := ns / 1e9
	frac := ns % 1e9
	if frac < 0 {
		frac += 1e9
		sec--
	}
	day := sec / 86400
	sec %= 86400
	if sec < 0 {
		sec += 86400
		day--
	}
	year, month, dom := date(day)
	t := [...]byte{4: '-', 7: '-', 10: 'T', 13: ':', 16: ':', 19: '.', 29: 'Z'}
	put2(t[0:], year/100)
	put2(t[2:], year%100)
	put2(t[5:], month)
	put2(t[8:], dom)
	put2(t[11:], uint32(sec/3600))
	put2(t[14:], uint32(sec/60%60))
	put2(t[17:], uint32(sec%60))
	put9(t[20:], uint32(frac))
	return append(b, t[:]...)
}

// date is the date of a day since 1970-01-01 in the calendar that RFC 3339 has.
// It counts years from March on, so that the leap day is the last of one: 64 bits
// of nanoseconds reach from 1677 to 2262, all of which is after 1600-03-01.
func date(day int64) (year, month, dom uint32) {
	const era = 146097                // days in 400 years
	n := uint32(day + 719468 - 4*era) // days since 1600-03-01
	of := n % era
	y := (of - of/1460 + of/36524 - of/146096) / 365 // years of the era
	left := of - (365*y + y/4 - y/100)
	m := (5*left + 2) / 153 // months from March on
	year = 1600 + n/era*400 + y
	dom = left - (153*m+2)/5 + 1
	if m < 10 {
		return year, m + 3, dom
	}
	return year + 1, m - 9, dom
}

// pairs are the numbers of two digits.
const pairs = "00010203040506070809" + "10111213141516171819" + "20212223242526272829" + "30313233343536373839" + "40414243444546474849" +
	"50515253545556575859" + "60616263646566676869" + "70717273747576777879" + "80818283848586878889" + "90919293949596979899"

func put2(t []byte, n uint32) {
	_ = t[1]
	t[0], t[1] = pairs[2*n], pairs[2*n+1]
}

// put9 writes n with nine digits.
func put9(t []byte, n uint32) {
	t[8] = byte('0' + n%10)
	n /= 10
	put2(t[6:], n%100)
	n /= 100
	put2(t[4:], n%100)
	n /= 100
	put2(t[2:], n%100)
	put2(t, n/100)
}

// appendEpoch appends ns since 1970 as seconds with exactly nine decimals, bare.
func appendEpoch(b []byte, ns int64) []byte {
	u := uint64(ns)
	if ns < 0 {
		b = append(b, '-')
		u = -u
	}
	b = strconv.AppendUint(b, u/1e9, 10)
	t := [...]byte{'.', 9: 0}
	put9(t[1:], uint32(u%1e9))
	return append(b, t[:]...)
}

// appendSpan appends a duration, ns, as seconds with as many decimals as it has.
// The digits are those that appendSeconds finds for seconds(ns): up to exactSpan
// a float64 tells all nanoseconds apart, beyond it is asked.
func appendSpan(b []byte, ns int64) []byte {
	if uint64(ns) >= exactSpan {
		return appendSeconds(b, seconds(ns))
	}
	b = strconv.AppendUint(b, uint64(ns)/1e9, 10)
	frac := uint32(uint64(ns) % 1e9)
	if frac == 0 {
		return b
	}
	t := [...]byte{'.', 9: 0}
	put9(t[1:], frac)
	n := len(t)
	for t[n-1] == '0' {
		n--
	}
	return append(b, t[:n]...)
}

// exactSpan is some 97 days, ns: from there on the float64 next to a number of
// seconds is more than a nanosecond away.
const exactSpan = 1 << 23 * 1e9

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
