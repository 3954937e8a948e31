package catalog

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/meshctl/meshctl/internal/record"
)

// Vitals is how a product's leaf, or the hub, fares, as it says itself when it is asked.
type Vitals struct {
	Name    string    `json:"name"`   // of the product, or the hub's
	Domain  string    `json:"domain"` // JetStream's
	Version string    `json:"version,omitempty"`
	Meshctl string    `json:"meshctl"`
	Server  string    `json:"server"` // version of the NATS server within
	Now     time.Time `json:"now"`    // by its own clock
	Started time.Time `json:"started"`
	// MaxPayload is the largest message that it takes, in bytes.
	MaxPayload int64   `json:"maxPayload"`
	Link       *Uplink `json:"link,omitempty"` // a leaf's, to the hub
	Storage    Storage `json:"storage"`
	Streams    int     `json:"streams"`
	Error      string  `json:"error,omitempty"` // why it takes no records any more
	Ports      []Reach `json:"ports,omitempty"`
	Inputs     []Input `json:"inputs,omitempty"`
	// Key and Expires are of the credential that a leaf has joined with last.
	Key     string    `json:"key,omitempty"`
	Expires time.Time `json:"expires,omitzero"`

	// Details are there only when they were asked for.
	Details []Stream `json:"details,omitempty"`

	// Leaves and Nodes are the hub's: who has joined which of its servers.
	Leaves []Joined `json:"leaves,omitempty"`
	Nodes  []Node   `json:"nodes,omitempty"`
	Size   int      `json:"size,omitempty"` // nodes that the hub should have

	// What the asker adds.
	RoundTrip Span `json:"roundTripSeconds,omitempty"` // until the answer was there
	Skew      Span `json:"skewSeconds,omitempty"`      // how far its clock is ahead of the asker's, give or take half of that
}

// Uplink is a leaf's connection to the hub.
type Uplink struct {
	Joined bool      `json:"joined"`
	Since  time.Time `json:"since,omitzero"` // that it is joined, or is not
	Joins  int       `json:"joins"`          // how often it has joined since it started
	// In and Out are bytes a second over the last few seconds, and all bytes since it joined.
	In       float64 `json:"inPerSecond"`
	Out      float64 `json:"outPerSecond"`
	InBytes  int64   `json:"inBytes"`
	OutBytes int64   `json:"outBytes"`
	RTT      Span    `json:"rttSeconds,omitempty"` // to the hub, as the server measured it last
	Refused  string  `json:"refused,omitempty"`
}

// Storage is what streams use, and what there is on the disk that they are on.
type Storage struct {
	Used     uint64 `json:"used"`
	Limit    int64  `json:"limit"` // that streams may use; the server's own guess where nobody set one
	DiskFree uint64 `json:"diskFree"`
	DiskSize uint64 `json:"diskSize"`
	// Volume is the size that the descriptor gives the product's volume; 0 where it does not.
	Volume   int64  `json:"volume,omitempty"`
	KeyValue uint64 `json:"keyValue,omitempty"` // bytes of the key-value store, where details were asked for
	Table    uint64 `json:"table,omitempty"`    // bytes of the tables on the volume, likewise
}

// Reach is how far the stores of one port are behind its log.
type Reach struct {
	Port     string          `json:"port"`
	Contract string          `json:"contract"` // version of the descriptor that it runs by
	Stream   string          `json:"stream"`
	First    record.Seq      `json:"first"` // of the log
	Last     record.Seq      `json:"last"`
	Records  uint64          `json:"records"`
	Dead     uint64          `json:"dead"`
	Accepted uint64          `json:"accepted"` // records since the process started
	Refused  uint64          `json:"refused"`  // dead letters since the process started
	Stores   []StorePosition `json:"stores"`
	Error    string          `json:"error,omitempty"`
}

// StorePosition is how far one materialisation has come.
type StorePosition struct {
	Kind     string     `json:"kind"` // key-value or table
	Position record.Seq `json:"position"`
	Lag      uint64     `json:"lag"`
}

// The kinds of materialisation.
const (
	KeyValue = "key-value"
	Table    = "table"
)

// Stores is how many bytes the stores have.
func (s *Storage) Stores() uint64 { return s.KeyValue + s.Table }

// Lag is how far the slowest of a product's stores is behind its log.
func (v *Vitals) Lag() (lag uint64) {
	for _, p := range v.Ports {
		for _, s := range p.Stores {
			lag = max(lag, s.Lag)
		}
	}
	return lag
}

