package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// errTooManyBytes is returned once a body is longer than allowed.
var errTooManyBytes = errors.New("the answer is too long")

// errTruncated is returned for a body that ends inside a value.
var errTruncated = errors.New("the answer ends before it is complete")

// maxDepth bounds the nesting of values that are skipped.
const maxDepth = 100

// scanner reads JSON tokens from a stream through a fixed buffer. It knows no
// tree: the decoder asks for what must come next. After the first error every
// call fails and err tells why.
type scanner struct {
	r        io.Reader
	buf      []byte
	pos, end int   // buf[pos:end] is unread
	read     int64 // bytes read from r
	limit    int64 // bytes that may be read; 0 = any number
	line     int   // complete lines before buf[0]
	err      error
	str      []byte // the string last read
}

func newScanner(r io.Reader, limit int64) *scanner {
	return &scanner{r: r, buf: make([]byte, 64<<10), limit: limit}
}

// fill reads more behind the unread bytes. It returns false at the end of the
// stream, without an error, and on an error.
func (s *scanner) fill() bool {
	if s.err != nil {
		return false
	}
	if s.pos > 0 {
		s.line += bytes.Count(s.buf[:s.pos], []byte("\n"))
		s.end = copy(s.buf, s.buf[s.pos:s.end])
		s.pos = 0
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		s.read += int64(n)
		switch {
		case s.limit > 0 && s.read > s.limit:
			s.err = errTooManyBytes
			return false
		case n > 0:
			return true // an error that came along comes again
		case err == io.EOF:
			return false
		case err != nil:
			s.err = err
			return false
		}
	}
	s.err = io.ErrNoProgress
	return false
}

// fail records what is wrong at the current place.
func (s *scanner) fail(format string, args ...any) bool {
	if s.err == nil {
		s.err = fmt.Errorf("byte %d: %s", s.read-int64(s.end-s.pos), fmt.Sprintf(format, args...))
	}
	return false
}

// lineNumber returns the line of the current place, from 1.
func (s *scanner) lineNumber() int {
	return s.line + bytes.Count(s.buf[:s.pos], []byte("\n")) + 1
}

// peek returns the next byte that is not white space, without consuming it, or
// 0 at the end of the stream or on an error.
func (s *scanner) peek() byte {
	for {
		for ; s.pos < s.end; s.pos++ {
			if c := s.buf[s.pos]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
				return c
			}
		}
		if !s.fill() {
			return 0
		}
	}
}

// expect consumes the next byte that is not white space if it is c.
func (s *scanner) expect(c byte) bool {
	got := s.peek()
	if got == c && got != 0 {
		s.pos++
		return true
	}
	return s.unexpected(got, string(rune(c)))
}

func (s *scanner) unexpected(got byte, want string) bool {
	if got == 0 && s.pos == s.end {
		if s.err == nil {
			s.err = errTruncated
		}
		return false
	}
	return s.fail("found %q, want %s", rune(got), want)
}

// more reports whether another element follows in an array or object that ends
// with closing, and consumes the comma or the closing byte. first says that no
// element was read yet.
func (s *scanner) more(first bool, closing byte) bool {
	c := s.peek()
	switch {
	case c == closing && c != 0:
		s.pos++
		return false
	case first && c != 0:
		return true
	case c == ',':
		s.pos++
		if s.peek() == closing {
			return s.fail("comma before %q", rune(closing))
		}
		return true
	}
	return s.unexpected(c, "a comma or "+string(rune(closing)))
}

// key reads an object key and its colon.
func (s *scanner) key() (string, bool) {
	k, _, ok := s.text(256)
	if !ok {
		return "", false
	}
	name := keyName(k)
	return name, s.expect(':')
}

// keyName returns k as a string, without allocating for the keys we know.
func keyName(k []byte) string {
	switch string(k) {
	case "metric":
		return "metric"
	case "values":
		return "values"
	case "value":
		return "value"
	}
	return string(k)
}

// text reads a string. The bytes are valid until the next call of text. Of a
// string longer than limit only the beginning is kept and whole is false.
// Bytes that are not UTF-8 are passed on; half a surrogate pair becomes the
// byte 0xff, which is not UTF-8 either.
func (s *scanner) text(limit int) (b []byte, whole, ok bool) {
	if !s.expect('"') {
		return nil, false, false
	}
	s.str = s.str[:0]
	whole = true
	for {
		chunk := s.buf[s.pos:s.end]
		i := 0
		for i < len(chunk) && chunk[i] != '"' && chunk[i] != '\\' && chunk[i] >= ' ' {
			i++
		}
		s.str = append(s.str, chunk[:i]...)
		s.pos += i
		if len(s.str) > limit {
			s.str, whole = s.str[:limit], false
		}
		if s.pos == s.end {
			if !s.fill() {
				return nil, false, s.unexpected(0, "")
			}
			continue
		}
		switch c := s.buf[s.pos]; c {
		case '"':
			s.pos++
			return s.str, whole, true
		case '\\':
			s.pos++
			if !s.escape() {
				return nil, false, false
			}
		default:
			return nil, false, s.fail("control character %q in a string", rune(c))
		}
	}
}

