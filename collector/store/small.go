package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// A small file holds one value in JSON: its magic line, a frame, and an empty one.

// readSmall reads a small file into to and checks it. The error is fs.ErrNotExist without a
// file and ErrSchema for one of a newer schema, which is left alone. older reads what was
// written before there were magic lines; nil if nothing was.
func (v *Versions) readSmall(path, magic string, limit int64, to any, older func([]byte) error) error {
	b, err := v.read(path, limit)
	if err != nil {
		return err
	}
	return decodeSmall(b, magic, to, older)
}

// decodeSmall is readSmall of the content of a file.
func decodeSmall(b []byte, magic string, to any, older func([]byte) error) error {
	if older != nil && bytes.HasPrefix(b, []byte("{")) {
		if err := older(b); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return nil
	}
	f, err := NewFrameReader(bytes.NewReader(b), magic)
	if err != nil {
		return err
	}
	content, err := f.Next()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it is empty", ErrDamaged)
	}
	if err != nil {
		return err
	}
	if err := strict(content, to); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if _, err := f.Next(); err == nil {
		return fmt.Errorf("%w: it goes on after its end", ErrDamaged)
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// strict decodes one value of JSON and nothing else.
func strict(b []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("it goes on after its end")
	}
	return nil
}

// writeSmall replaces a small file.
func (v *Versions) writeSmall(path, magic string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return withReason(v.keys.WriteFile(path, true, func(w io.Writer) error {
		f, err := NewFrameWriter(w, magic)
		if err != nil {
			return err
		}
		if err := f.Write(append(b, '\n')); err != nil {
			return err
		}
		return f.Close()
	}))
}

// missing reports whether there is no file.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