// Stream is one stream of a leaf or the hub: what it is set to and how it fares.
type Stream struct {
	Name      string            `json:"name"`
	Subjects  []string          `json:"subjects,omitempty"`
	Retention string            `json:"retention"`
	Replicas  int               `json:"replicas"`
	Current   int               `json:"current"` // replicas that are up to date
	MaxAge    Span              `json:"maxAgeSeconds,omitempty"`
	MaxBytes  int64             `json:"maxBytes,omitempty"`
	MaxMsgs   int64             `json:"maxMsgs,omitempty"`
	PerKey    int64             `json:"maxMsgsPerSubject,omitempty"`
	MaxSize   int32             `json:"maxMsgSize,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	Mirror    *Source           `json:"mirror,omitempty"`
	Sources   []Source          `json:"sources,omitempty"`
	Consumers []Consumer        `json:"consumers,omitempty"`
	First     record.Seq        `json:"first"`
	Last      record.Seq        `json:"last"`
	Messages  uint64            `json:"messages"`
	Bytes     uint64            `json:"bytes"`
	Lost      uint64            `json:"lost,omitempty"` // messages that the server found damaged when it started
}

// Gaps is how many messages between the first and the last are not there.
func (s *Stream) Gaps() uint64 {
	if s.Messages == 0 {
		return 0
	}
	return uint64(s.Last-s.First) + 1 - s.Messages
}

// The metadata that meshctl itself keeps on a stream.
const (
	MetaProduct  = "meshctl.product"
	MetaPort     = "meshctl.port"
	MetaContract = "meshctl.contract"
	MetaInbox    = "meshctl.inbox"
	MetaFiles    = "meshctl.files"
	MetaAge      = "meshctl.age" // of files: their product removes older ones
	MetaSource   = "meshctl.source"
)

// Bounded says whether anything limits what the stream holds.
func (s *Stream) Bounded() bool {
	return s.MaxAge > 0 || s.MaxBytes > 0 || s.MaxMsgs > 0 || s.PerKey > 0
}

// Source is a stream that another one copies.
type Source struct {
	Stream    string `json:"stream"`
	API       string `json:"api,omitempty"` // prefix of the JetStream API where it is asked for; the same domain's when empty
	Filter    string `json:"filter,omitempty"`
	Transform bool   `json:"transform,omitempty"`
	Durable   string `json:"durable,omitempty"` // of the consumer that sends it
	Active    Span   `json:"activeSeconds"`     // since it was last heard of; negative when never
	Lag       uint64 `json:"lag"`
	Error     string `json:"error,omitempty"`
}

// Consumer is one reader of a stream.
type Consumer struct {
	Name        string `json:"name"`
	Durable     bool   `json:"durable"`
	Pending     uint64 `json:"pending"`    // not delivered yet
	Unacked     int    `json:"ackPending"` // delivered and not acknowledged
	Redelivered int    `json:"redelivered"`
	Idle        Span   `json:"idleSeconds"` // since it last delivered or was acknowledged
	Acks        bool   `json:"acks"`        // its reader acknowledges each message
	Paused      bool   `json:"paused,omitempty"`
}

// Joined is a leaf as the hub sees it.
type Joined struct {
	Server   string `json:"server"` // its server's name
	Domain   string `json:"domain"` // as far as the name says it
	Node     string `json:"node"`   // of the hub, that it has joined
	IP       string `json:"ip"`
	RTT      Span   `json:"rttSeconds,omitempty"`
	InBytes  int64  `json:"inBytes"` // from the leaf
	OutBytes int64  `json:"outBytes"`
	InMsgs   int64  `json:"inMsgs"`
	OutMsgs  int64  `json:"outMsgs"`
}

// Node is one server of the hub.
type Node struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Leader  bool   `json:"leader,omitempty"`
}

// MeshVitals is what all of a mesh said when it was asked.
type MeshVitals struct {
	Hub      Vitals   `json:"hub"`
	Products []Vitals `json:"products"`
	// Silent are the products of the catalog that did not answer.
	Silent []string `json:"silent"`
}

// Product is the vitals of that product, nil when it did not answer.
func (m *MeshVitals) Product(name string) *Vitals {
	for i := range m.Products {
		if m.Products[i].Name == name {
			return &m.Products[i]
		}
	}
	return nil
}

// Sort orders by name.
func (m *MeshVitals) Sort() {
	slices.SortFunc(m.Products, func(a, b Vitals) int { return cmp.Compare(a.Name, b.Name) })
	slices.Sort(m.Silent)
}

// Span is a time that passes. As JSON it is a number of seconds.
type Span time.Duration

// MarshalJSON writes seconds.
func (s Span) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', -1, 64), nil
}

// UnmarshalJSON reads seconds.
func (s *Span) UnmarshalJSON(text []byte) error {
	seconds, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return fmt.Errorf("read a time in seconds: %w", err)
	}
	*s = Span(math.Round(seconds * float64(time.Second)))
	return nil
}

// String is the time as a person reads it.
func (s Span) String() string { return time.Duration(s).String() }

// LeafState says what is known of a leaf.
type LeafState string

// The states of a leaf.
const (
	LeafJoined   LeafState = "joined"
	LeafSilent   LeafState = "silent"   // the catalog has its product, which does not answer
	LeafStranger LeafState = "stranger" // it has joined the hub, and its product is not in the catalog
)

// Leaf is one leaf as a mesh knows it: by itself, by the hub, or by the catalog alone.
type Leaf struct {
	State LeafState `json:"state"`
	Vitals
}

// Leaves are all leaves that a mesh knows of, by name.
func (m *MeshVitals) Leaves() []Leaf {
	all := []Leaf{}
	known := map[string]bool{}
	for _, v := range m.Products {
		all = append(all, Leaf{LeafJoined, v})
		known[v.Domain] = true
	}
	for _, name := range m.Silent {
		all = append(all, Leaf{LeafSilent, Vitals{Name: name, Domain: name}})
		known[name] = true
	}
	for _, j := range m.Hub.Leaves {
		if !known[j.Domain] {
			link := &Uplink{Joined: true, InBytes: j.OutBytes, OutBytes: j.InBytes, RTT: j.RTT}
			all = append(all, Leaf{LeafStranger, Vitals{Name: j.Domain, Domain: j.Domain, Link: link}})
		}
	}
	slices.SortStableFunc(all, func(a, b Leaf) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
