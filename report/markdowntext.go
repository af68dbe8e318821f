package report

import (
	"strings"
	"unicode/utf8"
)

// Markdown makes text fit for a line or a cell of GitHub-flavoured Markdown, and for the
// HTML inside it: nothing in it is markup, a link, a mention, a reference or an emoji, and
// what is read is s, made Printable. At the beginning of a line something else has to stand
// before it, or it has to be a MarkdownParagraph.
//
// What the parser of Markdown takes for markup is written as an entity. Mentions (@who),
// references (#1, GH-1), addresses of mail and emoji (:100:, which IPv6 addresses have) are
// looked for in the text that comes out of it; so each is divided by an element.
func Markdown(s string) string {
	s = Printable(s)
	var b strings.Builder
	for i, r := range s {
		rest := s[i+utf8.RuneLen(r):]
		switch {
		case r == '_' && i > 0 && isWord(s[i-1]) && rest != "" && isWord(rest[0]):
			b.WriteRune(r) // within a word it is no emphasis: tcp_rfc1337
		case strings.ContainsRune("&<>|`*_~[]\\$", r):
			b.WriteString(markdownEntities[r])
		case r == '@' || r == '#',
			r == ':' && (strings.HasPrefix(rest, "//") || isEmoji(rest)),
			r == '.' && i >= 3 && strings.EqualFold(s[i-3:i], "www"),
			r == '-' && i >= 2 && strings.EqualFold(s[i-2:i], "gh"):
			b.WriteString("<span>" + string(r) + "</span>")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

var markdownEntities = map[rune]string{
	'&': "&amp;", '<': "&lt;", '>': "&gt;", '|': "&#124;", '`': "&#96;", '*': "&#42;", '_': "&#95;", '~': "&#126;",
	'[': "&#91;", ']': "&#93;", '\\': "&#92;", '$': "&#36;",
}

// isEmoji reports whether what follows a colon may be the name of an emoji and a colon.
// Of digits alone there are two; a time of day is none, nor is a port.
func isEmoji(s string) bool {
	name, _, closed := strings.Cut(s, ":")
	letters := strings.Trim(strings.ToLower(name), "0123456789")
	return closed && name != "" && (letters != "" || name == "100" || name == "1234") && strings.Trim(letters, "abcdefghijklmnopqrstuvwxyz0123456789_+-") == ""
}

// MarkdownParagraph is Markdown with the white space of s brought down to single blanks, for
// text that begins a line: it is no list, no rule and no heading.
func MarkdownParagraph(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	switch {
	case s == "":
	case strings.ContainsRune("-+=", rune(s[0])):
		return "<span>" + s[:1] + "</span>" + Markdown(s[1:])
	case digits > 0 && digits < len(s) && (s[digits] == '.' || s[digits] == ')') && (digits+1 == len(s) || s[digits+1] == ' '):
		return s[:digits] + "<span>" + s[digits:digits+1] + "</span>" + Markdown(s[digits+1:])
	}
	return Markdown(s)
}

// MarkdownCode shows s, made Printable, in the letters of code. It may stand in a cell.
func MarkdownCode(s string) string {
	s = Printable(s)
	if s == "" || strings.ContainsAny(s, "`|") || strings.TrimSpace(s) != s {
		return "<code>" + Markdown(s) + "</code>"
	}
	return "`" + s + "`"
}
