package blob

import "sort"

// SQLite stores a row in a leaf of its tree, and what is too much for it in
// overflow pages. Overflow pages are filled to the last byte; the rest, up to
// nearly a page for each row, lies in the leaf, and rows that come in any order
// leave a quarter of their leaves empty. Ids of content mean nothing to anybody,
// so what is imported together gets its ids in an order in which neighbours fill
// their leaf. For files of 8 to 12 kB on pages of 4 KiB that is 5 % of the disk.
//
// Source of the sizes: the SQLite file format, "Cell payload overflow pages".

// leafBytes returns how many bytes of a leaf a row of content takes that has so
// many bytes, on pages of that size.
func leafBytes(content, page int) int {
	const (
		header = 2 + 3     // of the record: its size, NULL for the id, the type of the content
		around = 2 + 3 + 3 // the cell's pointer, the record's size, the row's id
	)
	record := header + content
	most, least := page-35, (page-12)*32/255-23
	if record <= most {
		return around + record
	}
	local := least + (record-least)%(page-4)
	if local > most {
		local = least
	}
	return around + local + 4
}

// packed returns the order in which rows of those sizes fill the leaves of a
// table with pages of that size: the largest first, each to the fullest leaf it
// fits in.
func packed(sizes []int, page int) []int {
	type leaf struct {
		room int
		rows []int
	}
	bytes, order := make([]int, len(sizes)), make([]int, len(sizes))
	for i, size := range sizes {
		bytes[i], order[i] = leafBytes(size, page), i
	}
	sort.SliceStable(order, func(a, b int) bool { return bytes[order[a]] > bytes[order[b]] })
	var leaves []leaf
	for _, row := range order {
		best := -1
		for i := range leaves {
			if leaves[i].room >= bytes[row] && (best < 0 || leaves[i].room < leaves[best].room) {
				best = i
			}
		}
		if best < 0 {
			leaves = append(leaves, leaf{room: page - 8})
			best = len(leaves) - 1
		}
		leaves[best].room -= bytes[row]
		leaves[best].rows = append(leaves[best].rows, row)
	}
	order = order[:0]
	for _, l := range leaves {
		order = append(order, l.rows...)
	}
	return order
}
