using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Platform.Local.FunctionsHost.Invocations;

/// <summary>The HTTP response that an envelope describes: <c>{"statusCode":201,"headers":{...},"body":...}</c>.</summary>
internal sealed record HttpOutput(int StatusCode, IReadOnlyDictionary<string, string> Headers, byte[] Body, bool HasContentType)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Picks the response of the binding <paramref name="name"/> from an answer.</summary>
    /// <exception cref="InvocationException">The output is not a JSON object.</exception>
    public static HttpOutput From(EnvelopeResponse answer, string name)
    {
        if (name.Equals("$return", StringComparison.OrdinalIgnoreCase))
        {
            return answer.ReturnValue is { } returned ? FromReturnValue(returned) : Plain(StatusCodes.Status204NoContent, "");
        }

        if (answer.Outputs is null)
        {
            return Plain(StatusCodes.Status204NoContent, "");
        }

        return answer.Outputs.TryGetValue(name, out var output)
            ? output.ValueKind == JsonValueKind.Object ? FromObject(output) : throw new InvocationException($"The output '{name}' is a JSON {output.ValueKind}; an http output is an object with statusCode, headers and body.")
            : Plain(StatusCodes.Status200OK, "{}");
    }

    public async Task WriteAsync(HttpResponse response, CancellationToken cancellationToken)
    {
        response.StatusCode = StatusCode;
        foreach (var (name, value) in Headers)
        {
            // The server writes one byte per character.
            response.Headers[name] = Ascii.IsValid(value) ? value : Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(value));
        }

        // These have no body, whatever the function says.
        if (Body.Length > 0 && StatusCode is not (StatusCodes.Status204NoContent or StatusCodes.Status205ResetContent or StatusCodes.Status304NotModified))
        {
            if (!HasContentType)
            {
                response.ContentType = "text/plain; charset=utf-8";
            }

            response.ContentLength = Body.Length;
            await response.Body.WriteAsync(Body, cancellationToken);
        }
    }

    /// <summary>A return value without a member <c>body</c> is itself the body; a string that looks like JSON is parsed first.</summary>
    private static HttpOutput FromReturnValue(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String && value.GetString()!.AsSpan().Trim() is ['{', .., '}'])
        {
            try
            {
                using var document = LenientJson.Parse(Encoding.UTF8.GetBytes(value.GetString()!));
                value = document.RootElement.Clone();
            }
            catch (JsonException)
            {
                // Text that only looks like JSON is the body as it is.
            }
        }

        return value.ValueKind == JsonValueKind.Object && Member(value, "body") is not null
            ? FromObject(value)
            : new HttpOutput(StatusCodes.Status200OK, new Dictionary<string, string>(), BodyOf(value), false);
    }

    private static HttpOutput FromObject(JsonElement output)
    {
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        if (Member(output, "headers") is { ValueKind: JsonValueKind.Object } members)
        {
            foreach (var member in members.EnumerateObject())
            {
                headers[member.Name] = member.Value.ToString();
            }
        }

        // The body is written anew, so its length and framing are ours.
        headers.Remove("Content-Length");
        headers.Remove("Transfer-Encoding");
        return new HttpOutput(Status(Member(output, "statusCode")), headers, Member(output, "body") is { } body ? BodyOf(body) : [], headers.ContainsKey("Content-Type"));
    }

    private static int Status(JsonElement? value) =>
        value is { } status && int.TryParse(status.ToString(), CultureInfo.InvariantCulture, out var code) && code is >= 100 and <= 599 ? code : StatusCodes.Status200OK;

    private static byte[] BodyOf(JsonElement body) => body.ValueKind switch
    {
        JsonValueKind.Null => [],
        JsonValueKind.String => Encoding.UTF8.GetBytes(body.GetString()!),
        JsonValueKind.Object or JsonValueKind.Array => JsonSerializer.SerializeToUtf8Bytes(body, Indented),
        _ => Encoding.UTF8.GetBytes(body.GetRawText()),
    };

    private static HttpOutput Plain(int status, string body) => new(status, new Dictionary<string, string>(), Encoding.UTF8.GetBytes(body), false);

    private static JsonElement? Member(JsonElement value, string name)
    {
        foreach (var member in value.EnumerateObject())
        {
            if (member.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                return member.Value;
            }
        }

        return null;
    }
}
