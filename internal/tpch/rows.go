package tpch

import (
	"fmt"
	"strings"
)

// random is a whole number from 0 to n-1, another for each row and salt.
func random(row, salt, n string) string {
	return "(hash(" + row + ", '" + salt + "') % (" + n + "))::BIGINT"
}

// oneOf is one of the texts.
func oneOf(row, salt string, of []string) string {
	return "(['" + strings.Join(of, "', '") + "'])[1 + " + random(row, salt, fmt.Sprint(len(of))) + "]"
}

// comment is a text of so many words.
func comment(row string, words int) string {
	list := make([]string, words)
	for i := range list {
		list[i] = oneOf(row, fmt.Sprint("word", i), vocabulary)
	}
	return "concat_ws(' ', " + strings.Join(list, ", ") + ")"
}

func address(row string) string {
	return "left(md5(" + row + "::VARCHAR) || ' ' || md5('a' || " + row + "), (10 + " + random(row, "address", "31") + ")::INT)"
}

func phone(row, nation string) string {
	part := func(salt, n, add string) string { return "(" + add + " + " + random(row, salt, n) + ")::VARCHAR" }
	return "(10 + " + nation + ")::VARCHAR || '-' || " + part("p1", "900", "100") + " || '-' || " + part("p2", "900", "100") + " || '-' || " + part("p3", "9000", "1000")
}

func balance(row string) string { return "(" + random(row, "balance", "1099999") + " - 99999) / 100" }

// retail is the price of a part, which the specification makes of its key.
func retail(part string) string {
	return "((90000 + (" + part + " // 10) % 20001 + 100 * (" + part + " % 1000))::DECIMAL(15,2) * 0.01)::DECIMAL(15,2)"
}

// supplierOf is the i-th of the four suppliers of a part.
func supplierOf(part, i string, suppliers int) string {
	return fmt.Sprintf("((%[1]s + (%[2]s) * (%[3]d // 4 + (%[1]s - 1) // %[3]d)) %% %[3]d + 1)", part, i, suppliers)
}

const (
	firstDay = "DATE '1992-01-01'"
	lastDays = "2406" // from firstDay to the last day of an order, 1998-08-02
	today    = "DATE '1995-06-17'"
)

// rowsOf is a SELECT with a table's columns.
func rowsOf(table string, scale float64) string {
	suppliers, parts := max(4, count(10_000, scale)), count(200_000, scale)
	customers, orders := count(150_000, scale), count(1_500_000, scale)
	switch table {
	case "region":
		return "SELECT i AS r_regionkey, (['" + strings.Join(regions, "', '") + "'])[i + 1] AS r_name, " + comment("i", 8) + " AS r_comment FROM range(5) t(i)"
	case "nation":
		return fmt.Sprintf("SELECT i AS n_nationkey, (['%s'])[i + 1] AS n_name, (%v)[i + 1] AS n_regionkey, %s AS n_comment FROM range(25) t(i)",
			strings.Join(nations, "', '"), strings.ReplaceAll(fmt.Sprint(regionOf), " ", ", "), comment("i + 100", 9))
	case "supplier":
		return supplierRows(suppliers)
	case "part":
		return partRows(parts)
	case "partsupp":
		return fmt.Sprintf(`SELECT p AS ps_partkey, %s AS ps_suppkey, 1 + %s AS ps_availqty, (100 + %s) / 100 AS ps_supplycost, %s AS ps_comment
			FROM range(1, %d) t(p), range(4) s(i)`, supplierOf("p", "i", suppliers), random("p * 4 + i", "qty", "9999"), random("p * 4 + i", "cost", "99901"),
			comment("p * 4 + i", 12), parts+1)
	case "customer":
		return fmt.Sprintf(`SELECT c AS c_custkey, format('Customer#{:09d}', c) AS c_name, %s AS c_address, nation AS c_nationkey, %s AS c_phone, %s AS c_acctbal,
			%s AS c_mktsegment, %s AS c_comment FROM (SELECT c, %s AS nation FROM range(1, %d) t(c))`, address("c"), phone("c", "nation"), balance("c"),
			oneOf("c", "segment", segments), comment("c", 10), random("c", "nation", "25"), customers+1)
	case "orders":
		return orderRows(orders, customers, parts, max(1, count(1000, scale)))
	}
	return lineRows(orders, parts, suppliers)
}

// supplierRows has five complaints and five recommendations in 10,000 comments.
func supplierRows(suppliers int) string {
	return fmt.Sprintf(`SELECT s AS s_suppkey, format('Supplier#{:09d}', s) AS s_name, %s AS s_address, nation AS s_nationkey, %s AS s_phone, %s AS s_acctbal,
		CASE WHEN s %% 2000 = 19 THEN 'slyly Customer even Complaints ' WHEN s %% 2000 = 37 THEN 'Customer bold Recommends ' ELSE '' END || %s AS s_comment
		FROM (SELECT s, %s AS nation FROM range(1, %d) t(s))`, address("s"), phone("s", "nation"), balance("s"), comment("s", 8), random("s", "nation", "25"), suppliers+1)
}

