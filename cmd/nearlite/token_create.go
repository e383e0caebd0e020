package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nearlite/nearlite/catalog"
	"github.com/nearlite/nearlite/server/token"
)

// TokenCreateCmd is nearlite token create.
type TokenCreateCmd struct {
	DB       []string `name:"db" placeholder:"NAME" help:"For this database only; may be given several times. Without it the token is for all of them, and may create and delete them unless it is read-only."`
	ReadOnly bool     `help:"To read only."`
	Expires  lifetime `placeholder:"WHEN" help:"How long it is good for (90s, 12h, 30d, 2w, 1y), or until when (2030-01-31). Default: for ever."`
	Key      string   `default:"token.key" placeholder:"FILE" help:"The private key, from “nearlite token key” (default: ${default})."`

	Rate    float64       `group:"Limits, within the server's own" placeholder:"N" help:"Requests a second."`
	Burst   int           `group:"Limits, within the server's own" placeholder:"N" help:"Requests at once."`
	Streams int           `group:"Limits, within the server's own" placeholder:"N" help:"Transactions and WebSocket streams open at a time."`
	Rows    int           `group:"Limits, within the server's own" placeholder:"N" help:"Rows of one result."`
	Bytes   int64         `group:"Limits, within the server's own" placeholder:"N" help:"Bytes of one result."`
	Time    time.Duration `group:"Limits, within the server's own" placeholder:"DURATION" help:"How long one statement may run (500ms, 10s)."`
}

// Help is the end of nearlite token create --help.
func (TokenCreateCmd) Help() string {
	return `The token is printed, and nothing is stored: the server knows it by the key. It cannot
be taken back before it expires but by a new key, so give it an end.

  nearlite token create --db orders --expires 30d
  nearlite token create --db orders --db stock --read-only --expires 2030-01-31
  nearlite token create --db public --read-only --rate 50 --rows 1000 --time 2s
  TOKEN=$(nearlite token create --key /etc/nearlite/token.key)`
}

// Run prints a token.
func (c *TokenCreateCmd) Run(env *Env) error {
	key, err := c.key()
	if err != nil {
		return err
	}
	claims, err := c.claims(time.Now())
	if err != nil {
		return err
	}
	text, err := token.Mint(key, claims)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stdout, text)
	return err
}

func (c *TokenCreateCmd) key() (ed25519.PrivateKey, error) {
	data, err := os.ReadFile(c.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, advise(fmt.Errorf("there is no key %s to make a token with", c.Key), "“nearlite token key "+quoteArg(c.Key)+"” makes one, with a public one for the server")
	}
	if err != nil {
		return nil, locate(c.Key, err)
	}
	key, err := token.ParsePrivateKey(data)
	if err != nil {
		return nil, advise(fmt.Errorf("read the key %s: %w", c.Key, err), "give --key the private key that “nearlite token key” has made")
	}
	return key, nil
}

func (c *TokenCreateCmd) claims(now time.Time) (*token.Claims, error) {
	claims := &token.Claims{Access: token.Write, Expires: time.Time(c.Expires), IssuedAt: now}
	if c.ReadOnly {
		claims.Access = token.Read
	}
	for _, name := range c.DB {
		if err := catalog.CheckName(name); err != nil {
			return nil, fmt.Errorf("--db: %w", err)
		}
	}
	switch len(c.DB) {
	case 0:
	case 1:
		claims.Database = c.DB[0]
	default:
		claims.Permissions = &token.Permissions{Write: c.DB}
		if c.ReadOnly {
			claims.Permissions = &token.Permissions{Read: c.DB}
		}
	}
	limits := token.Limits{Rate: c.Rate, Burst: c.Burst, Streams: c.Streams, Rows: c.Rows, Bytes: c.Bytes, Time: c.Time}
	if c.Rate < 0 || math.IsNaN(c.Rate) || math.IsInf(c.Rate, 0) || c.Burst < 0 || c.Streams < 0 || c.Rows < 0 || c.Bytes < 0 || c.Time < 0 {
		return nil, advise(errors.New("a limit is a number above zero"), "leave it out for no limit but the server's")
	}
	if c.Burst > 0 && c.Rate == 0 {
		return nil, advise(errors.New("--burst says how many requests may come at once beyond --rate, which is missing"), "--rate "+strconv.Itoa(c.Burst))
	}
	if limits != (token.Limits{}) {
		claims.Limits = &limits
	}
	return claims, nil
}

// A lifetime is a moment, as how far away it is or as a date. The zero one never comes.
type lifetime time.Time

// UnmarshalText reads it from the command line.
func (l *lifetime) UnmarshalText(text []byte) error {
	at, err := parseLifetime(string(text), time.Now())
	*l = lifetime(at)
	return err
}

// longestLifetime is as good as for ever.
const longestLifetime = 100 * 365 * 24 * time.Hour

func parseLifetime(text string, now time.Time) (time.Time, error) {
	if date, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return mustCome(date, now)
	}
	if moment, err := time.Parse(time.RFC3339, text); err == nil {
		return mustCome(moment, now)
	}
	const day = 24 * time.Hour
	for suffix, unit := range map[string]time.Duration{"d": day, "w": 7 * day, "y": 365 * day} {
		number, ok := strings.CutSuffix(text, suffix)
		if n, err := strconv.Atoi(number); ok && err == nil && n > 0 && n <= int(longestLifetime/unit) {
			return now.Add(time.Duration(n) * unit), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 && d <= longestLifetime {
		return now.Add(d), nil
	}
	return time.Time{}, fmt.Errorf("%q is neither a time to live, such as 12h, 30d, 2w or 1y, nor a date, such as 2030-01-31", text)
}

func mustCome(at, now time.Time) (time.Time, error) {
	if !at.After(now) {
		return time.Time{}, fmt.Errorf("%s is over", at.Format(time.DateTime))
	}
	return at, nil
}
