package product

import "fmt"

// ObjectColumns are the columns of every object port's listing, of which name is the key.
func ObjectColumns() []Column {
	return []Column{
		{Name: "name", LogicalType: TypeString, Required: true, Description: "The file's name."},
		{Name: "size", LogicalType: TypeInteger, Required: true, Description: "The file's bytes."},
		{Name: "time", LogicalType: TypeTimestamp, Required: true, Description: "When the file was put there."},
		{Name: "digest", LogicalType: TypeString, Required: true, Description: "SHA-256= and the digest of the file's content in base64url."},
		{Name: "metadata", LogicalType: TypeString, Description: "What was said of the file, as a JSON object of texts; null where nothing was."},
	}
}

// objectKey is the key of an object port's listing.
const objectKey = "name"

// Latest says whether a record of the port takes the place of the one with its key, and a
// key can be deleted.
func (o *Output) Latest() bool { return o.Type == State || o.Type == Object }

// Drops says whether the port's log drops records that nothing later takes the place of.
// The retention of an object port is that of its files: each one that goes is a delete in
// the log.
func (o *Output) Drops() bool { return o.Type != Object && o.Retention.bounds() }

// Files is the stream of an object port's files, as a port of its own for everything that
// has to do with streams: an object store, in the format of NATS clients.
func (id PortID) Files() PortID {
	id.Objects = true
	return id
}

// Bucket is the name of the object store of an object port. It is the same in the leaf of
// whoever reads the port.
func (id PortID) Bucket() string { return fmt.Sprintf("%s_%s-v%d", id.Product, id.Port, id.Major) }

// ChunkSubject is the subject of the chunks of one content, by its identifier (one token;
// "*" to match).
func (id PortID) ChunkSubject(content string) string { return "$O." + id.Bucket() + ".C." + content }

// FileSubject is the subject of what is known of a file, by its name in base64url (one
// token; "*" to match).
func (id PortID) FileSubject(name string) string { return "$O." + id.Bucket() + ".M." + name }

// The endpoints at which a product tells of its files, and takes them.
const (
	EndpointObject       = "object"
	EndpointObjects      = "objects"
	EndpointObjectCommit = "object-commit"
	EndpointObjectPut    = "object-put"
	EndpointObjectRemove = "object-rm"
)
