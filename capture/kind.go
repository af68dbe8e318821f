package capture

import (
	"bytes"
	"encoding/hex"
	"unicode/utf8"
)

// signatures name files that somebody may take for a capture, by how they
// begin, so that the error says what was given.
var signatures = []struct{ magic, name string }{
	{"snoop\x00\x00\x00", "a snoop capture (convert it with editcap)"},
	{"RTSS", "a Microsoft Network Monitor 1 capture (convert it with editcap)"},
	{"GMBU", "a Microsoft Network Monitor 2 capture (convert it with editcap)"},
	{"XCP\x00", "a NetXRay or Sniffer capture (convert it with editcap)"},
	{"TRSNIFF data    \x1a", "a Sniffer capture (convert it with editcap)"},
	{"\x7fver", "an OmniPeek capture (convert it with editcap)"},
	{"iptrace 1.0", "an AIX iptrace capture (convert it with editcap)"},
	{"iptrace 2.0", "an AIX iptrace capture (convert it with editcap)"},
	{"\x1c\x00\x01\xab", "an IXIA capture (convert it with editcap)"},
	{"\x1c\x00\x01\xac", "an IXIA capture (convert it with editcap)"},
	{"\xab\x01\x00\x1c", "an IXIA capture (convert it with editcap)"},
	{"\xac\x01\x00\x1c", "an IXIA capture (convert it with editcap)"},
	{"\xaa\xaa\xaa\xaa", "a 5View capture (convert it with editcap)"},
	{"\x01\x10\x4c\x00", "a LANalyzer capture (convert it with editcap)"},
	{"TR\x00\x64\x00", "an HP-UX nettl capture (convert it with editcap)"},
	{"ObserverPktBuffe", "an Observer capture (convert it with editcap)"},
	{"\x05VNF", "a Visual Networks capture (convert it with editcap)"},
	{"btsnoop\x00", "a Bluetooth log"},
	{"\x13\x00\x00\x00", "a Windows trace"},
	{"\x7fELF", "an ELF executable"},
	{"MZ", "a Windows executable"},
	{"\xcf\xfa\xed\xfe", "a Mach-O executable"},
	{"\xca\xfe\xba\xbe", "a Mach-O executable or Java class"},
	{"PK\x03\x04", "a zip archive"},
	{"BZh", "bzip2 data (decompress it first)"},
	{"\xfd7zXZ\x00", "xz data (decompress it first)"},
	{"\x04\x22\x4d\x18", "lz4 data (decompress it first)"},
	{"LZIP", "lzip data (decompress it first)"},
	{"\x1f\x8b", "gzip data again (decompress it first)"},
	{"\x28\xb5\x2f\xfd", "zstd data again (decompress it first)"},
	{"\x1f\x9d", "compress data (decompress it first)"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{"Rar!", "a rar archive"},
	{"%PDF", "a PDF document"},
	{"\x89PNG", "a PNG picture"},
	{"\xff\xd8\xff", "a JPEG picture"},
	{"GIF8", "a GIF picture"},
	{"SQLite format 3\x00", "an SQLite database"},
	{"!<arch>\n", "an ar archive"},
	{"<?xml", "XML text"},
}

// looksLike names a file that is no capture by its first octets.
func looksLike(b []byte) string {
	if len(b) == 0 {
		return "an empty file"
	}
	for _, s := range signatures {
		if bytes.HasPrefix(b, []byte(s.magic)) {
			return s.name
		}
	}
	if len(b) >= 4 && b[0]&^15 == 0x50 && string(b[1:4]) == "\x2a\x4d\x18" { // RFC 8878 section 3.1.2
		return "zstd data again, begun by a skippable frame (decompress it first)"
	}
	if len(b) >= 262 && string(b[257:262]) == "ustar" {
		return "a tar archive"
	}
	if text(b) {
		return "text"
	}
	if len(b) >= 16 && erf(b) {
		return "perhaps an ERF capture (convert it with editcap)"
	}
	return "of an unknown kind (it begins with " + hex.EncodeToString(b[:min(len(b), 8)]) + ")"
}

// text reports whether b reads as text; its last rune may be cut.
func text(b []byte) bool {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return len(b)-i < utf8.UTFMax && !utf8.FullRune(b[i:])
		}
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' && r != 0x1b {
			return false
		}
		i += n
	}
	return true
}

// erf reports whether b could be an Endace record: the format has no magic
// number. Type, record length and wire length have to make sense.
func erf(b []byte) bool {
	kind, size := b[8]&0x7f, int(b[10])<<8|int(b[11])
	return kind >= 1 && kind <= 48 && size >= 16 && b[9]&0xc0 == 0
}