// partRows has five different colours in a name: steps that the number of colours shares nothing with.
func partRows(parts int) string {
	colour := func(i int) string {
		return fmt.Sprintf("(['%s'])[1 + (c + %d * (1 + step)) %% %d]", strings.Join(colours, "', '"), i, len(colours))
	}
	return fmt.Sprintf(`SELECT p AS p_partkey, concat_ws(' ', %s, %s, %s, %s, %s) AS p_name, 'Manufacturer#' || m AS p_mfgr, 'Brand#' || m || n AS p_brand,
		concat_ws(' ', %s, %s, %s) AS p_type, 1 + %s AS p_size, concat_ws(' ', %s, %s) AS p_container, %s AS p_retailprice, %s AS p_comment
		FROM (SELECT p, %s AS c, %s AS step, 1 + %s AS m, 1 + %s AS n FROM range(1, %d) t(p))`,
		colour(0), colour(1), colour(2), colour(3), colour(4), oneOf("p", "t1", typeSizes), oneOf("p", "t2", typeCoats), oneOf("p", "t3", typeMetals),
		random("p", "size", "50"), oneOf("p", "c1", containerSizes), oneOf("p", "c2", containers), retail("p"), comment("p", 2),
		random("p", "colour", fmt.Sprint(len(colours))), random("p", "step", "22"), random("p", "m", "5"), random("p", "n", "5"), parts+1)
}

// order is what an order and its lines have in common, of its number o. Of each 32 keys
// eight are used.
func order(orders int) string {
	return "SELECT o, (o // 8) * 32 + o % 8 + 1 AS orderkey, " + firstDay + " + " + random("o", "date", lastDays) + "::INT AS orderdate FROM range(" + fmt.Sprint(orders) + ") t(o)"
}

// line is what is known of a line before its part is looked up.
func line(orders, parts int) string {
	return fmt.Sprintf(`SELECT *, o * 7 + n AS l, 1 + %s AS partkey, 1 + %s AS quantity, %s::DECIMAL(15,2) * 0.01 AS discount, %s::DECIMAL(15,2) * 0.01 AS tax,
		orderdate + (1 + %s)::INT AS shipdate FROM (%s), range(7) s(n) WHERE n <= %s`,
		random("o * 7 + n", "part", fmt.Sprint(parts)), random("o * 7 + n", "quantity", "50"), random("o * 7 + n", "discount", "11"), random("o * 7 + n", "tax", "9"),
		random("o * 7 + n", "ship", "121"), order(orders), random("o", "lines", "7"))
}

func lineRows(orders, parts, suppliers int) string {
	return fmt.Sprintf(`SELECT orderkey AS l_orderkey, partkey AS l_partkey, %s AS l_suppkey, n + 1 AS l_linenumber, quantity AS l_quantity,
		quantity * %s AS l_extendedprice, discount AS l_discount, tax AS l_tax,
		CASE WHEN receiptdate > %s THEN 'N' ELSE %s END AS l_returnflag, CASE WHEN shipdate > %s THEN 'O' ELSE 'F' END AS l_linestatus,
		shipdate AS l_shipdate, orderdate + (30 + %s)::INT AS l_commitdate, receiptdate AS l_receiptdate, %s AS l_shipinstruct, %s AS l_shipmode, %s AS l_comment
		FROM (SELECT *, shipdate + (1 + %s)::INT AS receiptdate FROM (%s))`,
		supplierOf("partkey", random("l", "supplier", "4"), suppliers), retail("partkey"), today, oneOf("l", "flag", []string{"R", "A"}), today,
		random("l", "commit", "61"), oneOf("l", "instruct", instructions), oneOf("l", "mode", modes), comment("l", 4), random("l", "receipt", "30"), line(orders, parts))
}

// orderRows are the orders of two thirds of the customers, with the sums of their lines.
func orderRows(orders, customers, parts, clerks int) string {
	return fmt.Sprintf(`SELECT orderkey AS o_orderkey, customer * 3 // 2 + 1 AS o_custkey,
		CASE WHEN open = 0 THEN 'F' WHEN open = lines THEN 'O' ELSE 'P' END AS o_orderstatus, total AS o_totalprice, orderdate AS o_orderdate,
		%s AS o_orderpriority, format('Clerk#{:09d}', 1 + %s) AS o_clerk, 0 AS o_shippriority, %s AS o_comment
		FROM (SELECT o, orderkey, orderdate, %s AS customer, count(*) AS lines, count(*) FILTER (WHERE shipdate > %s) AS open,
			sum(quantity * %s * (1 + tax) * (1 - discount))::DECIMAL(15,2) AS total FROM (%s) GROUP BY o, orderkey, orderdate)`,
		oneOf("o", "priority", priorities), random("o", "clerk", fmt.Sprint(clerks)), comment("o", 7), random("o", "customer", fmt.Sprint(max(1, customers*2/3))),
		today, retail("partkey"), line(orders, parts))
}
