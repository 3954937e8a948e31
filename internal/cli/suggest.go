package cli

// nearest is the one of names that s is most likely a slip of; empty when none is near.
func nearest(s string, names []string) string {
	best, limit := "", max(1, len(s)/3)
	for _, name := range names {
		if d := distance(s, name); d <= limit {
			best, limit = name, d-1
		}
	}
	return best
}

// distance counts the single-byte edits, a swap of neighbours being one, from a to b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
