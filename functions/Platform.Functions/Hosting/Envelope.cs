using System.Text.Json;

namespace Platform.Functions.Hosting;

/// <summary>The body that a Functions host posts to <c>/{function}</c>: the trigger's values under <c>Data</c>, its metadata under <c>Metadata</c>.</summary>
internal sealed class Envelope
{
    private Envelope(IReadOnlyDictionary<string, JsonElement> data, IReadOnlyDictionary<string, JsonElement> metadata)
    {
        Data = data;
        Metadata = metadata;
    }

    public IReadOnlyDictionary<string, JsonElement> Data { get; }

    public IReadOnlyDictionary<string, JsonElement> Metadata { get; }

    /// <summary>Reads an envelope.</summary>
    /// <exception cref="JsonException">The body is no envelope.</exception>
    public static async Task<Envelope> ReadAsync(Stream body, CancellationToken cancellationToken)
    {
        using var document = await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken);
        return document.RootElement.ValueKind == JsonValueKind.Object
            ? new Envelope(Members(document.RootElement, "Data"), Members(document.RootElement, "Metadata"))
            : throw new JsonException("An invocation is a JSON object with the members Data and Metadata.");
    }

    /// <summary>The value of the binding <paramref name="name"/>.</summary>
    /// <exception cref="JsonException">There is none.</exception>
    public JsonElement Trigger(string name) => Data.TryGetValue(name, out var value)
        ? value
        : throw new JsonException($"The invocation has no value for the binding '{name}'; it has: {string.Join(", ", Data.Keys)}.");

    private static Dictionary<string, JsonElement> Members(JsonElement envelope, string name)
    {
        var members = new Dictionary<string, JsonElement>(StringComparer.OrdinalIgnoreCase);
        if (envelope.TryGetProperty(name, out var values) && values.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in values.EnumerateObject())
            {
                members[member.Name] = member.Value.Clone();
            }
        }

        return members;
    }
}
