package objects

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// An endpoint that says nothing more is given up; one that is slow is not.
func TestSilenceIsGivenUp(t *testing.T) {
	const stall, step = 400 * time.Millisecond, 40 * time.Millisecond
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		for range 20 { // twice as long as may be silent
			if _, err := w.Write([]byte("slow")); err != nil {
				t.Error(err)
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			select {
			case <-done:
			case <-time.After(step):
			}
		}
		if r.URL.Path == "/silent" {
			<-done
		}
	}))
	defer server.Close()
	defer close(done)
	client := http.Client{Transport: newTransport(stall)}
	for path, silent := range map[string]bool{"/slow": false, "/silent": true} {
		answer, err := client.Post(server.URL+path, "", bytes.NewReader(make([]byte, 1<<20)))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		var timeout net.Error
		if silent != (errors.As(err, &timeout) && timeout.Timeout()) || len(data) != 80 {
			t.Errorf("%s: %d bytes, %v", path, len(data), err)
		}
	}
}
