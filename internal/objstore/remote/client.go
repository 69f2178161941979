package remote

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"io"
	"strings"

	"github.com/varve-log/varve/internal/objstore"
)

// Client is one SDK reduced to single attempts on one bucket. Keys are whole, the store's prefix
// included. Clients never retry and return the SDK's errors as they are; Explain reads them.
type Client interface {
	// Put sends the object in one request.
	Put(ctx context.Context, o Upload) (objstore.Info, error)
	// Get opens a range as told by the HTTP header's value, empty for all of it, of the object with
	// that ETag unless that is empty.
	Get(ctx context.Context, key, httpRange, ifMatch string) (Download, error)
	Head(ctx context.Context, key string) (objstore.Info, error)
	// List gives at most limit keys and may give fewer while More is set.
	List(ctx context.Context, prefix, after string, limit int) (objstore.Page, error)
	Delete(ctx context.Context, key string) error

	// CreateUpload begins a multipart upload and announces that its parts will carry CRC32Cs.
	CreateUpload(ctx context.Context, key string) (uploadID string, err error)
	UploadPart(ctx context.Context, uploadID string, number int32, part Upload) (Part, error)
	// CompleteUpload makes the object of its parts, under the Upload's condition and checksum.
	CompleteUpload(ctx context.Context, uploadID string, parts []Part, o Upload) (objstore.Info, error)
	AbortUpload(ctx context.Context, key, uploadID string) error

	// Explain reads an error of one of the methods above.
	Explain(err error) Failure
	// Close releases what the client holds.
	Close() error
}

// Upload is an object or a part on its way to the store.
type Upload struct {
	Key  string
	Body *io.SectionReader
	// CRC32C is the body's checksum as the header x-amz-checksum-crc32c carries it.
	CRC32C string
	Cond   objstore.Condition
}

// Part is an uploaded part.
type Part struct {
	Number int32
	ETag   string
	CRC32C string
}

// Download is an answered Get.
type Download struct {
	Body io.ReadCloser
	// Info describes the object; its Size is not read.
	Info objstore.Info
	// ContentRange is the header of that name, empty for a whole object of ContentLength bytes.
	ContentRange  string
	ContentLength int64
}

// Failure is what the store answered, if it did.
type Failure struct {
	Status int    // HTTP status; 0 without an answer
	Code   string // S3's error code; may be empty
}

// EncodeChecksum gives a CRC32C as S3's headers carry it.
func EncodeChecksum(crc uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))
}

// DecodeChecksum reads a CRC32C header. False for an empty one, and for the checksum of part
// checksums that some stores tell of multipart objects ("...-7").
func DecodeChecksum(s string) (crc uint32, ok bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b), true
}

// BareETag strips the quotes that some SDKs leave on. Infos carry bare ETags, so that one learned
// by one client serves the other.
func BareETag(etag string) string { return strings.Trim(etag, `"`) }

// QuotedETag is the form that goes into an If-Match header.
func QuotedETag(etag string) string { return `"` + etag + `"` }
