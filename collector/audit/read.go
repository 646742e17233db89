package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxLine bounds a line: the texts of an event, each byte of which may take six in
// JSON, and the rest.
const maxLine = 6*5*MaxText + 4<<10

// ErrBroken says that a trail is not what was written.
var ErrBroken = errors.New("the audit trail is broken")

// Read calls each for every event with the head that it makes, oldest first, as far as the
// chain holds, and
// returns the last head. The error is ErrBroken, with the line, where a line is not what
// was written, or does not follow the one before. A last line without its newline,
// left by a process that was killed, is broken too; Append drops it.
func Read(r io.Reader, each func(Head, Event) error) (Head, error) {
	head := start
	b := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		line, err := readLine(b)
		if errors.Is(err, io.EOF) {
			return head, nil
		}
		if err != nil {
			return head, fmt.Errorf("line %d: %w", n, err)
		}
		rec, err := parse(line)
		if err != nil {
			return head, fmt.Errorf("line %d: %w: %w", n, ErrBroken, err)
		}
		if rec.Sequence != head.Sequence+1 || rec.Previous != head.Hash {
			return head, fmt.Errorf("line %d: %w: it has number %d and follows another line than number %d before it; lines were removed, put in or exchanged",
				n, ErrBroken, rec.Sequence, head.Sequence)
		}
		head = Head{rec.Sequence, rec.Hash}
		e, err := rec.event()
		if err != nil {
			return head, fmt.Errorf("line %d: %w: %w", n, ErrBroken, err)
		}
		if err := each(head, e); err != nil {
			return head, err
		}
	}
}

// readLine returns the next line without its newline, io.EOF at the end.
func readLine(b *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := b.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return nil, fmt.Errorf("%w: it has more than %d bytes", ErrBroken, maxLine)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, fmt.Errorf("%w: it is cut short", ErrBroken)
		default:
			return nil, err
		}
	}
}

// parse reads a line and checks its own hash.
func parse(line []byte) (record, error) {
	var r record
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, fmt.Errorf("it is not an event: %w", err)
	}
	sum, err := r.sum()
	if err != nil {
		return r, err
	}
	if sum != r.Hash {
		return r, fmt.Errorf("its content has another hash than it says")
	}
	// The hash is of what the line means. That it is also written as we write it
	// leaves no room for a second reading.
	if want, err := json.Marshal(r); err != nil || !bytes.Equal(want, line) {
		return r, errors.Join(err, errors.New("it is not written as upid writes it"))
	}
	return r, nil
}

func (r record) event() (Event, error) {
	at, err := time.Parse(timeLayout, r.Time)
	if err != nil {
		return Event{}, err
	}
	return Event{
		Time: at, Actor: r.Actor, Source: r.Source, Action: r.Action, Object: r.Object,
		Outcome: r.Outcome, Request: r.Request, Detail: r.Detail,
	}, nil
}
