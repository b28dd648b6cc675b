using System.Buffers;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Platform.Dapr.Http;

/// <summary>JSON bodies of known length: the sidecar may then repeat a call, which it never does with a chunked one.</summary>
internal static class JsonBody
{
    public static readonly MediaTypeHeaderValue Json = new("application/json");

    public static HttpContent From<T>(T value, JsonTypeInfo<T> type) => From(JsonSerializer.SerializeToUtf8Bytes(value, type), Json);

    public static HttpContent From(ReadOnlyMemory<byte> bytes, MediaTypeHeaderValue contentType)
    {
        var content = new ReadOnlyMemoryContent(bytes);
        content.Headers.ContentType = contentType;
        return content;
    }

    /// <summary>Writes a body by hand, for requests that hold values of several types.</summary>
    public static HttpContent Write<TState>(TState state, Action<Utf8JsonWriter, TState> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            write(writer, state);
        }

        return From(buffer.WrittenMemory, Json);
    }
}
