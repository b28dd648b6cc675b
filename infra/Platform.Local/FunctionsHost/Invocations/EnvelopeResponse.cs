using System.Text.Json;

namespace Platform.Local.FunctionsHost.Invocations;

/// <summary>The handler's answer to an envelope: <c>{"Outputs":{...},"Logs":[...],"ReturnValue":...}</c>, names in any case, everything optional.</summary>
internal sealed class EnvelopeResponse
{
    /// <summary>Null if the answer has none, which is not the same as an empty object.</summary>
    public IReadOnlyDictionary<string, JsonElement>? Outputs { get; private init; }

    public IReadOnlyList<string> Logs { get; private init; } = [];

    public JsonElement? ReturnValue { get; private init; }

    /// <summary>Reads an answer with a 2xx status.</summary>
    /// <exception cref="InvocationException">The answer is empty, null, not JSON, or its content type is not JSON's.</exception>
    public static EnvelopeResponse Parse(string? mediaType, ReadOnlyMemory<byte> body)
    {
        // Hosts wait for an answer until functionTimeout here and restart the handler then; failing at once says the same sooner.
        if (body.Span.Trim(" \r\n\t"u8).IsEmpty || body.Span.Trim(" \r\n\t"u8).SequenceEqual("null"u8))
        {
            throw new InvocationException("The handler's answer is empty. Answer at least {} with Content-Type: application/json; Azure's host would wait until functionTimeout.");
        }

        if (!"application/json".Equals(mediaType, StringComparison.OrdinalIgnoreCase))
        {
            throw new InvocationException($"The handler answered with Content-Type '{mediaType}'; expected application/json.");
        }

        try
        {
            using var document = LenientJson.Parse(body);
            return Read(document.RootElement.Clone());
        }
        catch (JsonException exception)
        {
            throw new InvocationException($"The handler's answer is not JSON: {exception.Message}");
        }
    }

    private static EnvelopeResponse Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new InvocationException($"The handler's answer is a JSON {root.ValueKind}; expected an object with Outputs, Logs and ReturnValue.");
        }

        var outputs = Member(root, "Outputs");
        var logs = Member(root, "Logs");
        return new EnvelopeResponse
        {
            Outputs = outputs is { ValueKind: JsonValueKind.Object } members ? ByName(members) : null,
            Logs = logs is { ValueKind: JsonValueKind.Array } lines ? [.. lines.EnumerateArray().Select(line => line.ToString())] : [],
            ReturnValue = Member(root, "ReturnValue") is { ValueKind: not JsonValueKind.Null } value ? value : null,
        };
    }

    /// <summary>The members in any case; of two with one name the last counts.</summary>
    private static Dictionary<string, JsonElement> ByName(JsonElement members)
    {
        var values = new Dictionary<string, JsonElement>(StringComparer.OrdinalIgnoreCase);
        foreach (var member in members.EnumerateObject())
        {
            values[member.Name] = member.Value;
        }

        return values;
    }

    private static JsonElement? Member(JsonElement root, string name)
    {
        foreach (var member in root.EnumerateObject())
        {
            if (member.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                return member.Value;
            }
        }

        return null;
    }
}

/// <summary>An invocation failed; the message says why.</summary>
internal sealed class InvocationException(string message, Exception? inner = null) : Exception(message, inner);
