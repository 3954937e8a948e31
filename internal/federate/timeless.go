package federate

import "strings"

// Timeless says that a statement means the same whenever it is answered, but for what it
// leaves to chance: nothing in it tells the moment.
func Timeless(sql string) bool {
	list := tokens(sql)
	for i, t := range list {
		if t.kind != word && t.kind != quoted {
			continue
		}
		name := strings.ToLower(strings.Trim(t.text, `"`))
		if moments[name] || called(list[i+1:]) && (momentCalls[name] || hasPrefix(name, "current_", "get_current_", "local", "txid_", "pg_")) {
			return false
		}
	}
	return true
}

// called says whether a bracket opens next.
func called(list []token) bool {
	for _, t := range list {
		if t.kind != space {
			return t.text == "("
		}
	}
	return false
}

// moments are names that tell the moment without brackets, momentCalls functions that do.
// TestFunctionsThatTellTheMomentAreNotTimeless fails when an engine has others.
var (
	moments     = map[string]bool{"current_date": true, "current_time": true, "current_timestamp": true, "localtime": true, "localtimestamp": true}
	momentCalls = map[string]bool{"now": true, "today": true, "transaction_timestamp": true, "age": true, "ago": true, "in_search_path": true}
)
