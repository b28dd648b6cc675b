using System.Text;
using System.Text.Json;

namespace Platform.Local.FunctionsHost.Invocations;

/// <summary>Builds the envelope that the handler gets: <c>{"Data":{...},"Metadata":{...}}</c>.</summary>
/// <remarks>Hosts write an object as a nested object and everything else as a <em>string that holds the value's JSON text</em>: a queue text <c>hello</c> is <c>"\"hello\""</c>, a count of 1 is <c>"1"</c>, an absent value <c>"null"</c>. Dates are plain strings.</remarks>
internal sealed class EnvelopeRequest
{
    private readonly Dictionary<string, Action<Utf8JsonWriter>> _data = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Action<Utf8JsonWriter>> _metadata = new(StringComparer.OrdinalIgnoreCase);

    public EnvelopeRequest(string functionName, DateTimeOffset now) => _metadata["sys"] = writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("MethodName", functionName);
        writer.WriteString("UtcNow", now.UtcDateTime);
        writer.WriteString("RandGuid", Guid.NewGuid());
        writer.WriteEndObject();
    };

    public EnvelopeRequest Data(string name, string? text) => Set(_data, name, JsonText(text));

    public EnvelopeRequest Data(string name, byte[] bytes) => Set(_data, name, writer => writer.WriteBase64StringValue(bytes));

    public EnvelopeRequest DataObject(string name, Action<Utf8JsonWriter> value) => Set(_data, name, value);

    public EnvelopeRequest Metadata(string name, string? text) => Set(_metadata, name, JsonText(text));

    public EnvelopeRequest Metadata(string name, long number) => Set(_metadata, name, writer => writer.WriteStringValue(number.ToString()));

    public EnvelopeRequest Metadata(string name, DateTimeOffset date) => Set(_metadata, name, writer => writer.WriteStringValue(date.ToString("O")));

    public EnvelopeRequest MetadataObject(string name, Action<Utf8JsonWriter> value) => Set(_metadata, name, value);

    /// <summary>Adds the top-level members of a payload that is a JSON object, arrays left out; members of the payload win over entries of the same name.</summary>
    public EnvelopeRequest MetadataOfPayload(string payload)
    {
        if (!payload.AsSpan().TrimStart().StartsWith("{", StringComparison.Ordinal))
        {
            return this;
        }

        try
        {
            using var document = LenientJson.Parse(Encoding.UTF8.GetBytes(payload));
            foreach (var member in document.RootElement.EnumerateObject().Where(member => member.Value.ValueKind != JsonValueKind.Array))
            {
                var value = member.Value.Clone();
                Set(_metadata, member.Name, value.ValueKind == JsonValueKind.Object ? value.WriteTo : writer => writer.WriteStringValue(value.GetRawText()));
            }
        }
        catch (JsonException)
        {
            // Text that only looks like JSON has no members.
        }

        return this;
    }

    public byte[] ToUtf8()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            Write(writer, "Data", _data);
            Write(writer, "Metadata", _metadata);
            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }

    public override string ToString() => Encoding.UTF8.GetString(ToUtf8());

    private static void Write(Utf8JsonWriter writer, string name, Dictionary<string, Action<Utf8JsonWriter>> members)
    {
        writer.WriteStartObject(name);
        foreach (var (member, value) in members)
        {
            writer.WritePropertyName(member);
            value(writer);
        }

        writer.WriteEndObject();
    }

    private static Action<Utf8JsonWriter> JsonText(string? text) => writer => writer.WriteStringValue(text is null ? "null" : JsonSerializer.Serialize(text, Relaxed));

    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private EnvelopeRequest Set(Dictionary<string, Action<Utf8JsonWriter>> members, string name, Action<Utf8JsonWriter> value)
    {
        members[name] = value;
        return this;
    }
}
