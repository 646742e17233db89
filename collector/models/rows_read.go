package models

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxInput bounds a file of rows, unpacked.
const maxInput = 1 << 30

// ReadRows reads rows: a JSON array of objects, one object, JSON lines, or CSV with
// a header; also gzipped. An object is {"features": {…}, "target": n} or flat; several
// targets are target_NAME, or "targets": {…}; container is a Container. timestamp is Unix seconds or RFC 3339. An
// empty cell and null are missing; what is not finite, or given twice in a row, is
// refused with its row. Memory: eight bytes a cell.
func ReadRows(r io.Reader) (*Rows, error) { return ReadRowsWithin(r, fileLimits) }

// ReadRowsWithin is ReadRows with other limits than those of files.
func ReadRowsWithin(r io.Reader, limits Limits) (*Rows, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	if head, _ := br.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRows, err)
		}
		br = bufio.NewReaderSize(z, 1<<16)
	}
	limited := &io.LimitedReader{R: br, N: maxInput}
	lr := bufio.NewReaderSize(limited, 1<<16)
	rows := newRows(limits)
	first, err := firstByte(lr)
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%w: it is empty", ErrRows)
	case err != nil:
		return nil, err
	case first == '[' || first == '{':
		err = rows.readJSON(lr)
	default:
		err = rows.readCSV(lr)
	}
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("%w: more than %d MiB", ErrRows, maxInput>>20)
	case err != nil:
		return nil, err
	case rows.N == 0:
		return nil, fmt.Errorf("%w: there is no row", ErrRows)
	}
	if rows.timed < rows.N {
		if rows.timed > 0 {
			return nil, fmt.Errorf("%w: %d of %d rows have a timestamp; give all or none", ErrRows, rows.timed, rows.N)
		}
		rows.Times = nil
	}
	return rows, nil
}

// firstByte looks past white space and a byte-order mark.
func firstByte(r *bufio.Reader) (byte, error) {
	if bom, _ := r.Peek(3); bytes.Equal(bom, []byte("\ufeff")) {
		_, _ = r.Discard(3)
	}
	for {
		b, err := r.Peek(1)
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \t\r\n", rune(b[0])) {
			return b[0], nil
		}
		_, _ = r.Discard(1)
	}
}

// readJSON reads an array of objects, or objects one after the other.
func (r *Rows) readJSON(in io.Reader) error {
	dec := json.NewDecoder(in)
	dec.UseNumber()
	dec.DisallowUnknownFields() // of a container
	array := false
	for {
		tok, err := dec.Token()
		switch {
		case errors.Is(err, io.EOF) && !array:
			return nil
		case err != nil:
			return r.fault(err)
		}
		switch tok {
		case json.Delim('['):
			if array || r.N > 0 {
				return r.fault(errors.New("an array where an object is wanted"))
			}
			array = true
		case json.Delim(']'):
			if _, err := dec.Token(); !errors.Is(err, io.EOF) {
				return r.fault(errors.New("it goes on after the array"))
			}
			return nil
		case json.Delim('{'):
			if err := r.begin(); err != nil {
				return err
			}
			if err := r.object(dec, r.field, true); err != nil {
				return r.fault(err)
			}
		default:
			return r.fault(fmt.Errorf("%v where an object is wanted", tok))
		}
	}
}

// fault says in which row something is wrong.
func (r *Rows) fault(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: row %d: %w", ErrRows, max(r.N, 1), err)
}

// object reads the fields of an object whose brace was read. nested allows
// "features" and "targets" to be objects.
func (r *Rows) object(dec *json.Decoder, field func(string, any) error, nested bool) error {
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := tok.(string)
		if seen[name] {
			return fmt.Errorf("%s is given twice", name)
		}
		seen[name] = true
		if nested && name == "container" {
			if err := r.container(dec); err != nil {
				return fmt.Errorf("container: %w", err)
			}
			continue
		}
		v, err := dec.Token()
		if err != nil {
			return err
		}
		switch {
		case v == json.Delim('{') && nested && name == "features":
			err = r.object(dec, func(n string, v any) error {
				return r.number(&r.Features, r.feature, &r.Columns, n, v)
			}, false)
		case v == json.Delim('{') && nested && name == "targets":
			err = r.object(dec, func(n string, v any) error {
				return r.number(&r.Targets, r.target, &r.Values, n, v)
			}, false)
		case v == json.Delim('{') && nested && name == "labels":
			err = r.named(dec)
		case v == json.Delim('{') || v == json.Delim('['):
			return fmt.Errorf("%s is not a number", name)
		default:
			err = field(name, v)
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// readCSV reads a header and rows.
func (r *Rows) readCSV(in io.Reader) error {
	c := csv.NewReader(in)
	c.ReuseRecord = true
	c.TrimLeadingSpace = true
	header, err := c.Read()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRows, err)
	}
	names := append([]string(nil), header...)
	seen := map[string]bool{}
	for i, n := range names {
		names[i] = strings.TrimSpace(n)
		if names[i] == "" || seen[names[i]] {
			return fmt.Errorf("%w: column %d of the header is empty or comes twice", ErrRows, i+1)
		}
		seen[names[i]] = true
	}
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return r.fault(err)
		}
		if err := r.begin(); err != nil {
			return err
		}
		for i, cell := range cells {
			var v any
			if cell = strings.TrimSpace(cell); cell != "" {
				v = json.Number(cell)
			}
			if err := r.field(names[i], v); err != nil {
				return r.fault(err)
			}
		}
	}
}
