package tpch

import "strings"

var (
	regions  = []string{"AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"}
	nations  = split("ALGERIA,ARGENTINA,BRAZIL,CANADA,EGYPT,ETHIOPIA,FRANCE,GERMANY,INDIA,INDONESIA,IRAN,IRAQ,JAPAN,JORDAN,KENYA,MOROCCO,MOZAMBIQUE,PERU,CHINA,ROMANIA,SAUDI ARABIA,VIETNAM,RUSSIA,UNITED KINGDOM,UNITED STATES")
	regionOf = []int{0, 1, 1, 1, 4, 0, 3, 3, 2, 2, 4, 4, 2, 4, 0, 0, 0, 1, 2, 3, 4, 2, 3, 3, 1}

	segments       = split("AUTOMOBILE,BUILDING,FURNITURE,MACHINERY,HOUSEHOLD")
	priorities     = split("1-URGENT,2-HIGH,3-MEDIUM,4-NOT SPECIFIED,5-LOW")
	instructions   = split("DELIVER IN PERSON,COLLECT COD,NONE,TAKE BACK RETURN")
	modes          = split("REG AIR,AIR,RAIL,SHIP,TRUCK,MAIL,FOB")
	typeSizes      = split("STANDARD,SMALL,MEDIUM,LARGE,ECONOMY,PROMO")
	typeCoats      = split("ANODIZED,BURNISHED,PLATED,POLISHED,BRUSHED")
	typeMetals     = split("TIN,NICKEL,BRASS,STEEL,COPPER")
	containerSizes = split("SM,LG,MED,JUMBO,WRAP")
	containers     = split("CASE,BOX,BAG,JAR,PKG,PACK,CAN,DRUM")

	colours = strings.Fields(`almond antique aquamarine azure beige bisque black blanched blue blush brown burlywood burnished chartreuse chiffon
		chocolate coral cornflower cornsilk cream cyan dark deep dim dodger drab firebrick floral forest frosted gainsboro ghost goldenrod green
		grey honeydew hot indian ivory khaki lace lavender lawn lemon light lime linen magenta maroon medium metallic midnight mint misty moccasin
		navajo navy olive orange orchid pale papaya peach peru pink plum powder puff purple red rose rosy royal saddle salmon sandy seashell
		sienna sky slate smoke snow spring steel tan thistle tomato turquoise violet wheat white yellow`)

	vocabulary = strings.Fields(`foxes ideas theodolites pinto beans instructions dependencies excuses platelets asymptotes courts dolphins multipliers
		sauternes warthogs frets dinos attainments somas Tiresias patterns forges braids hockey players frays warhorses dugouts notornis epitaphs pearls
		sleep wake are cajole haggle nag use boost affix detect integrate furious sly careful blithe quick fluffy slow quiet ruthless thin close
		dogged daring brave stealthy permanent enticing idle busy regular final ironic even bold silent special pending express requests packages
		accounts deposits`)
)

func split(list string) []string { return strings.Split(list, ",") }
