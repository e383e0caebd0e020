package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// certificate is one that is read again when its files change, as they do every
// few weeks where a program renews them.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex // protects the following
	current *tls.Certificate
	stamp   [2]time.Time // of the files it was read from
	looked  time.Time
}

// certificateCheck is how often the files are looked at.
const certificateCheck = time.Second

// secure makes a listener's connections TLS.
func (c *ServeCmd) secure(l net.Listener, log *slog.Logger) (net.Listener, error) {
	cert := &certificate{certFile: c.TLSCert, keyFile: c.TLSKey, log: log}
	if err := cert.read(cert.stamps()); err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	return secureListener{tls.NewListener(l, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: cert.get,
	})}, nil
}

// secureListener tells those who come with http:// to use https://: net/http would,
// if it saw that the connections are TLS.
type secureListener struct{ net.Listener }

// Accept waits for the next connection.
func (l secureListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return secureConn{conn}, nil
}

type secureConn struct{ net.Conn }

// Read reads what was encrypted; the first time it shakes hands.
func (c secureConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) && plain.Conn != nil && slices.Contains([]string{"GET /", "POST ", "PUT /", "HEAD ", "DELET", "PATCH", "OPTIO"}, string(plain.RecordHeader[:])) {
		_, _ = io.WriteString(plain.Conn, "HTTP/1.0 400 Bad Request\r\nContent-Type: application/json\r\n\r\n"+
			`{"error":{"code":"BAD_REQUEST","message":"This is an HTTPS server: begin its URL with https://"}}`+"\n")
	}
	return n, err
}

func (c *certificate) stamps() (stamp [2]time.Time) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			stamp[i] = info.ModTime()
		}
	}
	return stamp
}

func (c *certificate) read(stamp [2]time.Time) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.current, c.stamp = &pair, stamp
	return nil
}

// get returns the certificate of now. While the files are being written they may
// not fit together; then the last good one is used, and they are looked at again.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < certificateCheck {
		return c.current, nil
	}
	c.looked = time.Now()
	if stamp := c.stamps(); stamp != c.stamp {
		if err := c.read(stamp); err != nil {
			c.log.Warn("the new certificate cannot be used; the old one is", "cert", c.certFile, "key", c.keyFile, "err", err)
		} else {
			c.log.Info("read the new certificate", "cert", c.certFile)
		}
	}
	return c.current, nil
}
