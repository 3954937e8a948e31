package product

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
)

// Quantity is a Kubernetes quantity, such as "500m" or "10Gi". Its grammar is that of
// k8s.io/apimachinery/pkg/api/resource, which is not imported for the weight it brings.
type Quantity string

var errQuantity = errors.New("not a quantity such as 500m, 2 or 10Gi")

// the digits, and either a suffix or an exponent
var quantityPattern = regexp.MustCompile(`^([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]{1,3}))?$`)

// the power of ten or of two that a suffix stands for
var (
	tenPower = map[string]int{"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
	twoPower = map[string]uint{"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
)

// rat is the exact value.
func (q Quantity) rat() (*big.Rat, error) {
	m := quantityPattern.FindStringSubmatch(string(q))
	if m == nil || len(q) > 64 {
		return nil, fmt.Errorf("%q is %w", string(q), errQuantity)
	}
	r, ok := new(big.Rat).SetString(m[1])
	if !ok {
		return nil, fmt.Errorf("%q is %w", string(q), errQuantity)
	}
	if shift, ok := twoPower[m[2]]; ok {
		return r.Mul(r, new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), shift))), nil
	}
	exp := tenPower[m[2]]
	if m[3] != "" {
		exp, _ = strconv.Atoi(m[3]) // the pattern admits at most three digits
	}
	power := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exp, -exp))), nil))
	if exp < 0 {
		power.Inv(power)
	}
	return r.Mul(r, power), nil
}

// Bytes is the quantity as a whole number of bytes. A fraction of a byte is an error,
// for it is "m" (a thousandth) where "M" was meant.
func (q Quantity) Bytes() (int64, error) {
	r, err := q.rat()
	if err != nil {
		return 0, err
	}
	if !r.IsInt() {
		return 0, fmt.Errorf("%q is not a whole number of bytes", string(q))
	}
	if !r.Num().IsInt64() {
		return 0, fmt.Errorf("%q is more bytes than can be counted", string(q))
	}
	return r.Num().Int64(), nil
}

// Milli is the quantity in thousandths, such as CPU in millicores, rounded up.
func (q Quantity) Milli() (int64, error) {
	r, err := q.rat()
	if err != nil {
		return 0, err
	}
	r.Mul(r, big.NewRat(1000, 1))
	n, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		n.Add(n, big.NewInt(1))
	}
	if !n.IsInt64() {
		return 0, fmt.Errorf("%q is out of range", string(q))
	}
	return n.Int64(), nil
}
