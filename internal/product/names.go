package product

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/meshctl/meshctl/internal/record"
)

// HubDomain is the JetStream domain of the hub.
const HubDomain = "hub"

// CatalogBucket is the hub's key-value bucket that holds the catalog, one entry a product.
const CatalogBucket = "catalog"

// CredentialsBucket is the hub's key-value bucket of the credentials that it knows, by
// their public keys. Nobody but the hub reaches it.
const CredentialsBucket = "credentials"

// PortID names one major version of one output, or of one published input, of one product.
type PortID struct {
	Product string // also the JetStream domain of its leaf
	Domain  string // business domain
	Port    string
	Major   int
	Objects bool `json:",omitempty"` // it names the files of an object port, instead of its log
}

// ID is the port of that name at the product's present major version.
func (p *Product) ID(port string) PortID {
	return PortID{Product: p.Metadata.Name, Domain: p.Metadata.Domain, Port: port, Major: p.Major()}
}

// Major is the major of the product's version; 0 counts as 1, so that a draft's
// first stable release keeps its names.
func (p *Product) Major() int {
	major, _, _ := strings.Cut(p.Metadata.Version, ".")
	n, err := strconv.Atoi(major)
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// String is the port's address: "product.port", with "@major" from 2 on.
func (id PortID) String() string {
	if id.Major > 1 {
		return fmt.Sprintf("%s.%s@%d", id.Product, id.Port, id.Major)
	}
	return id.Product + "." + id.Port
}

// ParsePort reads an address: "product.port" or "product.port@major". A lone name
// means the port that bears its product's name. Major is 0 when it is left out.
func ParsePort(address string) (PortID, error) {
	name, version, versioned := strings.Cut(address, "@")
	product, port, dotted := strings.Cut(name, ".")
	if !dotted {
		port = product
	}
	id := PortID{Product: product, Port: port}
	if versioned {
		n, err := strconv.ParseUint(strings.TrimPrefix(version, "v"), 10, 31)
		if err != nil || n < 1 {
			return PortID{}, fmt.Errorf("port %q: the version after @ must be a whole number from 1", address)
		}
		id.Major = int(n)
	}
	if !ValidName(product) || !ValidName(port) {
		return PortID{}, fmt.Errorf("port %q: write it as product.port, both in lower case letters, digits and dashes", address)
	}
	return id, nil
}

// ValidName says whether s can name a product, a port, an input or a domain: a DNS
// label of at most 40 characters that starts with a letter, so that it can be a
// subject token, a stream, a folder, a Kubernetes object and a SQL name.
func ValidName(s string) bool {
	if s == "" || len(s) > 40 || s[0] < 'a' || s[0] > 'z' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// Stream is the stream that holds the port's records, in the domain of its product.
func (id PortID) Stream() string {
	if id.Objects {
		return "OBJ_" + id.Bucket() // which is where NATS clients look for it
	}
	return fmt.Sprintf("%s-v%d", id.Port, id.Major)
}

// Subject is the subject of the port's records; a keyed record adds its key's tokens.
func (id PortID) Subject() string {
	return id.Domain + "." + id.Product + "." + id.Port + ".v" + strconv.Itoa(id.Major)
}

// RecordSubject is the subject of a record with that key.
func (id PortID) RecordSubject(key record.Key) (string, error) {
	if key == nil {
		return id.Subject(), nil
	}
	subject, err := AppendKeyTokens(append([]byte(id.Subject()), '.'), key)
	return string(subject), err
}

// InboxStream is the stream that records arrive in before the contract is checked.
func (id PortID) InboxStream() string { return fmt.Sprintf("in-%s-v%d", id.Port, id.Major) }

// InboxSubject is the subject that session (an import's or a publisher's name, one
// token) publishes to.
func (id PortID) InboxSubject(session string) string {
	return fmt.Sprintf("in.%s.%s", id.Subject(), session)
}

// DeadStream is the stream of the product's dead letters.
const DeadStream = "dead"

// DeadSubject is the subject of the port's dead letters from source (one token; "*" or ">" to match).
func (id PortID) DeadSubject(source string) string {
	return fmt.Sprintf("dead.%s.%s", id.Subject(), source)
}

// AgainStream is the stream of the dead letters that the product's logic takes again.
const AgainStream = "again"

// AgainSubject is the subject of the port's dead letters that logic takes again, from
// session (one token; "*" to match): what came in at that input or, with "", what the
// logic made of it.
func (id PortID) AgainSubject(input, session string) string {
	if input != "" {
		session = input + "." + session
	}
	return fmt.Sprintf("again.%s.%s", id.Subject(), session)
}

// MirrorStream is the stream in a consuming leaf that mirrors this port.
func (id PortID) MirrorStream() string {
	if id.Objects {
		return id.Stream()
	}
	return fmt.Sprintf("from-%s_%s-v%d", id.Product, id.Port, id.Major)
}

// APIPrefix is the JetStream API prefix of a domain, for sources and mirrors.
func APIPrefix(domain string) string { return "$JS." + domain + ".API" }

// DeliverSubject is where the product sends the port's records to one reader's mirror.
func (id PortID) DeliverSubject(reader string) string {
	subject := fmt.Sprintf("deliver.%s.%s.%s.v%d", reader, id.Product, id.Port, id.Major)
	if id.Objects {
		subject += ".objects"
	}
	return subject
}

// Mirrors of a leaf ask below this subject for what they mirror, and their own process
// answers: it never leaves the leaf.
const mirrorRoot = "$MIRROR"

// MirrorPrefix is the JetStream API prefix at which a mirror of one of the product's ports asks.
func MirrorPrefix(product string) string { return mirrorRoot + "." + product }

// MirrorRequest is the subject at which reader's mirror of the port asks for it.
func (id PortID) MirrorRequest(reader string) string {
	return fmt.Sprintf("%s.CONSUMER.RESET.%s.%s", MirrorPrefix(id.Product), id.Stream(), reader)
}

// MirrorRequests matches what every mirror asks.
const MirrorRequests = mirrorRoot + ".>"

// ServiceSubject is the subject of one of the product's services, such as "get".
func ServiceSubject(product, endpoint string) string { return "mesh." + product + "." + endpoint }

// Tables are the port's names in SQL within the schema of its product, dashes kept; SQL
// writes a name quoted where it has one. Every major has the port's name with _v and its
// number, and the newest that its product offers the bare name too.
func (id PortID) Tables(newest bool) []string {
	versioned := fmt.Sprintf("%s_v%d", id.Port, id.Major)
	switch {
	case !newest:
		return []string{versioned}
	case id.Major > 1:
		return []string{versioned, id.Port}
	}
	return []string{id.Port, versioned}
}

// Table is what the port's table is called where it is kept: the port, with _v and its
// major from 2 on. In SQL it has the names of Tables.
func (id PortID) Table() string {
	if id.Major > 1 {
		return fmt.Sprintf("%s_v%d", id.Port, id.Major)
	}
	return id.Port
}

// Folder is the port's folder below the product's data folder.
func (id PortID) Folder() string { return fmt.Sprintf("%s-v%d", id.Port, id.Major) }

// longest text that KeyTokens writes out, in bytes of subject; beyond it a digest stands.
const maxKeyTokens = 240

// KeyTokens writes a key's texts as subject tokens, one a text, reversibly: letters,
// digits, "_" and "-" stand for themselves, any other byte is "=" and two upper-case
// hex digits, an empty text is "=". A key too long for a subject becomes one token
// "=~" and its SHA-256; then only the Meshctl-Key header tells the true key.
func KeyTokens(texts []string) string {
	var b []byte
	for i, t := range texts {
		if i > 0 {
			b = append(b, '.')
		}
		b = appendKeyToken(b, []byte(t))
	}
	return string(digestLong(b, 0))
}

// AppendKeyTokens appends what KeyTokens makes of the key's texts.
func AppendKeyTokens(dst []byte, key record.Key) ([]byte, error) {
	start := len(dst)
	var buf [64]byte
	err := key.EachText(buf[:], func(text []byte) {
		if len(dst) > start {
			dst = append(dst, '.')
		}
		dst = appendKeyToken(dst, text)
	})
	return digestLong(dst, start), err
}

func appendKeyToken(b, text []byte) []byte {
	const digits = "0123456789ABCDEF"
	if len(text) == 0 {
		return append(b, '=')
	}
	for _, c := range text {
		if plainTokenByte(c) {
			b = append(b, c)
		} else {
			b = append(b, '=', digits[c>>4], digits[c&15])
		}
	}
	return b
}

func digestLong(b []byte, start int) []byte {
	if len(b)-start <= maxKeyTokens {
		return b
	}
	sum := sha256.Sum256(b[start:])
	return hex.AppendEncode(append(b[:start], "=~"...), sum[:])
}

// ParseKeyTokens is the inverse of KeyTokens. It is an error for a digest.
func ParseKeyTokens(tokens string) ([]string, error) {
	var texts []string
	for _, tok := range strings.Split(tokens, ".") {
		if tok == "" || strings.HasPrefix(tok, "=~") {
			return nil, fmt.Errorf("%w: subject token %q holds no key", record.ErrKey, tok)
		}
		if tok == "=" {
			texts = append(texts, "")
			continue
		}
		var b strings.Builder
		for i := 0; i < len(tok); i++ {
			switch c := tok[i]; {
			case plainTokenByte(c):
				b.WriteByte(c)
			case c == '=' && i+2 < len(tok):
				raw, err := hex.DecodeString(tok[i+1 : i+3])
				if err != nil || strings.ToUpper(tok[i+1:i+3]) != tok[i+1:i+3] || plainTokenByte(raw[0]) {
					return nil, fmt.Errorf("%w: bad escape in subject token %q", record.ErrKey, tok)
				}
				b.WriteByte(raw[0])
				i += 2
			default:
				return nil, fmt.Errorf("%w: bad byte in subject token %q", record.ErrKey, tok)
			}
		}
		texts = append(texts, b.String())
	}
	return texts, nil
}

func plainTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// Headers of a message in meshctl's streams.
const (
	HeaderKey      = "Meshctl-Key"      // JSON array of the key's texts; on deletes and where the subject holds a digest
	HeaderDelete   = "Meshctl-Delete"   // "1": the key was deleted; the body is empty
	HeaderPosition = "Meshctl-Position" // the pipeline position that this message reached
	HeaderReason   = "Meshctl-Reason"   // of a dead letter
	HeaderOrigin   = "Meshctl-Origin"   // of a dead letter, also when it is taken again: stream:seq:index
	HeaderInput    = "Meshctl-Input"    // of a dead letter that a program made: the input that its batch came from
	HeaderRows     = "Meshctl-Rows"     // in an inbox: rows of this session up to and with this message
)

// AgainSubjects matches every dead letter that the product's logic takes again.
func (p *Product) AgainSubjects() string {
	return fmt.Sprintf("again.%s.%s.>", p.Metadata.Domain, p.Metadata.Name)
}

// DeadSubjects matches every dead letter of the product.
func (p *Product) DeadSubjects() string {
	return fmt.Sprintf("dead.%s.%s.>", p.Metadata.Domain, p.Metadata.Name)
}