// escape appends the character of an escape sequence whose backslash was read.
func (s *scanner) escape() bool {
	c, ok := s.byte()
	if !ok {
		return false
	}
	switch c {
	case '"', '\\', '/':
		s.str = append(s.str, c)
	case 'b':
		s.str = append(s.str, '\b')
	case 'f':
		s.str = append(s.str, '\f')
	case 'n':
		s.str = append(s.str, '\n')
	case 'r':
		s.str = append(s.str, '\r')
	case 't':
		s.str = append(s.str, '\t')
	case 'u':
		r, ok := s.hex4()
		for ok && utf16.IsSurrogate(r) {
			low := rune(0)
			if low, ok = s.lowSurrogate(); low == 0 {
				s.str = append(s.str, 0xff)
				return ok
			}
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				s.str = utf8.AppendRune(s.str, pair)
				return ok
			}
			s.str = append(s.str, 0xff)
			r = low // it may begin a pair, or be a plain character
		}
		s.str = utf8.AppendRune(s.str, r)
		return ok
	default:
		return s.fail("unknown escape \\%c in a string", c)
	}
	return true
}

// lowSurrogate reads \uXXXX if it is next, else it returns 0.
func (s *scanner) lowSurrogate() (r rune, ok bool) {
	for s.end-s.pos < 2 {
		if !s.fill() {
			return 0, s.unexpected(0, "")
		}
	}
	if s.buf[s.pos] != '\\' || s.buf[s.pos+1] != 'u' {
		return 0, true
	}
	s.pos += 2
	return s.hex4()
}

func (s *scanner) hex4() (r rune, ok bool) {
	for range 4 {
		c, ok := s.byte()
		if !ok {
			return 0, false
		}
		switch {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, s.fail("%q in a \\u escape", rune(c))
		}
	}
	return r, true
}

func (s *scanner) byte() (byte, bool) {
	if s.pos == s.end && !s.fill() {
		return 0, s.unexpected(0, "")
	}
	c := s.buf[s.pos]
	s.pos++
	return c, true
}

// number reads a number of at most 64 bytes. The bytes are valid until the next
// call of text or number.
func (s *scanner) number() ([]byte, bool) {
	if c := s.peek(); c != '-' && !isDigit(c) {
		return nil, s.unexpected(c, "a number")
	}
	s.str = s.str[:0]
	for {
		for ; s.pos < s.end; s.pos++ {
			c := s.buf[s.pos]
			if !isDigit(c) && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
				return s.str, true
			}
			if s.str = append(s.str, c); len(s.str) > 64 {
				return nil, s.fail("a number of more than 64 bytes")
			}
		}
		if !s.fill() {
			return s.str, s.err == nil
		}
	}
}

// word reads true, false or null and returns its first byte.
func (s *scanner) word() (byte, bool) {
	first := s.peek()
	var want string
	switch first {
	case 't':
		want = "true"
	case 'f':
		want = "false"
	case 'n':
		want = "null"
	default:
		return 0, s.unexpected(first, "true, false or null")
	}
	for i := range want {
		c, ok := s.byte()
		if !ok {
			return 0, false
		}
		if c != want[i] {
			return 0, s.fail("found %q in %s", rune(c), want)
		}
	}
	return first, true
}

// skip reads any value and forgets it.
func (s *scanner) skip(depth int) bool {
	if depth > maxDepth {
		return s.fail("more than %d values inside each other", maxDepth)
	}
	switch c := s.peek(); {
	case c == '"':
		_, _, ok := s.text(0)
		return ok
	case c == '[':
		s.pos++
		for first := true; s.more(first, ']'); first = false {
			if !s.skip(depth + 1) {
				return false
			}
		}
		return s.err == nil
	case c == '{':
		s.pos++
		for first := true; s.more(first, '}'); first = false {
			if _, ok := s.key(); !ok || !s.skip(depth+1) {
				return false
			}
		}
		return s.err == nil
	case c == '-' || isDigit(c):
		_, ok := s.number()
		return ok
	}
	_, ok := s.word()
	return ok
}

// atEnd reports whether nothing but white space follows.
func (s *scanner) atEnd() bool {
	c := s.peek()
	if s.err != nil {
		return false
	}
	if s.pos < s.end {
		return s.fail("found %q after the end of the answer", rune(c))
	}
	return true
}
