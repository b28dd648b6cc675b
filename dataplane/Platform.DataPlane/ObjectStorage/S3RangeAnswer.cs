using System.Net.Http.Headers;
using Amazon.S3.Model;

namespace Platform.DataPlane.ObjectStorage;

/// <summary>Compares what a server says of its answer to a ranged read with what was asked.</summary>
internal static class S3RangeAnswer
{
    /// <summary>Throws unless the answer holds exactly the bytes <paramref name="first"/> to <paramref name="last"/>, of the version that is wanted.</summary>
    /// <returns>The ETag, and the object's whole length.</returns>
    public static (string ETag, long WholeBytes) Check(GetObjectResponse answer, string what, long first, long last, string? ifMatch)
    {
        var etag = S3Connection.Unquoted(answer.ETag);
        if (ifMatch is not null && etag.Length > 0 && etag != ifMatch)
        {
            throw new StorageException(StorageError.Changed, $"{what}: found {etag}, expected {ifMatch}. It was written meanwhile; read it again.");
        }

        // Without a Content-Length the SDK says 0 or -1; the body then tells, see S3ObjectStorage.
        var wanted = last - first + 1;
        var length = answer.Headers.ContentLength > 0 ? answer.Headers.ContentLength : wanted;
        if (!ContentRangeHeaderValue.TryParse(answer.ContentRange, out var range) || range is not { HasRange: true })
        {
            return first == 0 && length == wanted
                ? (etag, wanted)
                : throw new WrongAnswerException($"{length} bytes without a Content-Range came for a read of {wanted} from {first}; the server, or a proxy before it, does not know ranges");
        }

        if (range.From == first && range.To < last && range.Length <= last)
        {
            throw new StorageException(StorageError.Truncated, $"{what} has {range.Length} bytes; a read of {wanted} from {first} goes beyond its end. Publish it again.");
        }

        if (range.From != first || range.To != last)
        {
            throw new WrongAnswerException($"the answer is of bytes {range.From} to {range.To}, asked for were {first} to {last}");
        }

        return length == wanted
            ? (etag, range.Length ?? long.MaxValue)
            : throw new StorageException(StorageError.Truncated, $"{what}: {length} bytes are announced for a read of {wanted} from {first}. Read it again; if it stays so, look at what lies between.");
    }
}
