package token

// Error says why somebody is not let in. Code and Message are sqld's, which clients
// match; Detail is for the operator's log only.
type Error struct {
	Code    string
	Message string
	Detail  string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Is compares codes, so that errors with details are the sentinels below.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code
}

// What is wrong with a token, or with the header that should have held it.
var (
	// ErrMissing is returned when there is no token.
	ErrMissing = &Error{Code: "AUTH_HEADER_NOT_FOUND", Message: "Expected authorization header but none given"}
	// ErrMalformed is returned when the header has not the form "Bearer <token>".
	ErrMalformed = &Error{Code: "AUTH_HEADER_MALFORMED", Message: "Auth string does not conform to '<scheme> <token>' form"}
	// ErrScheme is returned when the header's scheme is not Bearer.
	ErrScheme = &Error{Code: "AUTH_HTTP_HEADER_UNSUPPORTED_SCHEME", Message: "The authentication scheme in the `Authorization` HTTP header is not supported"}
	// ErrInvalid is returned when no key has signed the token, or it makes no sense.
	ErrInvalid = &Error{Code: "AUTH_JWT_INVALID", Message: "The JWT is invalid"}
	// ErrExpired is returned when the token's time is over.
	ErrExpired = &Error{Code: "AUTH_JWT_EXPIRED", Message: "The JWT has expired"}
	// ErrImmature is returned before the token's time begins.
	ErrImmature = &Error{Code: "AUTH_JWT_IMMATURE", Message: "The JWT is immature (not valid yet)"}
)

func invalid(detail string) error {
	return &Error{Code: ErrInvalid.Code, Message: ErrInvalid.Message, Detail: detail}
}
