package nearlite

import "fmt"

func scanInto(row Row, dest any) error {
	switch p := dest.(type) {
	case *int64:
		*p = row.Int64(0)
	case *int:
		*p = row.Int(0)
	case *string:
		*p = row.Text(0)
	default:
		return fmt.Errorf("scan into %T", dest)
	}
	return nil
}
