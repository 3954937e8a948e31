package kv

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/meshctl/meshctl/internal/record"
)

// The layout, in Badger's one key space:
//
//	'd' <length> <port> <key>   a record; length is an uvarint, so no port's name can reach into another's
//	'p' <port>                  the position of a port
//
// A key of longKey bytes or more is stored as its first longKey bytes and the SHA-256 of
// all of it; a stored key of that length is never anything else.
//
// A record's value, integers big endian:
//
//	1 <seq 8> <unix nanoseconds 8> <JSON>
//	2 <seq 8> <unix nanoseconds 8> <length, uvarint> <key> <JSON>   for a long key
//
// A position's value:
//
//	1 <seq 8>
//	2 <seq 8>   the port is being dropped: what is left of its data counts for nothing
const (
	dataPrefix     = 'd'
	positionPrefix = 'p'

	longKey = 32000

	plainValue = 1
	keyedValue = 2

	atPosition = 1
	dropping   = 2

	headSize     = 1 + 8 + 8
	positionSize = 1 + 8
)

// noTime stands for the zero time, which has no Unix nanoseconds.
const noTime = math.MinInt64

var errValue = errors.New("stored value is damaged")

func storePrefix(port string) []byte {
	p := binary.AppendUvarint([]byte{dataPrefix}, uint64(len(port)))
	return append(p, port...)
}

func positionKey(port string) []byte { return append([]byte{positionPrefix}, port...) }

// storedKey is where the record of key lies.
func (s *Store) storedKey(key record.Key) []byte {
	if len(key) < longKey {
		k := make([]byte, 0, len(s.prefix)+len(key))
		return append(append(k, s.prefix...), key...)
	}
	digest := sha256.Sum256(key)
	k := make([]byte, 0, len(s.prefix)+longKey+len(digest))
	return append(append(append(k, s.prefix...), key[:longKey]...), digest[:]...)
}

func encodeValue(r record.Record) []byte {
	long := len(r.Key) >= longKey
	size := headSize + len(r.Value)
	if long {
		size += binary.MaxVarintLen64 + len(r.Key)
	}
	b := append(make([]byte, 0, size), plainValue)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Seq))
	nanos := int64(noTime)
	if !r.Time.IsZero() {
		nanos = r.Time.UnixNano()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(nanos))
	if long {
		b[0] = keyedValue
		b = binary.AppendUvarint(b, uint64(len(r.Key)))
		b = append(b, r.Key...)
	}
	return append(b, r.Value...)
}

// decodeValue makes a record of a stored key, without the store's prefix, and its value.
// The record keeps both.
func decodeValue(stored, b []byte) (record.Record, error) {
	if len(b) < headSize {
		return record.Record{}, errValue
	}
	r := record.Record{Seq: record.Seq(binary.BigEndian.Uint64(b[1:])), Key: stored}
	if nanos := int64(binary.BigEndian.Uint64(b[9:])); nanos != noTime {
		r.Time = time.Unix(0, nanos).UTC()
	}
	switch version, rest := b[0], b[headSize:]; version {
	case plainValue:
		r.Value = rest
	case keyedValue:
		n, w := binary.Uvarint(rest)
		if w <= 0 || n > uint64(len(rest)-w) {
			return record.Record{}, errValue
		}
		r.Key = rest[w : w+int(n) : w+int(n)]
		r.Value = rest[w+int(n):]
		if len(stored) < longKey || !bytes.HasPrefix(r.Key, stored[:longKey]) {
			return record.Record{}, errValue
		}
	default:
		return record.Record{}, errValue
	}
	return r, nil
}

func encodePosition(state byte, seq record.Seq) []byte {
	return binary.BigEndian.AppendUint64([]byte{state}, uint64(seq))
}

func decodePosition(b []byte) (state byte, seq record.Seq, err error) {
	if len(b) != positionSize || b[0] != atPosition && b[0] != dropping {
		return 0, 0, errValue
	}
	return b[0], record.Seq(binary.BigEndian.Uint64(b[1:])), nil
}
