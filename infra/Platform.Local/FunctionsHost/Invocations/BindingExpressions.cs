using System.Text.Json;
using System.Text.RegularExpressions;
using Platform.Local.FunctionsHost.App;

namespace Platform.Local.FunctionsHost.Invocations;

/// <summary>Replaces <c>{expressions}</c> in a binding's properties by values of the invocation: <c>{queueTrigger}</c>, metadata such as <c>{DequeueCount}</c>, fields of a JSON payload such as <c>{order.id}</c>, <c>{headers.x}</c>, <c>{query.x}</c>, <c>{sys.utcnow}</c>, <c>{rand-guid}</c>, <c>{DateTime}</c>.</summary>
internal static partial class BindingExpressions
{
    private const string DateTimeFormat = "yyyy-MM-ddTHH-mm-ssK";

    /// <summary>The text with every expression replaced; names are read in any case.</summary>
    /// <param name="text">The property.</param>
    /// <param name="function">The function that ran.</param>
    /// <param name="envelope">The envelope that it got, as UTF-8 JSON.</param>
    /// <param name="now">For <c>{DateTime}</c>.</param>
    /// <exception cref="InvocationException">The invocation has no value of a name.</exception>
    public static string Expand(string text, FunctionDefinition function, ReadOnlyMemory<byte> envelope, DateTimeOffset now)
    {
        if (!text.Contains('{', StringComparison.Ordinal))
        {
            return text;
        }

        using var document = JsonDocument.Parse(envelope);
        return Pattern().Replace(text, match => Value(match.Groups["name"].Value, match.Groups["format"].Value, function, document.RootElement, now)
            ?? throw new InvocationException($"The expression '{match.Value}' of a binding of function '{function.Name}' has no value in this invocation."));
    }

    private static string? Value(string name, string format, FunctionDefinition function, JsonElement envelope, DateTimeOffset now)
    {
        if (name.Equals("rand-guid", StringComparison.OrdinalIgnoreCase))
        {
            return Guid.NewGuid().ToString(format.Length > 0 ? format : "D");
        }

        if (name.Equals("DateTime", StringComparison.OrdinalIgnoreCase))
        {
            return now.UtcDateTime.ToString(format.Length > 0 ? format : DateTimeFormat);
        }

        if (name.Equals(function.Trigger.Type, StringComparison.OrdinalIgnoreCase))
        {
            return Find(Find(envelope, "Data"), function.Trigger.Name) is { } value ? Text(value) : null;
        }

        JsonElement? found = Find(envelope, "Metadata");
        foreach (var part in name.Split('.'))
        {
            found = Find(found, part);
        }

        return found is { } one ? Text(one) : null;
    }

    private static JsonElement? Find(JsonElement? parent, string name)
    {
        var value = parent is { } known ? Unwrap(known) : default;
        if (value.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        foreach (var member in value.EnumerateObject())
        {
            if (member.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                return member.Value;
            }
        }

        return null;
    }

    private static string Text(JsonElement value)
    {
        var unwrapped = Unwrap(value);
        return unwrapped.ValueKind == JsonValueKind.String ? unwrapped.GetString()! : unwrapped.GetRawText();
    }

    /// <summary>Envelopes carry everything but objects as a string that holds JSON.</summary>
    private static JsonElement Unwrap(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            return value;
        }

        try
        {
            using var inner = JsonDocument.Parse(value.GetString()!);
            return inner.RootElement.Clone();
        }
        catch (JsonException)
        {
            return value;
        }
    }

    [GeneratedRegex(@"\{(?<name>[^{}:]+)(:(?<format>[^{}]+))?\}", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Pattern();
}
