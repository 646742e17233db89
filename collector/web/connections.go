package web

import (
	"context"
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// connections bounds how many connections are open. When there is no room, a new
// one takes the place of the one that has waited longest without having sent a
// whole request: a flood of slow clients then pushes out its own kind and not
// the scraper, whose request arrives at once. If all are being served, the new
// one is closed.
type connections struct {
	max     int
	waiting prometheus.Counter // closed to make room
	refused prometheus.Counter // closed because all were being served

	mu   sync.Mutex
	open map[*connection]struct{}
	seq  uint64
}

func newConnections(n int, dropped *prometheus.CounterVec) *connections {
	return &connections{
		max:     n,
		waiting: dropped.WithLabelValues("waiting"),
		refused: dropped.WithLabelValues("busy"),
		open:    map[*connection]struct{}{},
	}
}

// connection is one of them.
type connection struct {
	net.Conn
	in   *connections
	seq  uint64 // order of arrival, renewed by every request; guarded by in.mu
	busy int    // requests being served; guarded by in.mu
}

// Close makes room.
func (c *connection) Close() error {
	c.in.mu.Lock()
	delete(c.in.open, c)
	c.in.mu.Unlock()
	return c.Conn.Close()
}

// admit returns nc with a place, or nil if there is none.
func (cs *connections) admit(nc net.Conn) *connection {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if len(cs.open) >= cs.max {
		var oldest *connection
		for c := range cs.open {
			if c.busy == 0 && (oldest == nil || c.seq < oldest.seq) {
				oldest = c
			}
		}
		if oldest == nil {
			cs.refused.Inc()
			return nil
		}
		cs.waiting.Inc()
		delete(cs.open, oldest)
		_ = oldest.Conn.Close() // it is of no use to anybody
	}
	cs.seq++
	c := &connection{Conn: nc, in: cs, seq: cs.seq, busy: 0}
	cs.open[c] = struct{}{}
	return c
}

// connectionKey is where withConnection puts the connection.
type connectionKey struct{}

// withConnection is http.Server.ConnContext.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// busy marks the connection of a request as being served until the returned
// function is called.
func (cs *connections) busy(ctx context.Context) func() {
	c, ok := ctx.Value(connectionKey{}).(*connection)
	if !ok {
		return func() {} // not over the network
	}
	add := func(n int) {
		cs.mu.Lock()
		c.busy += n
		// It has just asked or been answered: of those that wait it is the newest.
		cs.seq++
		c.seq = cs.seq
		cs.mu.Unlock()
	}
	add(1)
	return func() { add(-1) }
}

// listener returns l with cs as its bound.
func (cs *connections) listener(l net.Listener) net.Listener { return limited{l, cs} }

type limited struct {
	net.Listener
	conns *connections
}

// Accept waits for a connection that has a place.
func (l limited) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.conns.admit(nc); c != nil {
			return c, nil
		}
		_ = nc.Close() // nothing was said yet
	}
}
