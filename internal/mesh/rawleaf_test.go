package mesh

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/meshctl/meshctl/internal/trust"
)

// rawLeaf speaks the leafnode protocol by hand and so keeps to no rule of an honest
// server's: what it may not, the hub alone keeps it from.
type rawLeaf struct {
	conn net.Conn
	in   *bufio.Reader
}

// joinRaw joins a hub as the holder of a credential; nil gives none.
func joinRaw(leafURL string, c *trust.Creds) (*rawLeaf, error) {
	u, err := url.Parse(leafURL)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	l := &rawLeaf{conn, bufio.NewReader(conn)}
	if err := l.connect(c); err != nil {
		conn.Close()
		return nil, err
	}
	return l, nil
}

func (l *rawLeaf) connect(c *trust.Creds) error {
	l.conn.SetDeadline(time.Now().Add(20 * time.Second))
	line, err := l.in.ReadString('\n')
	if err != nil {
		return err
	}
	var info struct{ Nonce string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "INFO ")), &info); err != nil {
		return err
	}
	hello := map[string]any{"server_id": "RAW", "name": "raw", "headers": true}
	if c != nil {
		signed, err := c.Sign([]byte(info.Nonce))
		if err != nil {
			return err
		}
		hello["jwt"], hello["sig"] = c.Token(), base64.RawURLEncoding.EncodeToString(signed)
	}
	text, err := json.Marshal(hello)
	if err != nil {
		return err
	}
	if err := l.send("CONNECT %s\r\nPING\r\n", text); err != nil {
		return err
	}
	_, err = l.await("PONG", "")
	return err
}

func (l *rawLeaf) send(format string, args ...any) error {
	_, err := fmt.Fprintf(l.conn, format, args...)
	return err
}

func (l *rawLeaf) publish(subject, data string) error {
	return l.send("LMSG %s %d\r\n%s\r\n", subject, len(data), data)
}

func (l *rawLeaf) subscribe(subject string) error { return l.send("LS+ %s\r\nPING\r\n", subject) }

// await reads until the hub sends that operation, a message with that data if it is
// LMSG, and counts the messages before it by their data.
func (l *rawLeaf) await(operation, data string) (before map[string]int, err error) {
	before = map[string]int{}
	for {
		line, err := l.in.ReadString('\n')
		if err != nil {
			return before, err
		}
		words := strings.Fields(line)
		switch words[0] {
		case operation:
			if operation != "LMSG" {
				return before, nil
			}
		case "-ERR":
			return before, fmt.Errorf("%s", strings.TrimSpace(line))
		case "PING":
			if err := l.send("PONG\r\n"); err != nil {
				return before, err
			}
		}
		if words[0] != "LMSG" && words[0] != "HMSG" {
			continue
		}
		size, err := strconv.Atoi(words[len(words)-1])
		if err != nil {
			return before, err
		}
		body := make([]byte, size+2)
		if _, err := io.ReadFull(l.in, body); err != nil {
			return before, err
		}
		got := strings.TrimSpace(string(body))
		if operation == "LMSG" && got == data {
			return before, nil
		}
		before[got]++
	}
}

func (l *rawLeaf) close(t testing.TB) {
	t.Helper()
	must(t, l.conn.Close())
}
