package web

import (
	"encoding/json"
	"net/http"
)

// Page says where an answer stands among all there is. Next is the offset of the
// next page, 0 on the last.
type Page struct{ Total, Next int }

// envelope is what Prometheus' API answers are in, with what a page adds.
type envelope struct {
	Status    string `json:"status"`
	Data      any    `json:"data,omitempty"`
	ErrorType string `json:"errorType,omitempty"`
	Error     string `json:"error,omitempty"`
	Total     int    `json:"total,omitempty"`
	Next      int    `json:"next,omitempty"`
}

// Answer writes data in the envelope of the API.
func Answer(w http.ResponseWriter, data any, p Page) {
	write(w, http.StatusOK, envelope{Status: "success", Data: data, Total: p.Total, Next: p.Next})
}

// Accept says with 202 that something was begun.
func Accept(w http.ResponseWriter, data any) {
	write(w, http.StatusAccepted, envelope{Status: "success", Data: data})
}

// Refuse writes an error in the envelope of the API.
func Refuse(w http.ResponseWriter, code int, errorType string, err error) {
	write(w, code, envelope{Status: "error", ErrorType: errorType, Error: err.Error()})
}

func write(w http.ResponseWriter, code int, e envelope) {
	b, err := json.Marshal(e)
	if err != nil { // no value of ours has no JSON form
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n')) // the reader may have gone
}
