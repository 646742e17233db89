package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxRecord bounds one CSV record: a row of a million columns fits.
const maxRecord = 16 << 20

// csvReader splits CSV (RFC 4180: comma, quotes doubled inside quotes, records
// over several lines inside quotes) into records without allocating per record.
// A line of its own that is empty is skipped. Unlike encoding/csv it says where
// it is while it hands out bytes.
type csvReader struct {
	r      *bufio.Reader
	line   int      // of the start of the record last returned, from 1
	lines  int      // lines read
	long   []byte   // a line, or lines, that did not fit the buffer of r
	quoted []byte   // unquoted fields of the record
	fields [][]byte // of the record
}

// next returns the fields of the next record, or io.EOF. They are valid until
// the next call.
func (c *csvReader) next() ([][]byte, error) {
	for {
		line, err := c.readLine(c.long[:0])
		if err != nil {
			return nil, err
		}
		c.line = c.lines
		if line = trimEOL(line); len(line) == 0 {
			continue
		}
		c.fields = c.fields[:0]
		if bytes.IndexByte(line, '"') < 0 {
			for {
				i := bytes.IndexByte(line, ',')
				if i < 0 {
					break
				}
				c.fields = append(c.fields, line[:i])
				line = line[i+1:]
			}
			c.fields = append(c.fields, line)
			return c.fields, nil
		}
		return c.splitQuoted(line)
	}
}

// splitQuoted splits a record that has quotes and begins with line, without its
// end, reading further lines as needed.
func (c *csvReader) splitQuoted(line []byte) ([][]byte, error) {
	c.quoted = c.quoted[:0]
	// Fields are kept as offsets into c.quoted until it has stopped growing.
	type span struct{ from, to int }
	var spans []span
	for {
		from := len(c.quoted)
		if len(line) == 0 || line[0] != '"' {
			end := bytes.IndexByte(line, ',')
			if end < 0 {
				end = len(line)
			}
			if bytes.IndexByte(line[:end], '"') >= 0 {
				return nil, errors.New(`a quote inside an unquoted field: quote the field and double the quotes in it`)
			}
			c.quoted = append(c.quoted, line[:end]...)
			line = line[end:]
		} else {
			line = line[1:]
			for {
				end := bytes.IndexByte(line, '"')
				if end < 0 { // the field goes on in the next line
					c.quoted = append(append(c.quoted, line...), '\n')
					next, err := c.readLine(nil)
					if errors.Is(err, io.EOF) {
						return nil, errors.New("a quoted field is not closed")
					}
					if err != nil {
						return nil, err
					}
					if line = trimEOL(next); len(c.quoted) > maxRecord {
						return nil, fmt.Errorf("a record is longer than %d MiB", maxRecord>>20)
					}
					continue
				}
				c.quoted = append(c.quoted, line[:end]...)
				line = line[end+1:]
				if len(line) == 0 || line[0] != '"' {
					break
				}
				c.quoted = append(c.quoted, '"')
				line = line[1:]
			}
			if len(line) > 0 && line[0] != ',' {
				return nil, errors.New("text after the closing quote of a field")
			}
		}
		spans = append(spans, span{from, len(c.quoted)})
		if len(line) == 0 {
			break
		}
		line = line[1:]
	}
	for _, s := range spans {
		c.fields = append(c.fields, c.quoted[s.from:s.to])
	}
	return c.fields, nil
}

// readLine returns the next line with its end, in the reader's buffer or, if it
// does not fit, appended to dst. The last line may lack its end; then comes
// io.EOF.
func (c *csvReader) readLine(dst []byte) ([]byte, error) {
	for {
		b, err := c.r.ReadSlice('\n')
		switch {
		case err == nil, err == io.EOF && len(b)+len(dst) > 0:
			c.lines++
			if len(dst) == 0 {
				return b, nil
			}
			c.long = append(dst, b...)
			return c.long, nil
		case errors.Is(err, bufio.ErrBufferFull):
			if dst = append(dst, b...); len(dst) > maxRecord {
				return nil, fmt.Errorf("a line is longer than %d MiB", maxRecord>>20)
			}
		default:
			return nil, err
		}
	}
}

// trimEOL removes one line end, \n or \r\n, and a \r that ends the input.
func trimEOL(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
}
