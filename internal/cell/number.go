package cell

import (
	"math"
	"math/bits"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// appendFloat appends the shortest number that reads back as f, in the manner of
// encoding/json; null and false for what JSON cannot write.
func appendFloat(dst []byte, f float64, size int) (out []byte, exact bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...), false
	}
	if abs := math.Abs(f); abs == 0 || (abs >= 1e-6 && abs < 1e21) {
		return strconv.AppendFloat(dst, f, 'f', -1, size), true
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, size)
	if n := len(dst); dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' { // e-09 is e-9
		dst = append(dst[:n-2], dst[n-1])
	}
	return dst, true
}

func appendFloatText(dst []byte, arr arrow.Array, i int) []byte {
	var f float64
	size := 32
	switch a := arr.(type) {
	case *array.Float64:
		f, size = a.Value(i), 64
	case *array.Float32:
		f = float64(a.Value(i))
	case *array.Float16:
		f = float64(a.Value(i).Float32())
	}
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	out, _ := appendFloat(dst, f, size)
	return out
}

// appendDecimal128 appends every digit of n, which is scaled by 10^scale. It does
// without big.Int, for every amount of every record passes here.
func appendDecimal128(dst []byte, n decimal128.Num, scale int32) []byte {
	hi, lo := uint64(n.HighBits()), n.LowBits()
	if n.HighBits() < 0 {
		dst = append(dst, '-')
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	var text [40]byte
	digits := text[:0]
	if hi == 0 {
		digits = strconv.AppendUint(digits, lo, 10)
	} else {
		const unit = 10_000_000_000_000_000_000 // 10^19, the largest power of ten in 64 bits
		// hi is at most 2^63, which is below unit, so the division cannot overflow.
		head, tail := bits.Div64(hi, lo, unit)
		digits = strconv.AppendUint(digits, head, 10)
		digits = appendPadded(digits, tail, 19)
	}
	if scale <= 0 {
		dst = append(dst, digits...)
		for ; scale < 0 && (hi != 0 || lo != 0); scale++ {
			dst = append(dst, '0')
		}
		return dst
	}
	whole := len(digits) - int(scale)
	if whole > 0 {
		dst = append(append(dst, digits[:whole]...), '.')
		return append(dst, digits[whole:]...)
	}
	dst = append(dst, '0', '.')
	for ; whole < 0; whole++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// appendPadded appends v in at least width digits.
func appendPadded(dst []byte, v uint64, width int) []byte {
	var text [20]byte
	digits := strconv.AppendUint(text[:0], v, 10)
	for n := len(digits); n < width; n++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}
