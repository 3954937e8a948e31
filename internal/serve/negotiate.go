package serve

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/meshctl/meshctl/internal/fault"
)

// The media types of answers.
const (
	mediaJSON     = "application/json"
	mediaNDJSON   = "application/x-ndjson"
	mediaCSV      = "text/csv"
	mediaArrow    = "application/vnd.apache.arrow.stream"
	mediaMarkdown = "text/markdown"
	mediaMetrics  = "text/plain; version=0.0.4; charset=utf-8"
)

// the names of media types in the parameter format
var formatNames = []struct{ name, media string }{
	{"json", mediaJSON}, {"ndjson", mediaNDJSON}, {"csv", mediaCSV}, {"arrow", mediaArrow}, {"markdown", mediaMarkdown},
}

// negotiate is the media type to answer in, of those offered: what the parameter
// format names, else what the Accept header likes best. Among equals the one that is
// named more closely wins, then the one offered first.
func (c *call) negotiate(offers []answer) (string, error) {
	var medias, names []string
	for _, f := range formatNames {
		for _, o := range offers {
			if o.media == f.media {
				medias, names = append(medias, f.media), append(names, f.name)
			}
		}
	}
	if want := c.param("format"); want != "" {
		for i, name := range names {
			if name == want {
				return medias[i], nil
			}
		}
		return "", fault.New(fault.Invalid, "use "+strings.Join(names, ", "), "there is no format %q here", want)
	}
	c.w.Header().Set("Vary", "Accept")
	accept := strings.Join(c.r.Header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return medias[0], nil
	}
	best, bestQ, bestClose := "", 0.0, 0
	for _, media := range medias {
		q, closeness := quality(accept, media)
		if q > bestQ || q == bestQ && q > 0 && closeness > bestClose {
			best, bestQ, bestClose = media, q, closeness
		}
	}
	if best == "" {
		return "", refuse(http.StatusNotAcceptable, "accept one of "+strings.Join(medias, ", "), "cannot answer as %s", accept)
	}
	return best, nil
}

// quality is the weight that an Accept header gives to a media type, by the range
// that names it most closely (RFC 9110, 12.5.1); 0 is refused.
func quality(accept, media string) (q float64, closeness int) {
	major, _, _ := strings.Cut(media, "/")
	for _, item := range strings.Split(accept, ",") {
		name, params, err := mime.ParseMediaType(item)
		if err != nil {
			continue // an unreadable range asks for nothing
		}
		level := 0
		switch name {
		case media:
			level = 3
		case major + "/*":
			level = 2
		case "*/*":
			level = 1
		}
		if level <= closeness {
			continue
		}
		weight := 1.0
		if text, ok := params["q"]; ok {
			weight, err = strconv.ParseFloat(text, 64)
			if err != nil || weight < 0 || weight > 1 {
				continue
			}
		}
		q, closeness = weight, level
	}
	return q, closeness
}
