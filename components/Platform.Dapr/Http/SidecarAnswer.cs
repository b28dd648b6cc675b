using System.Net;
using System.Text;
using System.Text.Json;

namespace Platform.Dapr.Http;

/// <summary>The error in an answer: Dapr's code and message if it is Dapr's, and the body for a log.</summary>
/// <param name="Status">Status of the answer.</param>
/// <param name="ErrorCode">Dapr's code; null if the body is not Dapr's.</param>
/// <param name="Message">Dapr's message; null if the body is not Dapr's.</param>
/// <param name="Body">The first 64 KiB as text.</param>
internal sealed record SidecarAnswer(HttpStatusCode Status, string? ErrorCode, string? Message, string? Body)
{
    private const int MaxBodyBytes = 64 * 1024;

    /// <summary>What to print: Dapr's words, else the start of the body.</summary>
    public string Words => Message ?? (Body is { Length: > 0 } body ? body[..Math.Min(body.Length, 300)] : "no body");

    public static async Task<SidecarAnswer> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var buffer = new byte[MaxBodyBytes];
        var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
        return Parse(response.StatusCode, buffer.AsSpan(0, length));
    }

    public static SidecarAnswer Parse(HttpStatusCode status, ReadOnlySpan<byte> body)
    {
        var (code, message) = ErrorOf(body);
        return new SidecarAnswer(status, code, message, body.IsEmpty ? null : Encoding.UTF8.GetString(body));
    }

    private static (string? Code, string? Message) ErrorOf(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body);
        string? code = null;
        string? message = null;
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return default;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isCode = reader.ValueTextEquals("errorCode"u8);
                var isMessage = reader.ValueTextEquals("message"u8);
                reader.Read();
                if (reader.TokenType == JsonTokenType.String && (isCode || isMessage))
                {
                    (code, message) = isCode ? (reader.GetString(), message) : (code, reader.GetString());
                }

                reader.Skip();
            }
        }
        catch (JsonException)
        {
            return default; // An app's own body, or one cut at the limit: not Dapr's.
        }

        return code is null ? default : (code, message);
    }
}
